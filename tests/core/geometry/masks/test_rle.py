"""Run-length encoding, against pycocotools: bit for bit."""

import itertools
import json
import random
import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.masks import rle
from airflow_provider_kognic.core.geometry.masks.png import MOST_PIXELS
from airflow_provider_kognic.core.geometry.masks.rle import Rle
from tests.core.geometry.made_masks import LARGE, cases, digest

# pycocotools' own, with numpy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

slowly = settings(deadline=None)


def test_there_are_enough_made_masks() -> None:
    sizes = [case["size"] for case in cases()]
    assert len(sizes) >= 2_500
    assert all(height != width for height, width in sizes if height * width > 1)
    assert {(1, 9), (9, 1), (3000, 4000)} <= {(height, width) for height, width in sizes}
    assert sum(case["area"] == 0 for case in cases()) >= 9
    assert sum(case["area"] == case["size"][0] * case["size"][1] for case in cases()) >= 9
    assert sum(case["area"] == 1 for case in cases()) >= 9


def test_they_are_what_the_script_makes() -> None:
    """With the pycocotools that is installed here, nothing else."""
    script = Path(__file__).parents[4] / "scripts" / "make_mask_data.py"
    assert runpy.run_path(str(script))["make"]() == cases()


def test_a_mask_is_what_pycocotools_makes_of_it() -> None:
    """Its pixels, its area, its box; and written again it is the same text."""
    for case in cases():
        mask = rle.from_coco(case)
        height, width = case["size"]
        pixels = mask.to_rows()
        assert (digest(pixels), mask.area, list(mask.bbox)) == (case["sha256"], case["area"], case["bbox"])
        assert mask.to_coco() == {"size": case["size"], "counts": case["counts"]}
        assert rle.from_rows(pixels, height, width) == mask


def test_all_forms_of_counts_are_read_the_same() -> None:
    for case in cases()[::5]:
        mask = rle.from_coco(case)
        for counts in (case["counts"].encode(), list(mask.counts), mask.counts):
            assert rle.from_coco({"size": case["size"], "counts": counts}) == mask


def test_reading_along_the_rows_would_be_noticed() -> None:
    """The classic mistake: it gives other pixels for nearly every made mask in which it can."""
    differ = possible = 0
    for case in cases():
        height, width = case["size"]
        mask = rle.from_coco(case)
        if min(height, width) == 1 or len(mask.counts) == 1 or height * width > LARGE:
            continue
        wrong = b"".join(bytes([index % 2]) * count for index, count in enumerate(mask.counts))
        possible += mask.area < height * width
        differ += digest(wrong) != case["sha256"]
    assert possible > 2_000
    assert differ > 0.98 * possible


def test_a_size_read_the_wrong_way_round_would_be_noticed() -> None:
    """Width and height swapped fill as many pixels; only the pixels tell."""
    differ = possible = 0
    for case in cases():
        height, width = case["size"]
        if min(height, width) == 1 or case["area"] in {0, height * width} or height * width > LARGE:
            continue
        swapped = rle.from_coco({"size": [width, height], "counts": case["counts"]})
        possible += 1
        differ += digest(swapped.to_rows()) != case["sha256"]
    assert differ > 0.98 * possible


@slowly
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.03, 0.5, 0.97, 1.0]),
)
def test_any_pixels_come_back(height: int, width: int, seed: int, density: float) -> None:
    source = random.Random(seed)
    pixels = bytes(source.random() < density for _ in range(height * width))
    mask = rle.from_rows(pixels, height, width)
    encoded = coco.encode(np.asfortranarray(np.frombuffer(pixels, np.uint8).reshape(height, width)))
    assert mask.to_coco() == {"size": [height, width], "counts": encoded["counts"].decode()}
    assert mask.to_rows() == pixels
    assert (mask.area, mask.bbox) == (int(coco.area(encoded)), tuple(coco.toBbox(encoded)))


@slowly
@given(st.lists(st.integers(0, 30), min_size=1, max_size=30), st.integers(1, 9))
def test_empty_runs_do_not_matter(counts: list[int], height: int) -> None:
    """They may stand anywhere; afterwards only the first may be empty, as in what pycocotools writes of pixels."""
    counts[-1] += -sum(counts) % height or (0 if sum(counts) else height)
    width = sum(counts) // height
    mask = Rle(height, width, tuple(counts))
    given_to_coco = coco.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    pixels = coco.decode(given_to_coco)
    assert mask.to_rows() == pixels.tobytes()
    assert mask.to_coco()["counts"] == coco.encode(np.asfortranarray(pixels))["counts"].decode()
    assert rle.compressed(counts) == given_to_coco["counts"].decode()


@slowly
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=4),
    st.integers(1, 12),
    st.integers(13, 20),
    st.integers(0, 999),
)
def test_a_union_is_that_of_pycocotools(kinds: list[int], height: int, width: int, seed: int) -> None:
    source = random.Random(seed)
    masks = [
        rle.from_rows(bytes(source.random() < kind / 3 for _ in range(height * width)), height, width)
        for kind in kinds
    ]
    merged = coco.merge([mask.to_coco() for mask in masks])
    assert rle.union(masks).to_coco() == {"size": [height, width], "counts": merged["counts"].decode()}


@slowly
@given(st.lists(st.integers(0, MOST_PIXELS), max_size=40))
def test_counts_are_compressed_and_back(counts: list[int]) -> None:
    """Large differences and negative ones too."""
    text = rle.compressed(counts)
    assert rle.decompressed(text) == rle.decompressed(text.encode()) == counts


SIX = {"size": [2, 3]}
BAD: dict[str, tuple[Any, str]] = {
    "no_mapping": ([1, 2], "must have size and counts"),
    "no_size": ({"counts": "06"}, "must have size and counts"),
    "no_counts": (SIX, "must have size and counts"),
    "size_is_text": ({"size": "23", "counts": "06"}, r"must be \[height, width\], not '23'"),
    "size_of_three": ({"size": [2, 3, 1], "counts": "06"}, r"must be \[height, width\], not \[2, 3, 1\]"),
    "size_of_0": (
        {"size": [0, 3], "counts": ""},
        "height of a mask must be a whole number of pixels above 0, not 0",
    ),
    "size_of_fractions": ({"size": [2, 3.0], "counts": "06"}, r"width .* not 3\.0"),
    "size_of_truth": ({"size": [True, 6], "counts": "06"}, "height .* not True"),
    "size_of_a_bomb": ({"size": [1 << 20, 1 << 20], "counts": "0"}, "more than 80,000,000 pixels"),
    "counts_missing_pixels": (
        {**SIX, "counts": [1, 4]},
        r"fill 5 pixels, but its size .* \[2, 3\], which is 6",
    ),
    "counts_of_too_many": ({**SIX, "counts": [1, 4, 2]}, "fill 7 pixels"),
    "counts_empty": ({**SIX, "counts": ""}, "fill 0 pixels"),
    "counts_negative": ({**SIX, "counts": [3, -1, 4]}, "from 0 to 6; -1 is none"),
    "counts_fractions": ({**SIX, "counts": [3.0, 3]}, r"from 0 to 6; 3\.0 is none"),
    "counts_of_truth": ({**SIX, "counts": [5, True]}, "from 0 to 6; True is none"),
    "counts_nan": ({**SIX, "counts": [float("nan"), 3]}, "nan is none"),
    "counts_endless": ({**SIX, "counts": [10**5000]}, "from 0 to 6"),
    "counts_none": ({**SIX, "counts": None}, "text, bytes or a list of whole numbers, not None"),
    "counts_truncated": ({**SIX, "counts": "Q"}, "end within a number, after 1 letters: they are truncated"),
    "counts_of_other_letters": ({**SIX, "counts": "0 6"}, "number 2 is ' '"),
    "counts_of_other_bytes": ({**SIX, "counts": b"06\xff"}, "number 3 is b'.xff'"),
    "counts_not_ascii": ({**SIX, "counts": "0\N{SNOWMAN}"}, "number 2 is '\N{SNOWMAN}'"),
    "counts_of_base64": (
        {**SIX, "counts": "0zY="},
        "letters '0' to 'o' only; number 2 is 'z'. Is this encoded once",
    ),
    "counts_that_go_below_0": ({**SIX, "counts": "011N@"}, "a negative one"),
    "counts_of_a_long_number": ({**SIX, "counts": "o" * 40}, "more than 65 bits"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_named(name: str) -> None:
    segmentation, message = BAD[name]
    with pytest.raises(KognicInputError, match=message) as caught:
        rle.from_coco(segmentation)
    assert len(str(caught.value)) < 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["size", "counts", "x"]), inner)
    ),
    max_leaves=12,
)
LETTERS = st.text(st.characters(min_codepoint=44, max_codepoint=115), max_size=30)
SIZES = st.lists(st.integers(-1, 9) | JSON, min_size=2, max_size=2) | JSON


@settings(slowly, max_examples=500)
@given(JSON | st.fixed_dictionaries({"size": SIZES, "counts": LETTERS | st.lists(st.integers(-2, 9)) | JSON}))
def test_whatever_is_given_is_a_mask_or_the_error(segmentation: Any) -> None:
    try:
        mask = rle.from_coco(segmentation)
    except KognicInputError:
        return
    assert sum(mask.counts) == mask.height * mask.width
    assert len(mask.to_rows()) == mask.height * mask.width


@pytest.mark.parametrize("index", range(0, 400, 23))
def test_a_damaged_text_is_another_mask_or_the_error(index: int) -> None:
    """Cut anywhere, or with any letter changed."""
    case = cases()[200 + index]
    text = case["counts"]
    cut = (text[:end] for end in range(len(text)))
    changed = (text[:at] + letter + text[at + 1 :] for at in range(len(text)) for letter in "0Oo\n")
    for counts in itertools.chain(cut, changed):
        try:
            mask = rle.from_coco({"size": case["size"], "counts": counts})
        except KognicInputError:
            continue
        assert sum(mask.counts) == mask.height * mask.width


def test_masks_of_different_sizes_have_no_union() -> None:
    with pytest.raises(KognicInputError, match=r"\[2, 3\] and \[3, 2\]"):
        rle.union([Rle(2, 3, (6,)), Rle(3, 2, (6,))])
    with pytest.raises(KognicInputError, match="Without a mask"):
        rle.union([])


def test_pixels_have_to_be_as_many_as_the_size_says() -> None:
    with pytest.raises(
        KognicInputError, match="5 pixels are not a mask of height 2 and width 3, which has 6"
    ):
        rle.from_rows(bytes(5), 2, 3)


def test_what_is_written_is_json() -> None:
    mask = rle.from_rows(bytes([0, 1, 1, 0, 0, 1]), 2, 3)
    assert mask.counts == (2, 1, 1, 2)
    assert json.loads(json.dumps(mask.to_coco())) == {"size": [2, 3], "counts": "2111"}
    assert mask.bbox == (1, 0, 2, 2)


@given(text=st.text(alphabet=[chr(letter) for letter in range(44, 116)], max_size=40))
def test_counts_are_the_same_however_they_are_read(text: str) -> None:
    """At once, or letter by letter, as is done where something is wrong."""
    try:
        expected = rle._one_by_one(text)
    except KognicInputError as error:
        with pytest.raises(KognicInputError, match=re.escape(str(error))):
            rle.decompressed(text)
    else:
        assert rle.decompressed(text) == expected
        assert rle.decompressed(text.encode()) == expected
