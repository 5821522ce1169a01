"""The process: a socket, the application behind it, and an orderly end.

In come the options of a start; out goes an emulator that serves until it is told to stop. The parts of the
emulator meet here and nowhere else, so this folder may import all of them but ``__main__`` and ``testing``.
Uvicorn is known here alone.
"""
