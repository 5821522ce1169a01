"""Images and points that lie beside a model's results, found by the names that people give them.

A file is looked for under each name that its key, or its scene, frame and stream, may have made of it; a folder is
never listed, as it may hold millions. What is found is only data: an image is decoded and written anew, smaller.
"""

from __future__ import annotations

import base64
import io
import sys
from array import array
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.geometry.transforms import Rigid
from airflow_provider_kognic.drawing.camera import Picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_provider_kognic.core.preview.keys import Spot
    from airflow_provider_kognic.drawing.solids import Point

IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".JPG", ".JPEG", ".PNG")
POINTS = (".bin", ".pcd.bin")
_FORMATS = ["JPEG", "PNG", "WEBP", "BMP"]
_WIDEST, _QUALITY = 1024, 78
_MOST_PIXELS = 80_000_000
_MOST_POINTS_BYTES = 256 << 20
_MOST_DOTS = 30_000
# COCO's and KITTI's names of images are numbers with zeros before them.
_DIGITS = (12, 10, 6)
LIDAR = "@lidar"
# Values of a point, of which the first two are x and y: nuScenes has five, KITTI four.
_NUSCENES, _KITTI = 5, 4


class Beside:
    """Finds files in a folder by the names that a frame of a stream may have.

    Args:
        folder: The folder.
        endings: What the files' names end in.
        keys: What the table of scenes calls frames.
    """

    def __init__(self, folder: Path, endings: tuple[str, ...], keys: Mapping[Spot, str]) -> None:
        self._folder = folder
        self._endings = endings
        self._keys = keys
        self.found = 0
        self.looked_for = 0
        self.first_missed: str | None = None

    def find(self, spot: Spot, timestamp: float | None) -> Path | None:
        """Return the file of a frame of a stream, or None."""
        self.looked_for += 1
        for name in self._names(spot, timestamp):
            if not _is_below(name):
                continue
            endings = ("", *self._endings) if name.endswith(self._endings) else self._endings
            for ending in endings:
                path = self._folder / f"{name}{ending}"
                try:
                    if path.is_file():
                        self.found += 1
                        return path
                except (OSError, ValueError):  # a name that is too long, or no name
                    continue
        if self.first_missed is None:
            self.first_missed = next(filter(_is_below, self._names(spot, timestamp)), None)
        return None

    def _names(self, spot: Spot, timestamp: float | None) -> Iterator[str]:
        scene, frame, stream = spot
        key = self._keys.get(spot)
        if key is not None:
            last = key.rpartition("/")[2]
            for one in dict.fromkeys((key, last)):
                yield one
                yield f"{stream}/{one}"
                yield f"{one}/{stream}"
            for digits in _DIGITS:
                yield f"{key.rpartition('/')[0]}/{last.zfill(digits)}".lstrip("/")
                yield last.zfill(digits)
            if "/" in key:  # MOTChallenge
                sequence = key.rpartition("/")[0]
                yield f"{sequence}/img1/{last.zfill(6)}"
        for part in (f"{scene}/", ""):
            yield f"{part}{stream}/{frame}"
            yield f"{part}{frame}/{stream}"
            yield f"{part}{frame}_{stream}"
            yield f"{part}{stream}_{frame}"
            yield f"{part}{stream}"
            if timestamp is not None:
                yield f"{part}{stream}/{timestamp:.0f}"
            for digits in _DIGITS:
                yield f"{part}{stream}/{frame.zfill(digits)}"
            if part or stream == LIDAR:
                yield f"{part}{frame}"
        yield f"{scene}_{stream}"
        yield scene


def _is_below(name: str) -> bool:
    """Tell whether a name stays below its folder: a key is anybody's text."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


def picture_of(path: Path) -> Picture | str:
    """Return an image as a page may hold it, or why it cannot."""
    from PIL import Image

    try:
        with Image.open(path, formats=_FORMATS) as image:
            width, height = image.size
            if width * height > _MOST_PIXELS:
                return f"the image {path.name} has {width:,} x {height:,} pixels: too many to be drawn"
            image.draft("RGB", (_WIDEST, _WIDEST))
            small = image.convert("RGB")
            small.thumbnail((_WIDEST, _WIDEST))
            out = io.BytesIO()
            small.save(out, "JPEG", quality=_QUALITY)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - Pillow raises OSError, SyntaxError, struct.error and others
        return f"the image {path.name} cannot be read: {type(error).__name__}: {error}"
    return Picture(width, height, f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}")


def dots_of(path: Path, transform: Sequence[float] | None = None) -> list[Point] | str:
    """Return some of the points of a lidar's sweep as x and y, or why there are none.

    A file of little-endian float32, five a point where it is named `.pcd.bin` as nuScenes' are, else four.

    Args:
        path: The file.
        transform: A rigid matrix, row by row, by which the points are moved; None to leave them where they are.
    """
    columns = _NUSCENES if path.name.endswith(".pcd.bin") else _KITTI
    try:
        size = path.stat().st_size
        if size > _MOST_POINTS_BYTES or size % (4 * columns):
            return f"the points of {path.name} are not read: {size:,} bytes are not {columns} float32 each"
        values = array("f", path.read_bytes())
    except (OSError, ValueError) as error:
        return f"the points of {path.name} cannot be read: {error}"
    if sys.byteorder == "big":
        values.byteswap()
    stride = columns * max(1, len(values) // columns // _MOST_DOTS)
    points = zip(values[::stride], values[1::stride], values[2::stride], strict=False)
    moved = points if transform is None else map(Rigid.from_matrix(transform).apply, points)
    return [(x, y) for x, y, _ in moved if abs(x) < 1e6 and abs(y) < 1e6]  # noqa: PLR2004 - also of NaN
