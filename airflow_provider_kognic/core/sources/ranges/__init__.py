"""A source in parts: what a shard is, where a source is cut, and a source that has only what is in one.

    shard       the description of a part, small enough for an XCom
    cutting     where to cut, so that the parts have about as many bytes
    narrowed    a source, and of it only the scenes of a range
    listed      of a folder in S3, only the names that may be in a range

A part is a half-open range of scenes (`models.Span`), the first and the last one open. So every scene is in exactly
one of them, whatever is added later; and so are all entries of one scene, of which the first one counts.
"""
