"""JSON of any size, value by value."""

import io
import json
import math
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kognic.core.sources.converting import json_stream
from airflow_provider_kognic.core.sources.converting.json_stream import BrokenJSONError, JSONStream


class Dripping(io.BytesIO):
    """A file that gives a few bytes at a time."""

    def __init__(self, raw: bytes, step: int) -> None:
        super().__init__(raw)
        self._step = step

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(self._step, size) if size and size > 0 else self._step)


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(values=st.lists(_values, max_size=6), step=st.integers(1, 7), indent=st.sampled_from([None, 2]))
def test_a_list_is_what_the_whole_text_is(values: list[Any], step: int, indent: int | None) -> None:
    """However little comes at a time, and however it is laid out."""
    raw = json.dumps(values, indent=indent, ensure_ascii=False).encode(errors="surrogatepass")
    if b"\xed" in raw:
        raw = json.dumps(values, indent=indent).encode()
    json_stream_block, json_stream._BLOCK = json_stream._BLOCK, step
    try:
        text = JSONStream(Dripping(raw, step))
        assert list(text.values()) == values
        text.end()
    finally:
        json_stream._BLOCK = json_stream_block


def test_members_and_elements_are_stepped_into() -> None:
    text = JSONStream(
        io.BytesIO(b'\xef\xbb\xbf {"meta": {"a": [1, {}]}, "results": {"x": [1], "y": []}, "n": 1} ')
    )
    found = {}
    for name in text.members():
        if name == "results":
            found = {key: text.value() for key in text.members()}
        else:
            text.skip()
    text.end()
    assert found == {"x": [1], "y": []}


@pytest.mark.parametrize(
    ("raw", "good", "ended"),
    [
        (b"[1, 2", [1], True),
        (b'[{"a": 1}, {"a": "', [{"a": 1}], True),
        (b"[1, 2}", [1, 2], False),
        (b"[1, nonsense, 3]", [1], False),
        (b"[1, 2] 3", [1, 2], False),
        (b"", [], True),
        (b"[1, \xff]", [], False),
        (b"[1, " + b"9" * 5000 + b"]", [1], False),
        (b"[1, " + b"[" * 100_000, [1], False),
    ],
)
def test_what_breaks_off_says_so(raw: bytes, good: list[Any], *, ended: bool) -> None:
    """What came before is there; whether the text just ends is told apart."""
    text = JSONStream(io.BytesIO(raw))
    found: list[Any] = []

    def take_all() -> None:
        found.extend(text.values())
        text.end()

    with pytest.raises(BrokenJSONError) as caught:
        take_all()
    assert found[: len(good)] == good
    assert caught.value.ended is ended


def test_a_number_that_is_none_is_one_value_of_many() -> None:
    """Python writes them."""
    found = list(JSONStream(io.BytesIO(b"[1, NaN, -Infinity, 2]")).values())
    assert found[0] == 1
    assert math.isnan(found[1])
    assert found[2:] == [-math.inf, 2]


def test_a_list_is_never_in_memory_as_a_whole() -> None:
    raw = b"[" + b", ".join(b'{"image_id": %d, "bbox": [1, 2, 3, 4]}' % n for n in range(100_000)) + b"]"
    file = io.BytesIO(raw)
    tracemalloc.start()
    try:
        assert sum(1 for _ in JSONStream(file).values()) == 100_000
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < len(raw) / 2
