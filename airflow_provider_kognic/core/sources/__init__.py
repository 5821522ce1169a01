"""Where predictions come from: a folder, a glob, JSON lines, rows in memory, or a manifest of any of them.

In comes what a task was given, a path or rows; out goes a `base.Source`: an iterable of predictions that are not
read yet, and of the refusals of entries that cannot be sent. A source is read lazily. What is wrong with one entry
is yielded in its place and does not end the source. Paths are anything that behaves like `pathlib.Path`, so the
same code reads local disks and object stores. What a prediction's `source` says is enough to find its document
again, so the rows of a receipts file are a manifest, too.

    opening     which format is meant; the list of formats
    manifest    a table of scenes and documents; receipts
    folder, json_lines, rows      a format each
    walk        several readers go through a source
    bounded     files are read with no more memory than a document may take
    pinned      a file that is gone through more than once is each time what it was at first
    room        so many bytes of documents are in memory at a time
    base        ports, and what an entry is

A new format is one new file, and one line of `opening.FORMATS`. The file holds a source (a frozen dataclass
with `total`, `named`, which yields `base.Named` and `base.refusal`s, and `__iter__`, which is `base.as_scenes`
of that; a document's `read` may be called again and refuses what is too large) and a `base.Format` of three
functions: does this look like mine; make a source of it, as it is now; find a document again by what its
`source` said, or say why that cannot be. Add it to the cases of tests/core/sources/test_contract.py, too, which
hold for every source.

    naming      entries that are named by external ids, whose scenes are looked up
    formats     in which models write their results, each to be joined with a table of scenes; `open_model_source`
    converting  from their rows to documents, for all of them alike

A source is what it was when it was opened: files of a folder are listed then, and rows that are appended later are
none of its. Only regular files are read.

May import `errors`, `files`, `models`, `reasons` and `values` of the core, and nothing else of it.
"""
