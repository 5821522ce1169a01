"""PNGs of classes, instances and segments: every kind that is certain, and a refusal of the others."""

import io
import os
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.masks import id_images, rle
from airflow_provider_kognic.core.geometry.masks.id_images import (
    class_of_instance,
    read_binary,
    read_ids,
    read_panoptic,
)
from tests.core.documents import chunk, png

slowly = settings(deadline=None, max_examples=40)

WIDTH, HEIGHT = 7, 4
COLOURS = {(0, 0, 0): 0, (128, 64, 128): 7, (0, 0, 142): 26}


def saved(image: Image.Image, **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **how)
    return file.getvalue()


def of_numbers(numbers: list[int], mode: str, width: int = WIDTH) -> Image.Image:
    """An image with these numbers, by Pillow."""
    size = (width, len(numbers) // width)
    if mode == "RGB":
        return Image.frombytes("RGB", size, b"".join(number.to_bytes(3, "little") for number in numbers))
    if mode == "I;16":
        return Image.frombytes("I;16", size, b"".join(number.to_bytes(2, "little") for number in numbers))
    image = Image.frombytes(mode, size, bytes(numbers))
    if mode == "P":
        image.putpalette([level % 256 for level in range(9, 777)])
    return image


def drawn_from(seed: int, numbers: list[int]) -> list[int]:
    return random.Random(seed).choices(numbers, k=WIDTH * HEIGHT)


def check(image: Any, numbers: list[int]) -> None:
    """Compare what was read with what was written, pixel by pixel."""
    assert (image.width, image.height) == (WIDTH, HEIGHT)
    assert image.areas == Counter(numbers)
    levels = {number: level for level, number in enumerate(sorted(set(numbers)), 1)}
    assert list(image.bitmap(levels).pixels) == [levels[number] for number in numbers]
    for number in image.areas:
        expected = rle.from_rows(bytes(each == number for each in numbers), HEIGHT, WIDTH)
        assert image.mask(number) == expected
    assert image.mask(99_999_999).area == 0


@slowly
@given(st.lists(st.integers(0, 255), min_size=1, max_size=12), st.integers(0, 99), st.sampled_from("LP"))
def test_values_of_a_byte_are_the_numbers(numbers: list[int], seed: int, mode: str) -> None:
    """Greyscale's as they are, and a palette's as indices, whatever its colours."""
    values = drawn_from(seed, numbers)
    check(read_ids(saved(of_numbers(values, mode))), values)


@pytest.mark.parametrize("count", [2, 4, 16, 17])
def test_a_small_palette_has_fewer_bits(count: int) -> None:
    """Pillow writes 1, 2 or 4 a pixel, where that is enough."""
    values = drawn_from(3, list(range(count)))
    image = Image.frombytes("P", (WIDTH, HEIGHT), bytes(values))
    image.putpalette([9] * 3 * count)
    written = saved(image)
    assert written[24] == {2: 1, 4: 2, 16: 4, 17: 8}[count]
    check(read_ids(written), values)


@slowly
@given(st.lists(st.integers(0, 65_535), min_size=1, max_size=12), st.integers(0, 99))
def test_values_of_sixteen_bits_are_the_numbers(numbers: list[int], seed: int) -> None:
    values = drawn_from(seed, numbers)
    check(read_ids(saved(of_numbers(values, "I;16"))), values)


@slowly
@given(st.lists(st.integers(0, (1 << 24) - 1), min_size=1, max_size=12), st.integers(0, 99))
def test_a_panoptic_value_is_of_three_bytes(numbers: list[int], seed: int) -> None:
    values = drawn_from(seed, numbers)
    check(read_panoptic(saved(of_numbers(values, "RGB"))), values)


@pytest.mark.parametrize("few", [0, 1 << 16])
def test_numbers_that_no_two_bytes_tell_apart(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each two of the bytes are the same in two of these; and there may be more numbers than levels."""
    monkeypatch.setattr(id_images, "_FEW_PIXELS", few)
    pairs = drawn_from(1, [0, 1, 300, 301, 65_535])
    check(read_ids(saved(of_numbers(pairs, "I;16"))), pairs)
    for unused in (1, 1 << 8, 1 << 16):
        wide = [
            number % 256 * (256 if unused == 1 else 1)
            + number // 256 * (256 if unused == 1 << 16 else 65_536)
            for number in pairs
        ]
        check(read_panoptic(saved(of_numbers(wide, "RGB"))), wide)
    values = drawn_from(1, [0x010101, 0x010102, 0x010201, 0x020101, 0x020202])
    check(read_panoptic(saved(of_numbers(values, "RGB"))), values)
    many = [number * 65_793 % (1 << 24) for number in range(2_000)]
    image = read_panoptic(saved(of_numbers(many, "RGB", 50)))
    assert len(image.areas) == 2_000
    assert list(image.bitmap({number: number % 251 for number in many}).pixels) == [n % 251 for n in many]


def test_instances_of_cityscapes() -> None:
    """As in an instance image that cityscapesScripts drew: a road, two cars, and what is unlabelled."""
    values = [0] * 14 + [7, 7, 7, 26_000, 26_000, 7, 7] + [7, 7, 26_001, 26_001, 26_001, 7, 7]
    image = read_ids(saved(of_numbers(values, "I;16")))
    assert image.areas == {0: 14, 7: 9, 26_000: 2, 26_001: 3}
    assert {class_of_instance(number) for number in image.areas} == {0, 7, 26}
    levels = {0: 0, 7: 1, 26: 2}
    bitmap = image.bitmap({number: levels[class_of_instance(number)] for number in image.areas})
    assert bitmap.pixels == bytes([0] * 14 + [1, 1, 1, 2, 2, 1, 1] + [1, 1, 2, 2, 2, 1, 1])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colours_are_what_the_table_says(mode: str) -> None:
    colours = random.Random(5).choices(list(COLOURS), k=WIDTH * HEIGHT)
    image = Image.frombytes("RGB", (WIDTH, HEIGHT), b"".join(map(bytes, colours)))
    if mode == "P":
        image = image.convert("P", palette=Image.Palette.ADAPTIVE)
        assert image.convert("RGB").tobytes() == b"".join(map(bytes, colours))
    check(read_ids(saved(image.convert(mode)), colours=COLOURS), [COLOURS[colour] for colour in colours])


def test_several_colours_may_be_one_number() -> None:
    image = Image.frombytes("RGB", (2, 1), bytes([1, 2, 3, 4, 5, 6]))
    assert read_ids(saved(image), colours={(1, 2, 3): 9, (4, 5, 6): 9}).areas == {9: 2}


@pytest.mark.parametrize("mode", ["1", "L"])
def test_a_mask_of_one_instance_is_all_that_is_not_black(mode: str) -> None:
    values = drawn_from(8, [0, 255] if mode == "1" else [0, 1, 128, 255])
    image = Image.frombytes("L", (WIDTH, HEIGHT), bytes(values)).convert(mode)
    assert read_binary(saved(image)) == rle.from_rows(bytes(values), HEIGHT, WIDTH)


RGBA = Image.new("RGBA", (WIDTH, HEIGHT), (0, 0, 142, 255))
HALF = Image.new("RGBA", (WIDTH, HEIGHT), (0, 0, 142, 128))
GREY = saved(Image.new("L", (WIDTH, HEIGHT), 3))
BAD: dict[str, tuple[Any, str]] = {
    "rgb_without_a_table": (
        lambda: read_ids(saved(RGBA.convert("RGB"))),
        "8-bit RGB, without a table that says which colour is which class",
    ),
    "rgba_without_a_table": (lambda: read_ids(saved(RGBA)), "8-bit RGB with alpha, without a table"),
    "transparent": (lambda: read_ids(saved(HALF), colours=COLOURS), "transparent pixels"),
    "grey_with_a_table": (
        lambda: read_ids(GREY, colours=COLOURS),
        "8-bit greyscale, though a table of colours",
    ),
    "grey_with_alpha": (lambda: read_ids(saved(Image.new("LA", (2, 2)))), "8-bit greyscale with alpha"),
    "one_bit": (lambda: read_ids(saved(Image.new("1", (2, 2)))), "1-bit greyscale"),
    "four_bits": (lambda: read_ids(png(4, 2, levels=[3], depth=4)), "4-bit greyscale"),
    "another_colour": (
        lambda: read_ids(saved(Image.new("RGB", (2, 2), (0, 0, 141))), colours=COLOURS),
        r"pixels of \(0, 0, 141\) \(R, G, B\), which the table of colours does not name: 4 pixels",
    ),
    "a_photo": (
        lambda: read_panoptic(saved(of_numbers(list(range(70_000)), "RGB", 700))),
        "more than 65,536 colours: it is a photo",
    ),
    "panoptic_grey": (lambda: read_panoptic(GREY), "8-bit greyscale"),
    "panoptic_alpha": (lambda: read_panoptic(saved(RGBA)), "8-bit RGB with alpha"),
    "binary_palette": (lambda: read_binary(saved(Image.new("P", (2, 2)))), "1-bit palette"),
    "no_png": (lambda: read_ids(b"\xff\xd8\xff\xe0 JPEG"), "no PNG: it starts with ff d8"),
    "empty": (lambda: read_ids(b""), "no PNG"),
    "truncated": (lambda: read_ids(GREY[:-20]), "truncated"),
    "rows_missing": (lambda: read_ids(png(4, 4, levels=[1], pixels=bytes(10))), "truncated: 10 of 20 bytes"),
    "bomb": (lambda: read_ids(png(2**31 - 1, 2**31 - 1, levels=[1], pixels=b"")), "at most 80,000,000"),
    "bomb_of_colours": (
        lambda: read_panoptic(png(9_000, 9_000, levels=[1], colour=2, pixels=b"")),
        "at most 80,000,000",
    ),
    "bomb_inside": (
        lambda: read_panoptic(png(2, 2, levels=[1], colour=2, pixels=bytes(10_000_000))),
        "more than the 14 bytes that its pixels take",
    ),
    "a_number_without_a_class": (
        lambda: read_ids(saved(of_numbers([1, 2, 3, 4, 5, 6, 7] * 4, "L"))).bitmap({1: 1}),
        "pixels of 2, 3, 4, 5, 6 and 1 more, for which there is no class: 24 pixels in all",
    ),
    "a_level_that_is_none": (lambda: read_ids(GREY).bitmap({3: 256}), "from 0 to 255, not 256"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_certain_is_refused(name: str) -> None:
    read, message = BAD[name]
    with pytest.raises(KognicInputError, match=message) as caught:
        read()
    assert len(str(caught.value)) < 400


def test_a_palette_that_is_missing_or_short_is_no_crash() -> None:
    good = saved(of_numbers([250] * 28, "P"))
    palette = good.index(b"PLTE") - 4
    size = 12 + int.from_bytes(good[palette : palette + 4], "big")
    short = chunk(b"PLTE", bytes(6))
    for written in (good[:palette] + good[palette + size :], good[:palette] + short + good[palette + size :]):
        for colours in (None, COLOURS):
            try:
                assert read_ids(written, colours=colours).areas in ({250: 28}, {0: 28})
            except KognicInputError:
                continue


KINDS = [
    GREY,
    saved(of_numbers(list(range(28)), "P")),
    saved(of_numbers(list(range(0, 28_000, 1000)), "I;16")),
    saved(of_numbers(list(range(0, 2_800_000, 100_000)), "RGB")),
    saved(RGBA),
]


@settings(slowly, max_examples=300)
@given(st.sampled_from(KINDS), st.integers(0, 2**32), st.integers(1, 6), st.booleans())
def test_any_damage_is_the_error_or_harmless(
    written: bytes,
    seed: int,
    damages: int,
    repaired: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    """Bytes changed anywhere, also with checksums that fit them again."""
    source = random.Random(seed)
    damaged = bytearray(written)
    for _ in range(damages):
        damaged[source.randrange(8, len(damaged))] = source.randrange(256)
    given_now = (
        with_checksums(bytes(damaged)) if repaired else bytes(damaged[: source.randint(0, len(damaged))])
    )
    for read in (read_ids, read_panoptic, read_binary, lambda data: read_ids(data, colours=COLOURS)):
        try:
            read(given_now)
        except KognicInputError:
            continue


def with_checksums(data: bytes) -> bytes:
    """The same chunks, as far as they can be told apart, with their checksums."""
    made, position = data[:8], 8
    while position + 12 <= len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        if end + 4 > len(data):
            break
        made += chunk(data[position + 4 : position + 8], data[position + 8 : end])
        position = end + 4
    return made + data[position:]


def test_any_bytes_are_the_error() -> None:
    for size in range(60):
        for start in (b"", b"\x89PNG\r\n\x1a\n"):
            with pytest.raises(KognicInputError):
                read_ids(start + os.urandom(size))
