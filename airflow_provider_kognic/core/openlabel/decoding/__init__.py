"""Bytes -> JSON values, frames and grey levels, within limits that keep memory bounded whatever a document holds.

In come the bytes of a document; out come its values, with everything that parsers usually swallow (`strict_json`),
its root and its frames one by one (`splitting`), the grey levels of a bitmap (`bitmaps`), or an exception that
names the rule which the bytes break (`limits`). Nothing here knows the schema. It imports msgspec, of
`openlabel` only `issues`, and how a PNG is checked (`geometry.masks.png`); Pillow where a bitmap is decoded.
"""
