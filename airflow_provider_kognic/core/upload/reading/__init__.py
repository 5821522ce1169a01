"""From a source to what is to be sent.

In comes a source; out goes, for each of its entries, a result, a doubt, or something to send. `intake` reads in
threads, `entries` is what those threads share, `decide` says what to do about an entry (a pure function), and
`memory` bounds the documents that are in memory, and `sources.room` their bytes.

May import the journal, sources, and what lies below them, and of the upload `ending` and `records`.
"""
