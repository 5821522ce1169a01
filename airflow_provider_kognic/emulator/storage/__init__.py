"""What the emulator keeps, in one SQLite file, as SQL: a module for each kind of thing.

In come values that were checked already; out go rows as dictionaries, or ``Refused`` where there is no such
thing. Every function takes a connection first and is run through ``Database``, which decides in which thread
and transaction. The tables are a file format (``schema``). May import ``errors``.
"""
