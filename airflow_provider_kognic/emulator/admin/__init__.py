"""The emulator's own switches under ``/__admin``, for its own machine only.

Who may ask is seen to by the guard of ``serving``. In come requests of tests and of people at a terminal; out goes
JSON about faults, counters and all that is kept, and whatever they change. May import ``state``, ``faults``,
``storage`` and ``errors``.
"""
