"""Sources whose entries are not named by their scenes' uuids.

`external` finds the scenes of external ids, in batches, as a source is gone through; who finds them is a protocol.
"""
