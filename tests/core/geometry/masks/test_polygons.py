"""Polygons, against pycocotools: bit for bit."""

import math
import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.masks import rle
from airflow_provider_kognic.core.geometry.masks.polygons import from_polygons, from_segmentation
from airflow_provider_kognic.core.geometry.masks.rle import Rle
from tests.core.geometry.made_masks import LARGE, cases

# pycocotools' own, with numpy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

slowly = settings(deadline=None)

TRIANGLE = [1.0, 1.0, 8.0, 2.0, 3.0, 5.0]


def by_pycocotools(polygons: list[list[float]], height: int, width: int) -> str:
    counts: bytes = coco.merge(coco.frPyObjects(polygons, height, width))["counts"]
    return counts.decode()


def test_a_polygon_is_what_pycocotools_makes_of_it() -> None:
    made = [case for case in cases() if "polygons" in case]
    assert len(made) >= 1_700
    for case in made:
        height, width = case["size"]
        mask = from_polygons(case["polygons"], height, width)
        assert (rle.compressed(mask.counts), mask.area) == (case["counts"], case["area"]), case


def test_x_and_y_the_wrong_way_round_would_be_noticed() -> None:
    differ = possible = 0
    for case in cases():
        height, width = case["size"]
        if "polygons" not in case or case["area"] in {0, height * width} or height * width > LARGE:
            continue
        swapped = [
            [number for x, y in zip(polygon[::2], polygon[1::2], strict=True) for number in (y, x)]
            for polygon in case["polygons"]
        ]
        possible += 1
        differ += rle.compressed(from_polygons(swapped, height, width).counts) != case["counts"]
    assert possible > 1_200
    assert differ > 0.95 * possible


NUMBERS = st.one_of(
    st.floats(-60, 100, allow_nan=False),
    st.integers(-60, 100),
    st.integers(-300, 500).map(lambda fifths: fifths / 5),
    st.integers(-300, 500).map(lambda fifths: fifths / 5 + 0.1),
    st.floats(-1e5, 1e5, allow_nan=False),
)
POLYGON = st.lists(NUMBERS, min_size=3, max_size=9).flatmap(
    lambda xs: st.lists(NUMBERS, min_size=len(xs), max_size=len(xs)).map(
        lambda ys: [number for place in zip(xs, ys, strict=True) for number in place]
    )
)


@settings(slowly, max_examples=400)
@given(st.lists(POLYGON, min_size=1, max_size=3), st.integers(1, 40), st.integers(41, 60), st.booleans())
def test_any_polygon_is_what_pycocotools_makes_of_it(
    polygons: list[list[float]],
    short: int,
    long: int,
    upright: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    height, width = (long, short) if upright else (short, long)
    mask = from_polygons(polygons, height, width)
    assert rle.compressed(mask.counts) == by_pycocotools(polygons, height, width)


@settings(slowly, max_examples=30)
@given(st.integers(3, 60), st.integers(0, 2**32))
def test_polygons_of_the_size_of_cameras(corners: int, seed: int) -> None:
    source = random.Random(seed)
    height, width = source.choice([(720, 1280), (1200, 1920), (3000, 4000)])
    polygon = []
    for corner in range(corners):
        radius = source.uniform(0.1, 0.6)
        polygon += [
            width * (0.5 + radius * math.cos(2 * math.pi * corner / corners)),
            height * (0.5 + radius * math.sin(2 * math.pi * corner / corners)),
        ]
    assert rle.compressed(from_polygons([polygon], height, width).counts) == by_pycocotools(
        [polygon], height, width
    )


def test_what_is_far_outside_takes_no_memory() -> None:
    """There are points all along the way in pycocotools; here only the columns of the image count."""
    tracemalloc.start()
    try:
        mask = from_polygons([[-1e8, -1e8, 1e8, -1e8, 1e8, 1e8, -1e8, 1e8]], 5, 7)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert mask == Rle(5, 7, (0, 35))
    assert peak < 1_000_000


def test_a_segmentation_is_polygons_or_runs() -> None:
    mask = from_polygons([TRIANGLE], 6, 9)
    assert from_segmentation([TRIANGLE], 6, 9) == mask
    assert from_segmentation(mask.to_coco(), 6, 9) == mask


def test_a_size_other_than_the_image_is_refused_with_both() -> None:
    mask = from_polygons([TRIANGLE], 6, 9)
    for height, width in ((9, 6), (6, 10), (12, 18)):
        message = rf"A mask of 9 x 6 pixels does not fit an image of {width} x {height} \(width x height\)"
        with pytest.raises(KognicInputError, match=message):
            from_segmentation(mask.to_coco(), height, width)


BAD: dict[str, tuple[Any, str]] = {
    "empty": ([], "not empty"),
    "nothing": (None, "must be a list of lists"),
    "text": ("1,1,8,2,3,5", "must be a list of lists"),
    "one_polygon_alone": (TRIANGLE, "one polygon is a list in a list"),
    "polygon_of_text": (["1,1,8,2"], "must be a list of numbers"),
    "polygon_empty": ([[]], "6 or more; this one has 0"),
    "odd": ([[*TRIANGLE, 1.0]], "an even number of coordinates, 6 or more; this one has 7"),
    "a_box": (
        [[1, 2, 3, 4]],
        r"this one has 4\. Four would be a box \[x, y, width, height\] for pycocotools",
    ),
    "places": ([[[1, 1], [8, 2], [3, 5], [1, 1], [1, 1], [1, 1]]], "must be numbers, not"),
    "text_inside": ([["1", 1, 8, 2, 3, 5]], "must be numbers, not '1'"),
    "truth": ([[True, 1, 8, 2, 3, 5]], "must be numbers, not True"),
    "nan": ([[math.nan, 1, 8, 2, 3, 5]], "nan is none"),
    "infinite": ([[1, math.inf, 8, 2, 3, 5]], "inf is none"),
    "far_away": ([[1, 1, 8, 2, 3, 1e9]], "from -100,000,000 to 100,000,000; 1000000000.0 is none"),
    "endless": ([[10**5000, 1, 8, 2, 3, 5]], "is none"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_named(name: str) -> None:
    polygons, message = BAD[name]
    with pytest.raises(KognicInputError, match=message) as caught:
        from_segmentation(polygons, 6, 9)
    assert len(str(caught.value)) < 400


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.sampled_from(["size", "counts"]), inner),
    max_leaves=20,
)


@settings(slowly, max_examples=500)
@given(ANY | st.lists(st.lists(st.floats() | st.integers(), max_size=10), max_size=3))
def test_whatever_is_given_is_a_mask_or_the_error(segmentation: Any) -> None:
    try:
        mask = from_segmentation(segmentation, 6, 9)
    except KognicInputError:
        return
    assert (mask.height, mask.width, sum(mask.counts)) == (6, 9, 54)
