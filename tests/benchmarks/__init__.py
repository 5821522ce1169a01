"""How fast the upload engine is, next to the way Kognic documents and to ten bare sockets.

Run `python -m tests.benchmarks` from the checkout; docs/benchmarks.md says what is measured and how to read it.
"""
