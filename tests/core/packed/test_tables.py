"""Tables, sets and groups in few bytes: they say what a dict, a set, and a dict of sets of the same would say."""

import contextlib
import threading
import tracemalloc
import uuid
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_kognic.core.packed import tables
from airflow_provider_kognic.core.packed.tables import HashSet, PackedGroups, PackedSet, PackedTable

# Few enough that the same ones come again, and with bytes that occur in each other.
KEYS = st.sampled_from(
    [
        bytes(16),
        b"\x00" * 15 + b"\x01",
        b"\x01" * 16,
        b"\x01" * 15 + b"\x00",
        *(bytes([n]) * 16 for n in range(2, 30)),
    ]
)
PARTS = st.sampled_from([bytes(16), b"\x01" * 16, b"\x02" * 16, b"\x02" * 15 + b"\x01"])


class _Colliding(bytes):
    """Bytes that all have one of three hashes, as different ones may."""

    def __hash__(self) -> int:
        return (3 << 40 | 7, -1 << 60, 0)[self[0] % 3]


@pytest.mark.parametrize("kind", [bytes, _Colliding])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes=st.lists(st.tuples(KEYS, PARTS), max_size=60))
def test_a_table_says_what_a_dict_says(
    monkeypatch_hash: Any, kind: type[bytes], changes: list[tuple[bytes, bytes]]
) -> None:
    """Whatever is put in which order, and where keys lead to the same places."""
    with monkeypatch_hash(kind):
        table, model = PackedTable(16, 17), dict[bytes, bytes]()
        for key, part in changes:
            assert table.get(key) == model.get(key)
            assert (key in table) == (key in model)
            table.put(key, b"=" + part)
            model[key] = b"=" + part
            assert len(table) == len(model)
        assert list(table.items()) == list(model.items())
        assert list(table) == list(model)
        for part in {part for _, part in changes}:
            wanted = [key for key, value in model.items() if value[1:] == part]
            assert list(table.keys_with(part, 1)) == wanted


@pytest.fixture(scope="module", name="monkeypatch_hash")
def _patched_hash() -> Callable[[type[bytes]], contextlib.AbstractContextManager[None]]:
    """Let the tables hash what they are given as another kind of bytes does."""

    @contextlib.contextmanager
    def patched(kind: type[bytes]) -> Any:
        patch = pytest.MonkeyPatch()
        patch.setattr(tables, "hash", lambda key: hash(kind(key)), raising=False)
        try:
            yield
        finally:
            patch.undo()

    return patched


def test_a_large_table() -> None:
    """It grows through many blocks, and knows all that it was given, and nothing else."""
    keys = [uuid.UUID(int=number * 2**64).bytes for number in range(20_000)]
    table = PackedTable(16, 4)
    for number, key in enumerate(keys):
        table.put(key, number.to_bytes(4, "big"))
    assert [table.get(key) for key in keys] == [number.to_bytes(4, "big") for number in range(20_000)]
    assert all(uuid.uuid4().bytes not in table for _ in range(1000))
    for key in keys[::7]:
        table.put(key, b"seen")
    assert list(table.keys_with(b"seen", 0)) == keys[::7]
    assert len(table) == 20_000


@pytest.mark.parametrize("wrong", [b"", b"short", bytes(17)])
def test_keys_and_values_of_another_length(wrong: bytes) -> None:
    """They are not there, and cannot be put: a shorter one would be taken for the beginning of others."""
    table = PackedTable(16, 2)
    table.put(bytes(16), b"ab")
    assert table.get(wrong) is None
    assert wrong not in table
    with pytest.raises(ValueError, match="where 16 and 2 are kept"):
        table.put(wrong, b"ab")
    with pytest.raises(ValueError, match="where 16 and 2 are kept"):
        table.put(bytes(16), b"abc")
    assert list(table.items()) == [(bytes(16), b"ab")]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(keys=st.lists(KEYS, max_size=60))
def test_a_set_says_what_a_set_says(keys: list[bytes]) -> None:
    packed, model = PackedSet(), set[bytes]()
    same: AbstractSet[object] = packed
    for key in keys:
        assert packed.add(key) == (key not in model)
        model.add(key)
    assert same == model
    assert packed == PackedSet(keys)
    assert packed | {b"x" * 16} == model | {b"x" * 16}
    assert bool(packed) == bool(model)
    assert "text" not in same


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    changes=st.lists(
        st.tuples(st.sampled_from(["put", "add", "add", "clear"]), KEYS, st.frozensets(PARTS)), max_size=40
    )
)
def test_groups_say_what_a_dict_of_sets_says(changes: list[tuple[str, bytes, frozenset[bytes]]]) -> None:
    """None, one or several values, which come and go; a uuid of zeros is one."""
    groups, model = PackedGroups(), dict[bytes, frozenset[bytes]]()
    for what, key, values in changes:
        if what == "clear":
            groups.clear()
            model.clear()
        elif what == "put":
            groups.put(key, values)
            model[key] = values
        else:
            groups.add(key, values)
            model[key] = model.get(key, frozenset()) | values
        model = {key: values for key, values in model.items() if values}
        assert groups.get(key) == model.get(key, frozenset())
        assert len(groups) == len(model)
    assert dict(groups.items()) == model
    for part in {part for values in model.values() for part in values}:
        assert set(groups.keys_with(part)) == {key for key, values in model.items() if part in values}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(hashes=st.lists(st.one_of(st.integers(-5, 5), st.integers(-(2**63), 2**63 - 1)), max_size=60))
def test_hashes_say_what_a_set_says(hashes: list[int]) -> None:
    """Small ones, such as those of numbers, and negative ones, too."""
    seen, model = HashSet(), set[int]()
    for one in hashes:
        assert (one in seen) == (one in model)
        assert seen.add(one) == (one not in model)
        model.add(one)
        assert len(seen) == len(model)
    assert all(one in seen for one in model)


def test_others_may_ask_while_a_table_grows() -> None:
    """What has been put is found by whoever asks, with the value of before or after a change."""
    table, done = PackedTable(16, 16), 0
    keys = [uuid.uuid4().bytes for _ in range(30_000)]
    over, wrong = threading.Event(), []

    def ask() -> None:
        number = 0
        while not over.is_set():
            number = (number * 7 + 1) % max(1, done)
            if number < done and table.get(keys[number]) not in (keys[number], keys[number][::-1]):
                wrong.append(number)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number, key in enumerate(keys):
            table.put(key, key)
            done = number + 1
            table.put(keys[number // 2], keys[number // 2][::-1])
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("make", "add", "most"),
    [
        (lambda: PackedTable(16, 33), lambda table, key: table.put(key, key + key + b"x"), 64),
        (PackedSet, lambda known, key: known.add(key), 30),
        (PackedGroups, lambda groups, key: groups.add(key, [key]), 48),
        (HashSet, lambda seen, key: seen.add(hash(key)), 21),
    ],
    ids=["table", "set", "groups", "hashes"],
)
def test_what_an_entry_takes(make: Callable[[], Any], add: Callable[[Any, bytes], Any], most: int) -> None:
    """Its bytes, and a few more; of a dict, a set or a dict of sets it would be 100 to 400."""
    count = 20_000
    keys = [uuid.uuid4().bytes for _ in range(count)]
    tracemalloc.start()
    try:
        made = make()
        for key in keys:
            add(made, key)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(made) == count
    assert held / count < most
