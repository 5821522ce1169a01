"""What the package wrote and said before its inside was rearranged, kept as data, and the tests that hold it.

Each kind of data is made by a function of one of the modules here (`KINDS` in `record`), which returns files by
name. `python -m tests.golden.record` writes them to `data/`; the tests make them again and compare byte for byte,
and read what is kept with the code as it is. What stands in `data/version_1/` was written in version 1 of the
journal's format; it is read, and never made again. Only `access` knows where inside the package things are.
"""
