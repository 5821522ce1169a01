"""The mapping that is proposed: from names alone, the same for the same classes, and every class is in it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kognic.core.classes.annotations import Known
from airflow_provider_kognic.core.classes.names import alike, normal_form
from airflow_provider_kognic.core.classes.proposal import rows_of
from airflow_provider_kognic.core.validation.class_mapping import class_mapping_rows
from tests.core.classes.support import proposed

_names = st.one_of(
    st.text(min_size=1, max_size=6).filter(str.strip),
    st.sampled_from(
        ["car", "Car", "CAR", "traffic light", "traffic_light", "TrafficLight", "_background", "_"]
    ),
)
_sides = st.tuples(st.sets(_names, max_size=8), st.sets(_names, max_size=8))


def test_the_same_names_come_together_then_those_that_are_alike() -> None:
    proposal = proposed(["road", "traffic_light", "tree", "void"], ["road", "Traffic Light", "oak"])
    assert list(proposal.rows) == [
        {"annotated": "Traffic Light", "predicted": "traffic_light"},
        {"annotated": "road", "predicted": "road"},
        {"annotated": "_background"},
        {"annotated": "oak"},
        {"predicted": "tree"},
        {"predicted": "void"},
    ]
    assert proposal.alike == (("Traffic Light", "traffic_light"),)
    assert proposal.only_predicted == ["tree", "void"]
    assert proposal.only_annotated == ["_background", "oak"]
    assert not proposal.agreed
    assert proposal.is_as_proposed


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Car", "car"),
        ("traffic light", "traffic_light"),
        ("Traffic-Light", "trafficlight"),
        ("_background", "Background"),
        ("Fußgänger", "FUSSGA\u0308NGER"),
        ("\uff23ar", "car"),
        ("a.b", "a b"),
    ],
)
def test_names_that_are_alike(one: str, other: str) -> None:
    assert alike([one], [other]) == {one: other}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("car", "cars"),
        ("bus", "buses"),
        ("car", "auto"),
        ("car", "sports car"),
        ("ped", "pedestrian"),
        ("truck", "truck2"),
        ("_", "__"),
        ("-", " "),
    ],
)
def test_nothing_more_is_guessed(one: str, other: str) -> None:
    """No plural, no other word, no part of a name; and of what has no letters only the same is the same."""
    assert alike([one], [other]) == {}
    proposal = proposed([one], [other])
    assert {"predicted": one} in proposal.rows
    assert {"annotated": other} in proposal.rows


@pytest.mark.parametrize(
    ("predicted", "annotated"),
    [(["car"], ["Car", "CAR"]), (["Car", "CAR"], ["car"]), (["Car", "car"], ["car"])],
)
def test_of_several_that_are_alike_none_is_chosen(predicted: list[str], annotated: list[str]) -> None:
    assert proposed(predicted, annotated).alike == ()


def test_where_annotations_are_not_known_nothing_is_put_together() -> None:
    """But for what they leave unsegmented, whose name is documented."""
    proposal = proposed(["road", "_background"], [], Known.UNKNOWN)
    assert list(proposal.rows) == [
        {"annotated": "_background", "predicted": "_background"},
        {"predicted": "road"},
    ]


@given(_sides)
def test_every_class_is_in_the_mapping_once_on_its_side(sides: tuple[set[str], set[str]]) -> None:
    predicted, annotated = sides
    rows, together = rows_of(predicted, annotated)
    assert sorted(row["predicted"] for row in rows if "predicted" in row) == sorted(predicted)
    assert sorted(row["annotated"] for row in rows if "annotated" in row) == sorted(annotated)
    for row in rows:
        if len(row) > 1:
            assert normal_form(row["annotated"]) == normal_form(row["predicted"])
            assert (row["annotated"], row["predicted"]) in together or row["annotated"] == row["predicted"]
    for name in predicted & annotated:
        assert {"annotated": name, "predicted": name} in rows
    if rows:
        assert class_mapping_rows(rows) == rows


@given(_sides, st.randoms(use_true_random=False))
def test_the_same_classes_make_the_same_rows_in_any_order(
    sides: tuple[set[str], set[str]], chance: random.Random
) -> None:
    predicted, annotated = map(sorted, sides)
    first = proposed(predicted, annotated)
    chance.shuffle(predicted)
    chance.shuffle(annotated)
    again = proposed(predicted, annotated)
    assert (again.rows, again.alike, again.digest) == (first.rows, first.alike, first.digest)


@given(_sides, _sides)
def test_the_digest_tells_other_classes(
    one: tuple[set[str], set[str]], other: tuple[set[str], set[str]]
) -> None:
    first, second = (proposed(sorted(predicted), sorted(annotated)) for predicted, annotated in (one, other))
    assert (first.digest == second.digest) == (one == other)
