"""Names of files in few bytes: they come back as they were, in order and each once, with their sizes."""

import tracemalloc
import uuid
from array import array

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_kognic.core.packed import names as module
from airflow_provider_kognic.core.packed.names import GatheredNames, PackedNames, PackedSizes

SCENE = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
# Names of documents, and such as are nearly one; of characters of one to four bytes, and of none that Unicode has.
NAMES = st.one_of(
    st.uuids().map(lambda one: f"{one}.json"),
    st.sampled_from(
        [
            f"{SCENE}.json",
            f"{SCENE.upper()}.json",
            f"{SCENE}.JSON",
            f"{SCENE.replace('-', '')}.json",
            f"{SCENE}.json\n",
            f"day/{SCENE}.json",
            SCENE,
            ".json",
            "u" + "\x00" * 16,
            "t",
            "\udc80\udcff.json",
            "\ud83d\ude00",
        ]
    ),
    st.text(st.characters(), max_size=6),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(names=st.lists(NAMES, max_size=30), data=st.data())
def test_packed_names_are_the_same_as_a_list_of_them(names: list[str], data: st.DataObject) -> None:
    """Also through the borders of blocks, from the end, and in pieces."""
    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        patched.setattr(module, "_BLOCK", 4)
        packed = PackedNames(names)
        assert len(packed) == len(names)
        assert list(packed) == names
        assert [packed[at] for at in range(-len(names), len(names))] == names * 2
        piece = data.draw(st.slices(len(names)))
        assert packed[piece] == names[piece]
        with pytest.raises(IndexError):
            _ = packed[len(names)]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    added=st.lists(st.tuples(NAMES, st.one_of(st.none(), st.integers(0, 2**40))), max_size=40),
    above=st.sampled_from(["", "what?/"]),
    data=st.data(),
)
def test_gathered_names_are_in_order_and_each_once(
    added: list[tuple[str, int | None]], above: str, data: st.DataObject
) -> None:
    """Whatever the order in which they come; the last size counts."""
    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        patched.setattr(module, "_PORTION", 5)
        gathered = GatheredNames()
        assert not gathered
        for name, size in added:
            gathered.add(name, size)
            assert gathered
        names, sizes = gathered.in_order(above)
        model = {f"{above}{name}": size for name, size in added}
        assert list(names) == sorted(model)
        known = {name: size for name, size in model.items() if size is not None}
        assert dict(sizes) == known
        assert len(sizes) == len(known)
        for name in data.draw(st.permutations([*model, "another"])):
            assert sizes.get(name) == known.get(name)
            assert (name in sizes) == (name in known)


def test_names_that_come_in_order_are_gathered_without_more_ado() -> None:
    """As from a store: nothing is merged, and nothing is there twice."""
    gathered = GatheredNames()
    wanted = [f"{number:08d}.json" for number in range(25_000)]
    for name in wanted:
        gathered.add(name, len(name))
    names, sizes = gathered.in_order()
    assert list(names) == wanted
    assert [sizes[name] for name in names] == [13] * len(wanted)
    assert gathered.in_order()[0] is names


def test_no_sizes() -> None:
    sizes = PackedSizes(PackedNames(), array("q"))
    assert (dict(sizes), len(sizes), sizes.get("x")) == ({}, 0, None)


def test_what_a_name_takes() -> None:
    """Its bytes, or a uuid's; gathering them takes no more than twice that, and a portion."""
    count = 50_000
    many = [str(uuid.uuid4()) for _ in range(count)]
    for ending, most in ((".json", 30), (".png", 54)):
        tracemalloc.start()
        try:
            gathered = GatheredNames()
            for name in many:
                gathered.add(name + ending, None)
            names, sizes = gathered.in_order()
            del gathered
            held, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (len(names), len(sizes)) == (count, 0)
        assert held / count < most + 8
        assert peak < 2 * (most + 16) * count + module._PORTION * 300
