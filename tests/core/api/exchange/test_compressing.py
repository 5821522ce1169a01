"""A prediction that leaves compressed is the same one, and needs no more memory than it had."""

import gzip
import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kognic.core.api.dataset_api.endpoints import prediction_body
from airflow_provider_kognic.core.api.exchange.compressing import Compressed, body_of, compressed
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.emulator import demo

SCENE = demo.scene_uuid(0)
MB = 1 << 20


def document(size: int) -> bytes:
    return json.dumps({"openlabel": {"x": "ab c" * (size // 4)}}).encode()


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200), st.integers(7, 40_000))
def test_it_unpacks_to_the_very_body(piece: bytes, times: int) -> None:
    content = piece * times
    packed = compressed(SCENE, content)
    if isinstance(packed, bytes):
        assert packed is content
        return
    parts, fields = body_of(SCENE, packed)
    assert gzip.decompress(b"".join(parts)) == b"".join(prediction_body(SCENE, content))
    assert fields == (("content-encoding", "gzip"),)
    assert len(packed) == len(content)
    assert len(packed.body) < len(content)
    assert packed.plain() == content


def test_what_is_not_smaller_compressed_is_left_as_it_is() -> None:
    import random

    noise = random.Random(1).randbytes(3 * MB)
    for content in (b"{}", document(1000), noise):
        assert compressed(SCENE, content) is content
        assert body_of(SCENE, content) == (prediction_body(SCENE, content), ())


def test_the_same_prediction_is_the_same_bytes_each_time() -> None:
    """A server may hold a key to be of other bytes."""
    first, second = (compressed(SCENE, document(100_000)) for _ in range(2))
    assert isinstance(first, Compressed)
    assert isinstance(second, Compressed)
    assert first.body == second.body


def test_it_needs_memory_for_what_comes_of_it_alone() -> None:
    content = document(40 * MB)
    tracemalloc.start()
    try:
        packed = compressed(SCENE, content)
        assert isinstance(packed, Compressed)
        assert tracemalloc.get_traced_memory()[1] < 3 * MB + 3 * len(packed.body)
        assert len(packed.body) < MB
    finally:
        tracemalloc.stop()


def test_a_scene_that_is_none_is_refused() -> None:
    with pytest.raises(KognicInputError, match="scene"):
        compressed("no uuid", document(10_000))
