"""Masks and the image that they belong to: of one size, unless scaling was asked for."""

from __future__ import annotations

import contextlib
from array import array
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.masks.png import MOST_PIXELS
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.converting.rows import Argument, WrongDetectionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.core.geometry.masks.bitmaps import Bitmap
    from airflow_provider_kognic.core.sources.converting.inputs import Reading
    from airflow_provider_kognic.core.sources.converting.rows import Canvas

SCALE = Argument(
    "scale",
    "'nearest' brings masks to the size that the table of scenes says; without it, others are refused",
    choices=("nearest",),
)


class MaskSizes:
    """Holds the size of each mask against that of its image, and against that of the other masks of it.

    Args:
        reading: Knows the table of scenes, and whether masks are scaled.
    """

    def __init__(self, reading: Reading) -> None:
        self._scenes = reading.scenes
        self._scaled = reading.arguments.get(SCALE.name) is not None
        self._widths = array("I", bytes(4 * reading.scenes.keys))
        self._heights = array("I", bytes(4 * reading.scenes.keys))

    def check(self, key: str, width: int, height: int, *, said: tuple[int, int] | None = None) -> None:
        """Check the size of a mask.

        Args:
            key: Of its image.
            width: Of the mask, in pixels.
            height: Likewise.
            said: What a file beside the input says of the image's size.

        Raises:
            WrongDetectionError: It is another size than its image's, or than that of an earlier mask of it.
        """
        number = self._scenes.number_of(key)
        if number is None:
            return
        image = self._scenes.size_of_number(number)
        if self._scaled and image is None:
            raise WrongDetectionError(
                "no_size", "masks are to be scaled, and the table of scenes has no 'image_width' for this key"
            )
        if self._scaled and image is not None:
            _check_scale(*image)
        for size in (said, image):
            if size is not None and not self._scaled and size != (width, height):
                raise WrongDetectionError(
                    "mask_size", f"{unfit((width, height), size)}; scale='nearest' scales masks"
                )
        if not self._widths[number]:
            self._widths[number], self._heights[number] = width, height
        first = self._widths[number], self._heights[number]
        if first != (width, height):
            raise WrongDetectionError(
                "mask_size",
                f"a mask of {width} x {height} pixels (width x height), where an earlier one of the same image has"
                f" {first[0]} x {first[1]}",
            )


def _check_scale(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise WrongDetectionError(
            "mask_size",
            f"the table of scenes says that the image has {width:,} x {height:,} pixels; masks are scaled to"
            f" {MOST_PIXELS:,} at most",
        )


def unfit(mask: tuple[int, int], image: tuple[int, int]) -> str:
    """Say that a mask does not fit its image."""
    found = f"a mask of {mask[0]} x {mask[1]} pixels"
    return f"{found} does not fit an image of {image[0]} x {image[1]} (width x height)"


def finished(bitmap: Bitmap, canvas: Canvas) -> bytes:
    """Return the PNG of what was painted, in the size of the image.

    Raises:
        Refused: It has another size, and is not to be scaled, or not to one that large.
    """
    if canvas.width is not None and canvas.height is not None:
        size = canvas.width, canvas.height
        if canvas.reading.arguments.get(SCALE.name) is not None:
            with refusing(Reason.INVALID):
                bitmap = bitmap.scaled_to(*size)
        elif size != (bitmap.width, bitmap.height):
            raise Refused(Reason.INVALID, f"{unfit((bitmap.width, bitmap.height), size)}.")
    return bitmap.png()


@contextlib.contextmanager
def refusing(reason: Reason) -> Iterator[None]:
    """Make of what is wrong with a mask, or with its file, what is wrong with its document.

    Raises:
        Refused: For a KognicInputError within.
    """
    try:
        yield
    except KognicInputError as error:
        raise Refused(reason, str(error)) from error
