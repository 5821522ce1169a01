"""Predictions that leave compressed (gzip), as `Content-Encoding` has it.

No page of Kognic's says that a server takes that: it is on where somebody knows it (`switches`). What a server
refuses can be made plain again, so that no second copy of a document is held meanwhile.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.api.dataset_api.endpoints import prediction_body

if TYPE_CHECKING:
    from collections.abc import Sequence

ENCODING = ("content-encoding", "gzip")

# Fast, as it is to be faster than the line: it makes a third of the JSON of cuboids, and the usual level little
# less than that, in four times the time.
_LEVEL = 1
_GZIP = 16 + zlib.MAX_WBITS
# What fits into one packet anyway is left alone.
_LEAST = 1400
_PIECE = 1 << 20


class Compressed:
    """A prediction's body, compressed; its length is that of the document as it was.

    Args:
        body: All of the body, as it leaves.
        size: Bytes of the document in it.
        before: Bytes that stand before it there, before both were compressed.
    """

    __slots__ = ("_before", "_size", "body")

    def __init__(self, body: bytes, size: int, before: int) -> None:
        self.body = body
        self._size = size
        self._before = before

    def __len__(self) -> int:
        return self._size

    def plain(self) -> bytes:
        """Return the document as it was; some 10 ms for each MB, and safe in threads."""
        unpacker = zlib.decompressobj(_GZIP)
        unpacker.decompress(self.body, self._before)
        return unpacker.decompress(unpacker.unconsumed_tail, self._size)


def compressed(scene_uuid: str, document: bytes) -> bytes | Compressed:
    """Return a prediction compressed, or the document as it is where that is not larger.

    Args:
        scene_uuid: The prediction's scene.
        document: The bytes of its JSON.

    Raises:
        KognicInputError: The scene is no uuid.
    """
    if len(document) < _LEAST:
        return document
    before, _, behind = prediction_body(scene_uuid, b"")
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    packed = bytearray(packer.compress(before))
    whole = memoryview(document)
    for start in range(0, len(document), _PIECE):
        packed += packer.compress(whole[start : start + _PIECE])
        if len(packed) >= len(document):
            return document
    packed += packer.compress(behind)
    packed += packer.flush()
    if len(packed) >= len(document):
        return document
    return Compressed(bytes(packed), len(document), len(before))


def body_of(scene_uuid: object, document: object) -> tuple[Sequence[bytes], tuple[tuple[str, str], ...]]:
    """Return the parts of a prediction's body, and what the head of its request says of them.

    Raises:
        KognicInputError: See `prediction_body`.
    """
    if isinstance(document, Compressed):
        return (document.body,), (ENCODING,)
    return prediction_body(scene_uuid, document), ()
