"""Reading segmentation bitmaps: the grey levels of any PNG that is one, and no harm from any that is not."""

import base64
import io
import random
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from airflow_provider_kognic.core.geometry.masks.png import MOST_PIXELS
from airflow_provider_kognic.core.openlabel.decoding.bitmaps import BrokenBitmap, grey_levels
from tests.core.documents import chunk, png

ROWS = (b"\0" + bytes([3, 9, 3, 9])) * 4


def base(data: bytes) -> str:
    return base64.b64encode(data).decode()


def with_data(*data: bytes, size: tuple[int, int] = (4, 4), interlace: int = 0) -> bytes:
    """A PNG with these bytes as its compressed pixels, in a chunk each."""
    header = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, interlace)
    chunks = b"".join(chunk(b"IDAT", part) for part in data)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunks + chunk(b"IEND", b"")


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
    side = int(MOST_PIXELS**0.5) + 1
    with pytest.raises(BrokenBitmap, match="pixels; at most") as caught:
        grey_levels(base(png(side, side, levels=[0], pixels=b"")))
    assert caught.value.rule == "too_large"
    with pytest.raises(BrokenBitmap, match="pixels; at most"):
        grey_levels(base(png(2**31 - 1, 2**31 - 1, levels=[0], pixels=b"")))


@pytest.mark.parametrize("more", [1, 5, 50_000_000])
def test_more_pixels_than_announced_are_refused_and_not_inflated(more: int) -> None:
    value = base(png(4, 4, levels=[0], pixels=ROWS + bytes(more)))
    tracemalloc.start()
    try:
        with pytest.raises(BrokenBitmap, match="more than the 20 bytes") as caught:
            grey_levels(value)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.rule == "bitmap_png"
    assert peak < 2_000_000


@pytest.mark.parametrize("missing", [1, 4, 5, 19, 20])
def test_fewer_pixels_than_announced_are_refused(missing: int) -> None:
    """Pillow alone takes missing rows for black ones."""
    with pytest.raises(BrokenBitmap, match=f"truncated: {20 - missing} of 20 bytes") as caught:
        grey_levels(base(png(4, 4, levels=[0], pixels=ROWS[:-missing])))
    assert caught.value.rule == "bitmap_png"


@pytest.mark.parametrize("level", [0, 6])
def test_compressed_pixels_are_all_there_wherever_they_are_cut(level: int) -> None:
    """In each chunk's own bytes, so that the chunks' lengths and checksums are right."""
    data = zlib.compress(ROWS, level)
    assert grey_levels(base(with_data(data))) == {3, 9}
    for length in range(len(data)):
        with pytest.raises(BrokenBitmap) as caught:
            grey_levels(base(with_data(data[:length])))
        assert caught.value.rule == "bitmap_png"


def test_pixels_with_a_wrong_checksum_are_refused() -> None:
    data = zlib.compress(ROWS)
    with pytest.raises(BrokenBitmap, match="incorrect data check"):
        grey_levels(base(with_data(data[:-4] + b"abcd")))


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(BrokenBitmap, match="truncated: 0 of 20 bytes"):
        grey_levels(base(with_data()))


def test_what_follows_the_compressed_pixels_does_not_matter() -> None:
    """No decoder reads on; libpng gives a warning."""
    assert grey_levels(base(with_data(zlib.compress(ROWS) + b"more"))) == {3, 9}
    assert grey_levels(base(with_data(zlib.compress(ROWS), b"", b"more"))) == {3, 9}


def test_a_large_picture_that_hardly_compresses_is_read() -> None:
    """In pieces whose ends are not those of the rows."""
    rows = b"".join(b"\0" + random.Random(row).randbytes(1500) for row in range(1000))
    assert grey_levels(base(png(1500, 1000, levels=[0], pixels=rows))) == set(range(256))
    with pytest.raises(BrokenBitmap, match="truncated"):
        grey_levels(base(png(1500, 1000, levels=[0], pixels=rows[:-1])))


@given(st.integers(1, 20), st.integers(1, 20))
@settings(deadline=None)
def test_an_interlaced_picture_has_the_bytes_of_its_passes(width: int, height: int) -> None:
    """Drawn pixel by pixel from the pattern that the specification shows for eight by eight."""
    pattern = ["16462646", "77777777", "56565656", "77777777", "36463646", "77777777", "56565656", "77777777"]
    pixels = [random.Random(row).choices(range(256), k=width) for row in range(height)]
    rows = b""
    for number in "1234567":
        for y, row in enumerate(pixels):
            chosen = bytes(level for x, level in enumerate(row) if pattern[y % 8][x % 8] == number)
            rows += b"\0" + chosen if chosen else b""
    assert grey_levels(base(with_data(zlib.compress(rows), size=(width, height), interlace=1))) == {
        level for row in pixels for level in row
    }
    for wrong in (rows[:-1], rows + b"\0"):
        with pytest.raises(BrokenBitmap):
            grey_levels(base(with_data(zlib.compress(wrong), size=(width, height), interlace=1)))


@pytest.mark.parametrize("position", [26, 27, 28])
def test_a_method_that_no_decoder_knows_is_refused(position: int) -> None:
    header = bytearray(png(4, 4, levels=[0])[16:29])
    header[position - 16] = 2
    good = png(4, 4, levels=[0])
    with pytest.raises(BrokenBitmap, match="unknown methods"):
        grey_levels(base(good[:8] + chunk(b"IHDR", bytes(header)) + good[33:]))


@pytest.mark.parametrize("kind", [b"ABCD", b"Abcd", b"IDAX", b"1bcd", b"\xe4bcd"])
def test_an_unknown_chunk_without_which_it_must_not_be_read_is_refused(kind: bytes) -> None:
    """Its first letter is a capital, or is none. A palette is known, and without meaning for grey levels."""
    good = png(4, 4, levels=[3])
    with pytest.raises(BrokenBitmap, match="is unknown") as caught:
        grey_levels(base(good[:33] + chunk(kind, b"x") + good[33:]))
    assert caught.value.rule == "bitmap_png"
    for known in (b"PLTE", b"abcd", b"aBCD"):
        assert grey_levels(base(good[:33] + chunk(known, b"xyz") + good[33:])) == {3}


def test_pixels_that_are_interrupted_are_refused() -> None:
    """Decoders take the first run of chunks for all of them."""
    data = zlib.compress(ROWS)
    good = with_data(data[:5], data[5:])
    position = 33 + 12 + 5
    with pytest.raises(BrokenBitmap, match="interrupted by the chunk 'tEXt'"):
        grey_levels(base(good[:position] + chunk(b"tEXt", b"a\0b") + good[position:]))


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
