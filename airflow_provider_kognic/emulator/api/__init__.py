"""What is imitated: Kognic's token endpoint, its dataset API, as it is documented, and its input API.

In come requests, bodies read as bytes; out go answers with the documented envelope, or ``Refused``. Whether a
request gets here, and whether its answer gets back, is decided by the gate. May import ``state``, the settings of
``faults``, ``storage`` and ``errors``.
"""
