"""What something in Kognic is, and who made it, in words that others keep: a URI, and a run manifest.

In come uuids, a host, a dict; out comes text, or what such text says. It may import `hosts`, `texts` and `errors`.
"""
