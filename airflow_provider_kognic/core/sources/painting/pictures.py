"""Masks that are PNG files with a number for each pixel: kept as the file's path, and read again when painted."""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.masks.png import SIGNATURE
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.converting.inputs import BrokenFileError, InputFile
from airflow_provider_kognic.core.sources.converting.rows import WrongDetectionError
from airflow_provider_kognic.core.sources.painting.canvases import finished, refusing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from airflow_provider_kognic.core.geometry.masks.id_images import IdImage
    from airflow_provider_kognic.core.sources.converting.rows import Canvas, Layer

    class Decode(Protocol):
        """Reads the numbers of a PNG's pixels; `is_known` says that the same bytes were read before."""

        def __call__(self, png: bytes, /, *, is_known: bool = False) -> IdImage:
            """Return them."""


# Three bytes for each of the most pixels that are read.
_MOST_BYTES = 240_000_000
_BLOCK = 1 << 16
# The number of the mask's pixels, and the checksum of the file; then its path.
_HEAD = struct.Struct("<II")


class Picture:
    """A PNG file that was read.

    Args:
        file: Where it is.
        decode: Reads the numbers of its pixels.

    Attributes:
        image: The numbers of its pixels.

    Raises:
        WrongDetectionError: It cannot be read; the reason says why.
        KognicStoreError: Its store does not answer.
    """

    def __init__(self, file: InputFile, decode: Decode) -> None:
        try:
            png = _read(file)
        except BrokenFileError as error:
            raise WrongDetectionError("broken_png", f"{file} {error}") from error
        except KognicInputError as error:
            raise WrongDetectionError("no_png", str(error)) from error
        try:
            self.image = decode(png)
        except KognicInputError as error:
            raise WrongDetectionError("broken_png", f"{file}: {error}") from error
        self._checksum = zlib.crc32(png)
        self._path = os.fsencode(str(file.path))

    def mask(self, number: int) -> bytes:
        """Return what is kept of the mask of all pixels with a number."""
        return _HEAD.pack(number, self._checksum) + self._path


def paint_pictures(layers: Sequence[Layer], canvas: Canvas, decode: Decode) -> bytes:
    """Paint masks that are all of one file: pixels that no mask has are background.

    Args:
        layers: The masks.
        canvas: What they are painted on.
        decode: Reads the numbers of the file's pixels.

    Raises:
        Refused: The file is not there any more, or is another one.
    """
    levels: dict[int, int] = {}
    _, checksum = _HEAD.unpack_from(layers[0].geometry)
    path = os.fsdecode(layers[0].geometry[_HEAD.size :])
    for layer in layers:
        levels[_HEAD.unpack_from(layer.geometry)[0]] = layer.level
    reading = canvas.reading
    with refusing(Reason.UNREADABLE):
        try:
            png = _read(InputFile(reading.resolve(path), reading.patience))
        except BrokenFileError as error:
            raise Refused(Reason.UNREADABLE, f"{path} {error}.") from error
        if zlib.crc32(png) != checksum:
            raise Refused(Reason.UNREADABLE, f"{path} has changed since it was read: read all of it again.")
        image = decode(png, is_known=True)
        bitmap = image.bitmap(dict.fromkeys(image.areas, 0) | levels)
    return finished(bitmap, canvas)


def _read(file: InputFile) -> bytes:
    png = bytearray()
    with file.opened() as opened:
        # Block by block: what may be read at once is set aside at once.
        while block := opened.read(_BLOCK):
            png += block
            if not png.startswith(SIGNATURE) and len(png) >= len(SIGNATURE):
                break  # whatever follows, it is no PNG
            if len(png) > _MOST_BYTES:
                raise KognicInputError(f"{file} has more than {_MOST_BYTES:,} bytes, and is not read.")
    return bytes(png)
