"""Reading segmentation bitmaps: the grey levels of any PNG that is one, and no harm from any that is not."""

import base64
import io
import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from airflow_provider_kognic.core import bitmaps
from airflow_provider_kognic.core.bitmaps import BrokenBitmap, grey_levels

from .predictions import chunk, png


def base(data: bytes) -> str:
    return base64.b64encode(data).decode()


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.lists(st.integers(0, 255), min_size=1, max_size=6),
    st.booleans(),
)
@settings(deadline=None)
def test_the_levels_are_those_of_the_pixels(
    width: int,
    height: int,
    levels: list[int],
    optimize: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    """Whatever filters Pillow chose in writing it."""
    pixels = random.Random(width).choices(levels, k=width * height)
    file = io.BytesIO()
    Image.frombytes("L", (width, height), bytes(pixels)).save(file, "PNG", optimize=optimize)
    assert grey_levels(base(file.getvalue())) == set(pixels)


def test_an_interlaced_picture_is_read() -> None:
    """Adam7, whose one pass of a picture of one pixel is the picture."""
    header = b"\0\0\0\1\0\0\0\1\x08\0\0\0\1"
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\x2a")) + chunk(b"IEND", b"")
    assert grey_levels(base(b"\x89PNG\r\n\x1a\n" + data)) == {42}


def test_what_else_is_in_the_file_does_not_matter() -> None:
    """A text that inflates to 100 MB is not inflated; a palette of animation frames is not looked at."""
    good = png(4, 4, levels=[3])
    bomb = b"Comment\0\0" + zlib.compress(bytes(100_000_000), 9)
    extra = chunk(b"zTXt", bomb) + chunk(b"iCCP", b"x\0\0" + bomb) + chunk(b"acTL", b"\0" * 8)
    assert grey_levels(base(good[:33] + extra + good[33:])) == {3}
    assert grey_levels(base(good + b"what follows the end")) == {3}


def test_pixels_in_several_chunks_are_put_together() -> None:
    good = png(4, 4, levels=[3, 9])
    data = zlib.compress((b"\0" + bytes([3, 9, 3, 9])) * 4)
    split = b"".join(chunk(b"IDAT", data[i : i + 3]) for i in range(0, len(data), 3))
    assert grey_levels(base(good[:33] + split + good[-12:])) == {3, 9}


@pytest.mark.parametrize("position", range(0, 70, 3))
def test_a_damaged_byte_is_noticed(position: int) -> None:
    good = png(4, 4, levels=[3])
    damaged = bytearray(good)
    damaged[position % len(good)] ^= 0x10
    with pytest.raises(BrokenBitmap):
        grey_levels(base(bytes(damaged)))


def test_a_bomb_does_not_go_off() -> None:
    """The header says how large it will be; that is believed before anything is inflated."""
    side = int(bitmaps.MOST_PIXELS**0.5) + 1
    with pytest.raises(BrokenBitmap, match="pixels; at most") as caught:
        grey_levels(base(png(side, side, levels=[0], pixels=b"")))
    assert caught.value.rule == "too_large"
    with pytest.raises(BrokenBitmap, match="pixels; at most"):
        grey_levels(base(png(2**31 - 1, 2**31 - 1, levels=[0], pixels=b"")))


def test_pixels_beyond_the_announced_ones_are_not_inflated() -> None:
    pixels = (b"\0" + bytes([7] * 4)) * 4 + bytes(50_000_000)
    assert grey_levels(base(png(4, 4, levels=[0], pixels=pixels))) == {7}


@given(st.binary(max_size=80), st.integers(0, 100))
@settings(deadline=None)
def test_nothing_but_a_broken_bitmap_is_raised(data: bytes, position: int) -> None:
    good = png(4, 4, levels=[3])
    for content in (data, good[:position] + data, good[:8] + data + good[8:]):
        try:
            levels = grey_levels(base(content))
        except BrokenBitmap as error:
            said = error.found
        else:
            said = str(sorted(levels)[:1])
        assert said.isprintable()
        assert len(said) < 200
