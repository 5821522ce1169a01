"""Formats in which models write their results: one file each, and nothing of Kognic's scenes in it.

    opening      `open_model_source`: the one way in
    options      what reading may be told
    registry     which formats there are
    coco ...     a format each

A new format is one new file and one line of `registry.FORMATS`. The file holds a `ModelFormat`, whose `read` yields
the rows of one file. A reader need not care where the file lies, whether it is compressed, which scenes there are,
what classes are called in Kognic, or what is left out. It turns the file's numbers into Kognic's order and
convention, gives each row its number, and yields a `BadRow` for what it cannot read. `core/sources/converting` does
the rest.
"""
