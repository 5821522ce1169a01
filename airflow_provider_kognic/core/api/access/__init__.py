"""Where to, and as whom: the named environments that Kognic's own tools know.

`environments` reads where a named environment has its servers and credentials.
"""
