"""From masks to the one bitmap of a camera and frame."""

import hashlib
import io
import math
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.masks import rle
from airflow_provider_kognic.core.geometry.masks.bitmaps import (
    BACKGROUND,
    Bitmap,
    Canvas,
    Instance,
    classifications_of,
    levels_of,
    paint,
)
from airflow_provider_kognic.core.geometry.masks.polygons import from_polygons
from airflow_provider_kognic.core.geometry.masks.rle import Rle

slowly = settings(deadline=None)


def rectangle(left: int, top: int, right: int, bottom: int, *, width: int = 5, height: int = 3) -> Rle:
    rows = (range(height), range(width))
    return rle.from_rows(
        bytes(left <= x < right and top <= y < bottom for y in rows[0] for x in rows[1]), height, width
    )


def drawn(bitmap: Bitmap) -> list[str]:
    """The rows of a bitmap, a digit for each level."""
    text = "".join(str(level) for level in bitmap.pixels)
    return [text[start : start + bitmap.width] for start in range(0, len(text), bitmap.width)]


def test_what_no_mask_covers_is_background() -> None:
    assert drawn(paint([Instance(rectangle(1, 0, 3, 2), 7)], 5, 3)) == ["07700", "07700", "00000"]
    assert paint([], 5, 3).levels == {0}


@pytest.mark.parametrize("turned", [False, True])
def test_where_masks_overlap_the_higher_score_wins(turned: bool) -> None:  # noqa: FBT001 - pytest gives it
    instances = [Instance(rectangle(0, 0, 3, 2), 1, 0.9), Instance(rectangle(2, 1, 5, 3), 2, 0.3)]
    expected = ["11100", "11122", "00222"]
    assert drawn(paint(instances[::-1] if turned else instances, 5, 3)) == expected


def test_of_equal_scores_the_earlier_row_wins() -> None:
    """None counts as 1.0."""
    first, second = rectangle(0, 0, 3, 2), rectangle(2, 1, 5, 3)
    assert drawn(paint([Instance(first, 1, 0.5), Instance(second, 2, 0.5)], 5, 3))[1] == "11122"
    assert drawn(paint([Instance(second, 2, 0.5), Instance(first, 1, 0.5)], 5, 3))[1] == "11222"
    assert drawn(paint([Instance(second, 2, 1.0), Instance(first, 1)], 5, 3))[1] == "11222"


@slowly
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**16), st.integers(0, 9), st.sampled_from([0.0, 0.25, 0.5, 1.0, -3.5, 130.0])
        ),
        max_size=8,
    ),
    st.integers(1, 9),
    st.integers(10, 14),
)
def test_each_pixel_is_of_the_best_instance_that_covers_it(
    drawings: list[tuple[int, int, float]], height: int, width: int
) -> None:
    drawn_pixels = []
    for seed, _, _ in drawings:
        source = random.Random(seed)
        drawn_pixels.append(bytes(source.random() < 0.4 for _ in range(height * width)))
    instances = [
        Instance(rle.from_rows(pixels, height, width), level, score)
        for pixels, (_, level, score) in zip(drawn_pixels, drawings, strict=True)
    ]
    bitmap = paint(instances, width, height)
    for place in range(height * width):
        covering = [
            (-score, row, level) for row, (_, level, score) in enumerate(drawings) if drawn_pixels[row][place]
        ]
        assert bitmap.pixels[place] == (min(covering)[2] if covering else 0)


def test_a_later_mask_covers_those_before_on_a_canvas() -> None:
    canvas = Canvas(5, 3)
    canvas.paint(rectangle(0, 0, 5, 3), 4)
    canvas.paint(rectangle(1, 1, 2, 2), 0)
    assert drawn(canvas.bitmap()) == ["44444", "40444", "44444"]


def test_counts_are_painted_as_their_mask_is() -> None:
    canvas, other = Canvas(5, 3), Canvas(5, 3)
    for mask, level in ((rectangle(0, 0, 5, 3), 4), (rectangle(1, 1, 2, 2), 7), (rectangle(2, 0, 2, 0), 9)):
        canvas.paint_counts(mask.counts, level)
        other.paint(mask, level)
    assert canvas.bitmap() == other.bitmap()
    for counts in ([], [1, 2], [0, 16], [14, 2]):
        with pytest.raises(KognicInputError, match="but the image has 5 x 3"):
            canvas.paint_counts(counts, 1)
    assert canvas.bitmap() == other.bitmap()


def test_a_mask_of_another_size_is_refused_with_both() -> None:
    """Also one that has as many pixels: the other way round."""
    with pytest.raises(
        KognicInputError, match=r"A mask of 3 x 5 pixels does not fit an image of 5 x 3 \(width x"
    ):
        paint([Instance(rectangle(0, 0, 1, 1, width=3, height=5), 1)], 5, 3)
    with pytest.raises(KognicInputError, match="A mask of 5 x 3 pixels does not fit an image of 10 x 6"):
        Bitmap(5, 3, bytes(15)).check_size(10, 6)
    Bitmap(5, 3, bytes(15)).check_size(5, 3)


@pytest.mark.parametrize("level", [-1, 256, 1.0, True, "1", None])
def test_a_level_is_one_of_a_byte(level: Any) -> None:
    with pytest.raises(KognicInputError, match="from 0 to 255"):
        Canvas(5, 3).paint(rectangle(0, 0, 1, 1), level)


@pytest.mark.parametrize("score", [math.nan, True, "0.5", None])
def test_a_score_is_a_number(score: Any) -> None:
    with pytest.raises(KognicInputError, match="A score must be a number"):
        paint([Instance(rectangle(0, 0, 1, 1), 1, score)], 5, 3)


@pytest.mark.parametrize(("width", "height"), [(0, 3), (3, 0), (-1, 3), (10**6, 10**6), (2.0, 3), (True, 3)])
def test_a_canvas_has_a_size(width: Any, height: Any) -> None:
    with pytest.raises(KognicInputError, match=r"of a mask must be a whole|more than 80,000,000 pixels"):
        Canvas(width, height)


def test_classes_get_their_levels_in_order() -> None:
    """Two of the model's may be one at Kognic, and one may be the background."""
    levels = levels_of(["Car", "Person", "Car", BACKGROUND, "Road"])
    assert levels == {BACKGROUND: 0, "Car": 1, "Person": 2, "Road": 3}
    assert classifications_of(levels) == {"0": BACKGROUND, "1": "Car", "2": "Person", "3": "Road"}


def test_there_are_no_more_classes_than_levels() -> None:
    names = [f"class {number}" for number in range(255)]
    assert max(levels_of(names).values()) == 255
    with pytest.raises(KognicInputError, match="255 classes and _background apart; these are 256 classes"):
        levels_of([*names, "one more"])


@slowly
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 70), st.integers(1, 70))
def test_scaled_each_pixel_comes_from_where_its_centre_lies(
    width: int, height: int, wider: int, higher: int
) -> None:
    pixels = bytes(random.Random(width).choices(range(256), k=width * height))
    scaled = Bitmap(width, height, pixels).scaled_to(wider, higher)
    assert (scaled.width, scaled.height) == (wider, higher)
    for y in range(higher):
        for x in range(wider):
            column, row = (
                math.floor((x + 0.5) * width / wider + 1e-9),
                math.floor((y + 0.5) * height / higher + 1e-9),
            )
            assert scaled.pixels[y * wider + x] == pixels[row * width + column]


def test_whole_multiples_are_scaled_as_pillow_scales_them() -> None:
    bitmap = Bitmap(24, 10, random.Random(1).randbytes(240))
    image = Image.frombytes("L", (24, 10), bitmap.pixels)
    for size in ((48, 30), (8, 5), (24, 10), (240, 20)):
        assert bitmap.scaled_to(*size).pixels == image.resize(size, Image.Resampling.NEAREST).tobytes()


def test_a_bitmap_has_as_many_pixels_as_it_says() -> None:
    with pytest.raises(KognicInputError, match="14 pixels are no bitmap of 5 x 3, which has 15"):
        Bitmap(5, 3, bytes(14))


@slowly
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**16))
def test_its_png_has_its_pixels(width: int, height: int, seed: int) -> None:
    pixels = random.Random(seed).randbytes(width * height)
    png = Bitmap(width, height, pixels).png()
    with Image.open(io.BytesIO(png)) as image:
        assert (image.mode, image.size, image.tobytes()) == ("L", (width, height), pixels)


def street(width: int, height: int) -> Bitmap:
    """Some shapes, the same each time and everywhere."""
    source = random.Random(width)
    instances = []
    for row in range(12):
        x, y, side = source.random() * width, source.random() * height, source.uniform(0.05, 0.5) * height
        polygon = [start + source.random() * side for _ in range(9) for start in (x, y)]
        instances.append(Instance(from_polygons([polygon], height, width), row + 1, source.random()))
    return paint(instances, width, height)


def noise(width: int, height: int) -> Bitmap:
    return Bitmap(width, height, random.Random(width).randbytes(width * height))


PNGS = {
    "empty": (Bitmap(1920, 1200, bytes(1920 * 1200)), 2312, "dcf16778b068847f"),
    "street": (street(640, 479), 4221, "8783a9d8c05aa0ad"),
    "large_street": (street(1920, 1200), 20485, "c45bcee452b133e6"),
    "noise": (noise(301, 200), 60483, "cbeef0a337f565f3"),
    "pixel": (Bitmap(1, 1, b"\5"), 67, "0dedf588c020c604"),
}


@pytest.mark.parametrize("name", PNGS)
def test_the_bytes_of_a_png_are_those_of_every_machine(name: str) -> None:
    """What is kept here was made by zlib 1.2.13, and is the same by all that `png` names, zlib-ng among them.

    Where this fails, the machine's zlib writes other bytes for the same pixels, and what was sent from another
    machine counts as changed.
    """
    bitmap, size, digest = PNGS[name]
    png = bitmap.png()
    assert (len(png), hashlib.sha256(png).hexdigest()[:16]) == (size, digest)


def test_nothing_slow_is_imported() -> None:
    """Pillow only where a PNG is read; numpy and pycocotools never."""
    code = (
        "import sys; from airflow_provider_kognic.core.geometry.masks import bitmaps, cityscapes;"
        "from airflow_provider_kognic.core.geometry.masks import id_images, polygons;"
        "mask = polygons.from_polygons([[0, 0, 4, 0, 4, 3]], 3, 5);"
        "png_ = bitmaps.paint([bitmaps.Instance(mask, 1)], 5, 3).png();"
        "assert 'PIL' not in sys.modules; id_images.read_ids(png_);"
        "assert not {'numpy', 'pycocotools'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_examples_in_the_docs_run() -> None:
    page = Path(__file__).parents[4] / "docs" / "masks.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, str(page), "exec"), {})
