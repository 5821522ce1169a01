"""From the rows of a model's results to OpenLABEL documents, in one pass and bounded memory, for all formats alike.

In come a `ModelFormat`, its files and the table of scenes; out goes a `ModelSource`, a source like any other.

    source       a document for each scene, made when it is read; receipts find it again
    ingest       one pass over all rows: scene, class, checks, filters, counts
    writer       detections of a scene -> the document's bytes, always the same
    index        detections in scattered order on disk, found by their scenes
    scenes       the table of scenes on disk
    tables       rows of CSV, JSON lines, parquet
    classes      a model's classes and Kognic's
    summary      counts, and the first of each kind that was refused
    inputs       files, unpacked; what a reader is given
    json_stream  JSON of any size, value by value
    rows         what a format's reader yields, and what a format says of itself

What is left out `sources/filtering` says. Which formats there are is none of its business: `sources/formats` has a
file for each.
"""
