"""Sketches of sets: what is new is told exactly up to a thousand keys, and that there is something always."""

import base64
import random
import uuid
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kognic.core.packed.sketches import MOST_TEXT, BadSketchError, Sketch

KEYS = st.sets(st.integers(0, (1 << 128) - 1), max_size=60)


def sketch(keys: set[int]) -> Sketch:
    made = Sketch()
    for key in keys:
        made.add(key)
    return made


@settings(deadline=None, max_examples=50)
@given(KEYS, KEYS)
def test_the_difference_of_two_sets_is_named(earlier: set[int], later: set[int]) -> None:
    before, after = sketch(earlier), sketch(later)

    found = after.since(Sketch.read(before.text(), before.count))

    assert (set(found.new), set(found.gone)) == (later - earlier, earlier - later)
    assert (found.complete, found.grown) == (True, len(later) - len(earlier))
    assert found.any == (earlier != later)


def test_of_large_sets_a_thousand_new_keys_are_named_and_of_more_the_number() -> None:
    chance = random.Random(1)
    keys = {chance.getrandbits(128) for _ in range(20_000)}
    new = {chance.getrandbits(128) for _ in range(1000)}
    before = sketch(keys)
    text = before.text()

    assert sketch(keys | new).since(before).new == new
    more = {chance.getrandbits(128) for _ in range(5000)}
    found = sketch(keys | more).since(before)
    assert (found.complete, found.grown, found.any) == (False, 5000, True)
    assert len(text) <= MOST_TEXT < 60_000


@pytest.mark.parametrize("made", ["sequential", "of one machine"])
def test_keys_that_are_alike_are_told_apart(made: str) -> None:
    """As uuids are that a server counts, or makes of its clock."""
    keys = (
        set(range(2000))
        if made == "sequential"
        else {uuid.UUID(fields=(n, 1, 4097, 128, 9, 7)).int for n in range(2000)}
    )
    found = sketch(keys).since(sketch(set(sorted(keys)[:1500])))
    assert (len(found.new), found.complete) == (500, True)


def test_the_sketch_of_a_small_set_is_short() -> None:
    assert len(sketch({1, 2, 3}).text()) < 1000


@pytest.mark.parametrize("text", ["", "!", "AAAA", "eJwDAAAAAAE=", "é"])
def test_what_is_no_sketch_is_said(text: str) -> None:
    with pytest.raises(BadSketchError):
        Sketch.read(text, 0)


def test_a_sketch_that_was_tampered_with_is_none() -> None:
    """Else it would tell of what never was."""
    text = sketch({1, 2, 3}).text()
    packed = bytearray(zlib.decompress(base64.b64decode(text)))
    packed[5] ^= 1
    with pytest.raises(BadSketchError, match="do not fit"):
        Sketch.read(base64.b64encode(zlib.compress(bytes(packed))).decode(), 3)
    with pytest.raises(BadSketchError, match="do not fit"):
        Sketch.read(text, 4)
