"""Make the masks that tests compare with: `python scripts/make_mask_data.py`, where pycocotools is installed.

Everything in `tests/core/geometry/data/masks.json.gz` is what pycocotools says; nothing of ours is imported. A case
is a dictionary of:

- `size`: height and width, which differ wherever both are above 1;
- `polygons`: what it was made from, or left out;
- `counts`, `area`, `bbox`: of its run-length encoding;
- `sha256`: the first 16 digits of that of its pixels along the rows, a byte of 0 or 1 each.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask as coco

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILE = Path(__file__).parents[1] / "tests" / "core" / "geometry" / "data" / "masks.json.gz"

# Beside the handful with a purpose.
PIXELS, POLYGONS = 900, 1700
# Rows of a mask that takes its time.
_LARGE = 2000


def make() -> list[dict[str, Any]]:
    """Return the cases, the same each time."""
    source = random.Random(13)  # noqa: S311 - no secret
    return [
        *map(_of_pixels, _purposeful()),
        *(_of_pixels(_drawn(source)) for _ in range(PIXELS)),
        *(_of_polygons(*_polygons(source)) for _ in range(POLYGONS)),
        *(_of_polygons(*polygons) for polygons in _large(source)),
    ]


def _of_pixels(pixels: Any) -> dict[str, Any]:
    return _case(coco.encode(np.asfortranarray(pixels)))


def _of_polygons(polygons: list[list[float]], height: int, width: int) -> dict[str, Any]:
    return {"polygons": polygons, **_case(coco.merge(coco.frPyObjects(polygons, height, width)))}


def _case(encoded: Any) -> dict[str, Any]:
    pixels = coco.decode(encoded)
    assert list(pixels.shape) == encoded["size"]  # noqa: S101
    return {
        "size": [int(side) for side in encoded["size"]],
        "counts": encoded["counts"].decode(),
        "area": int(coco.area(encoded)),
        "bbox": [int(side) for side in coco.toBbox(encoded)],
        "sha256": hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()[:16],
    }


def _purposeful() -> Iterator[Any]:
    """Yield empty masks, full ones, single pixels, lines, and the first and last of each."""
    for height, width in ((1, 1), (1, 9), (9, 1), (2, 3), (7, 5), (5, 7), (64, 33), (480, 640), (3000, 4000)):
        pixels = np.zeros((height, width), np.uint8)
        yield pixels
        yield pixels + np.uint8(1)
        ends = ((0, 0), (0, width - 1), (height - 1, 0), (height - 1, width - 1), (height // 2, width // 3))
        for row, column in ends[-1:] if height > _LARGE else ends:
            single = pixels.copy()
            single[row, column] = 1
            yield single
            yield 1 - single
        line = pixels.copy()
        line[height // 2] = 1
        yield line
        line = pixels.copy()
        line[:, width // 2] = 1
        yield line


def _sides(source: random.Random, most: int = 60) -> tuple[int, int]:
    height, width = source.randint(1, most), source.randint(1, most)
    return (height, width) if height != width else (height, width + 1)


def _drawn(source: random.Random) -> Any:
    """Return noise, blocks, or stripes, more or less dense."""
    height, width = _sides(source, 24)
    kind = source.randrange(3)
    if kind == 0:
        density = source.choice((0.02, 0.2, 0.5, 0.9))
        values = [source.random() < density for _ in range(height * width)]
        return np.array(values, np.uint8).reshape(height, width)
    pixels = np.zeros((height, width), np.uint8)
    for _ in range(source.randint(1, 4)):
        top, left = source.randrange(height), source.randrange(width)
        across = source.randint(1, width) if kind == 1 else width
        pixels[top : top + source.randint(1, height), left : left + across] ^= 1
    return pixels


def _polygons(source: random.Random) -> tuple[list[list[float]], int, int]:
    """Return polygons of all sorts: of halves, on the borders, far outside, with corners twice, crossing."""
    height, width = _sides(source)
    ways: tuple[Callable[[int], float], ...] = (
        lambda side: round(source.uniform(-10, side + 10), 2),
        lambda side: float(source.randint(-3, side + 3)),
        lambda side: source.randint(-20, 5 * side + 20) / 5 + source.choice((0, 0.1, -0.1, 0.05)),
        lambda side: round(side / 2 + source.uniform(-1000, 1000), 3),
        lambda side: source.choice((0, side, side - 1, side / 2, -0.1, -0.3, -0.5, side + 0.5, side - 0.5)),
        lambda side: round(source.uniform(-0.7, side + 0.7), 6),
        lambda side: source.randint(0, 2 * side) / 2,
    )
    way = source.choice(ways)
    polygons = []
    for _ in range(source.choice((1, 1, 1, 2, 3))):
        polygon = [way(side) for _ in range(source.randint(3, 9)) for side in (width, height)]
        if source.random() < 0.2:  # noqa: PLR2004
            polygon += polygon[:2]
        if source.random() < 0.2:  # noqa: PLR2004
            polygon[4:4] = polygon[2:4]
        if source.random() < 0.3:  # noqa: PLR2004
            polygon[2] = polygon[0]
        polygons.append(polygon)
    return polygons, height, width


def _large(source: random.Random) -> Iterator[tuple[list[list[float]], int, int]]:
    """Yield some at the size of cameras."""
    for height, width in ((480, 640), (720, 1280), (1200, 1920), (3000, 4000)):
        for corners in (3, 12) if height < _LARGE else (5,):
            places = [
                (source.uniform(-0.1, 1.1) * width, source.uniform(-0.1, 1.1) * height)
                for _ in range(corners)
            ]
            yield [[round(number, 2) for place in places for number in place]], height, width


def main() -> None:
    """Write the file, the same bytes for the same cases."""
    cases = make()
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_bytes(gzip.compress(f"[\n{lines}\n]\n".encode(), mtime=0))
    print(f"{FILE}: {len(cases):,} masks")


if __name__ == "__main__":
    main()
