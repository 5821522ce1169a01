"""Formats in which models write their results: one file each, and nothing of Kognic's scenes in it.

    opening      `open_model_source`: the one way in
    options      what reading may be told
    registry     which formats there are
    coco ...     a format each

A new format is one new file, `strange.py`, and one line of `registry.ARGUMENTS`, with the names of the format's own
arguments. The file holds a `ModelFormat`, `STRANGE`, whose `read` yields the rows of one file; it is imported when
the format is first asked for. A reader need not care where the file lies, whether it is compressed, which scenes
there are, what classes are called in Kognic, or what is left out. It turns the file's numbers into Kognic's order
and convention, gives each row its number, and yields a `BadRow` for what it cannot read. `core/sources/converting`
does the rest.
"""
