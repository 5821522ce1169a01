"""A source is cut so that each scene is in exactly one piece, and the pieces are about as large."""

import uuid
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Outcome, Prediction, Result, Span
from airflow_provider_kognic.core.sources.ranges.cutting import Limits, Piece, cut
from airflow_provider_kognic.core.sources.ranges.narrowed import name_of

SCENES = st.uuids().map(str)
SIZES = st.integers(0, 10_000)
ENTRIES = st.lists(st.tuples(SCENES, SIZES), max_size=60)


def entry(scene: str, size: int | None = 1) -> Prediction:
    return Prediction(scene, f"/data/{scene}.json", bytes, lambda: size)


def refused(name: str) -> Result:
    return Result(scene_uuid=name, source=name, outcome=Outcome.REFUSED)


def pieces_of(entries: list[tuple[str, int]], **limits: int) -> list[Piece]:
    return cut(
        [entry(*one) for one in entries],
        Limits.of(**{"shards": None, "max_items": None, "max_bytes": None} | limits),
    )


def homes(name: str, pieces: list[Piece]) -> list[int]:
    """The pieces that a name is in."""
    return [number for number, piece in enumerate(pieces) if piece.span.holds(name_of(name))]


@given(ENTRIES, st.integers(1, 20), st.lists(st.one_of(SCENES, st.text())))
def test_every_name_is_in_exactly_one_piece_whatever_is_added_later(
    entries: list[tuple[str, int]], shards: int, later: list[str]
) -> None:
    """Whether it names a scene, in any spelling, or none."""
    pieces = pieces_of(entries, shards=shards)

    for name in [*(scene for scene, _ in entries), *later, "", "notes", "\udc80", str(uuid.UUID(int=0))]:
        assert len(homes(name, pieces)) == 1
        assert homes(name.upper(), pieces) == homes(name, pieces) or name_of(name) != name_of(name.upper())
    assert pieces[0].span.first is None
    assert pieces[-1].span.before is None
    assert all(one.span.before == other.span.first for one, other in pairwise(pieces))


@given(ENTRIES.filter(bool), st.integers(1, 20))
def test_no_piece_has_more_bytes_than_the_mean_and_the_largest_scene(
    entries: list[tuple[str, int]], shards: int
) -> None:
    pieces = pieces_of(entries, shards=shards)

    scenes: dict[str, int] = {}
    for scene, size in entries:
        scenes[scene] = scenes.get(scene, 0) + size
    assert len(pieces) <= shards
    assert max(piece.bytes for piece in pieces) <= sum(scenes.values()) / shards + max(scenes.values())
    for number, piece in enumerate(pieces):
        own = [size for scene, size in entries if homes(scene, pieces) == [number]]
        assert (piece.items, piece.bytes) == (len(own), sum(own))
        assert piece.items


@given(ENTRIES, st.randoms(use_true_random=False), st.integers(1, 9))
def test_the_order_of_a_listing_does_not_matter(
    entries: list[tuple[str, int]], random: object, shards: int
) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert pieces_of(entries, shards=shards) == pieces_of(shuffled, shards=shards)


@given(ENTRIES, st.integers(1, 10), st.integers(1, 20_000))
def test_limits_are_kept_but_by_what_cannot_be_parted(
    entries: list[tuple[str, int]], items: int, size: int
) -> None:
    for limits in ({"max_items": items}, {"max_bytes": size}, {"max_items": items, "max_bytes": size}):
        pieces = pieces_of(entries, **limits)
        assert sum(piece.items for piece in pieces) == len(entries)
        for number, piece in enumerate(pieces):
            alone = len({scene for scene, _ in entries if homes(scene, pieces) == [number]}) == 1
            assert piece.items <= limits.get("max_items", piece.items) or alone
            assert piece.bytes <= limits.get("max_bytes", piece.bytes) or alone


def test_equal_sizes_make_equal_pieces() -> None:
    scenes = [(str(uuid.UUID(int=number << 64)), 15_000) for number in range(1000)]
    assert [piece.items for piece in pieces_of(scenes, shards=8)] == [125] * 8
    assert [piece.items for piece in pieces_of(scenes, max_items=600)] == [500, 500]
    assert [piece.items for piece in pieces_of(scenes, max_bytes=7_500_000)] == [500, 500]
    assert [piece.items for piece in pieces_of(scenes[:3], shards=8)] == [1, 1, 1]


def test_more_shards_than_could_ever_be() -> None:
    """What has no scene is not even begun: a number too many in a template takes no memory."""
    entries = [(str(uuid.UUID(int=number)), 1) for number in range(3)]
    assert [piece.items for piece in pieces_of(entries, shards=10**15)] == [1, 1, 1]


def test_one_huge_document_has_a_piece_and_the_others_theirs() -> None:
    sizes = [1] * 10 + [1_000_000] + [1] * 10
    scenes = [(str(uuid.UUID(int=number << 64)), size) for number, size in enumerate(sizes)]
    assert [(piece.items, piece.bytes) for piece in pieces_of(scenes, shards=4)] == [
        (11, 1_000_010),
        (10, 10),
    ]
    assert [piece.items for piece in pieces_of(scenes, max_bytes=100)] == [10, 1, 10]


@pytest.mark.parametrize("found", [[], [refused("notes"), refused("")]])
def test_a_source_without_predictions_is_one_piece_for_whatever_comes(found: list[Result]) -> None:
    """What is refused by its name has no weight."""
    assert cut(found, Limits(shards=8)) == [Piece(Span(), 0, 0)]


def test_entries_of_one_scene_stay_together() -> None:
    """The first one counts, and so whoever uploads it has to see both."""
    scene, other = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
    pieces = pieces_of([(scene, 5)] * 4 + [(other, 5)], shards=5)
    assert [piece.items for piece in pieces] == [4, 1]


def test_sizes_that_nobody_tells() -> None:
    """They count as the mean of the others, or all alike; but a limit of bytes means nothing without any."""
    scenes = [str(uuid.UUID(int=number)) for number in range(8)]
    silent = [entry(scene, None) for scene in scenes]
    assert [piece.items for piece in cut(silent, Limits(shards=4))] == [2, 2, 2, 2]
    assert [piece.bytes for piece in cut(silent, Limits(shards=2))] == [0, 0]
    half = [entry(scene, 10 if number % 2 else None) for number, scene in enumerate(scenes)]
    assert [piece.items for piece in cut(half, Limits(shards=4))] == [2, 2, 2, 2]
    assert [piece.items for piece in cut(half, Limits(max_bytes=40))] == [4, 4]
    with pytest.raises(KognicInputError, match="'max_bytes' needs the sizes"):
        cut(silent, Limits(max_bytes=40))


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ((None, None, None), "say how to cut"),
        ((4, 10, None), "give either 'shards', or 'max_items' and 'max_bytes'"),
        ((0, None, None), "shards must be a whole number above 0"),
        ((None, "many", None), "max_items must be a whole number above 0"),
        ((None, None, True), "max_bytes must be a whole number above 0"),
    ],
)
def test_what_limits_must_be(given_: tuple[object, object, object], said: str) -> None:
    with pytest.raises(KognicInputError, match=said):
        Limits.of(*given_)


def test_limits_may_be_text_as_templates_make_it() -> None:
    assert Limits.of("8", None, None) == Limits(shards=8)
    assert Limits.of(None, "10", " 20 ") == Limits(max_items=10, max_bytes=20)
