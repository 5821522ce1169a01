"""Class mappings in the API's form, and those that are made of the classes of predictions."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.validation.class_mapping import class_mapping_rows, identity_mapping


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        (None, None),
        (
            {"oak": "tree", "only_in_annotations": None, None: "only_in_predictions"},
            [
                {"annotated": "oak", "predicted": "tree"},
                {"annotated": "only_in_annotations"},
                {"predicted": "only_in_predictions"},
            ],
        ),
        (
            [{"annotated": "oak", "predicted": "tree"}, {"annotated": "bush"}, {"predicted": "lamp"}],
            [{"annotated": "oak", "predicted": "tree"}, {"annotated": "bush"}, {"predicted": "lamp"}],
        ),
        ([{"annotated": "oak", "predicted": None}], [{"annotated": "oak"}]),
        (({"annotated": "oak"},), [{"annotated": "oak"}]),
    ],
)
def test_rows_and_dicts_become_the_rows_of_the_api(given: Any, rows: Any) -> None:
    """A dict reads annotated -> predicted; None stands for the side that lacks the class."""
    assert class_mapping_rows(given) == rows


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "is empty"),
        ([], "is empty"),
        ("oak", "is str"),
        (7, "is int"),
        ([{}], "row 0: neither"),
        ([{"annotated": None}], "row 0: neither"),
        ([{"annotated": "oak", "predict": "tree"}], "row 0: unknown key 'predict'"),
        (["oak"], "row 0: 'oak' is no row"),
        ([{"annotated": ""}], "row 0: 'annotated' is ''"),
        ([{"predicted": 3}], "row 0: 'predicted' is 3"),
        ({None: None}, "row 0: neither"),
    ],
)
def test_a_wrong_mapping_is_refused_with_what_is_wrong(given: Any, said: str) -> None:
    """The message names the row and what it holds."""
    with pytest.raises(KognicInputError, match="class_mapping") as caught:
        class_mapping_rows(given)
    assert said in str(caught.value)


def test_every_wrong_row_is_told_at_once() -> None:
    """Three rows, three faults, one message."""
    with pytest.raises(KognicInputError) as caught:
        class_mapping_rows([{}, {"annotated": "oak"}, {"x": "y"}])
    message = str(caught.value)
    assert "row 0: neither" in message
    assert "row 1" not in message
    assert "row 2: unknown key 'x'" in message
    assert "row 2: neither" in message


IDENTITY: list[tuple[set[str], Any, list[dict[str, str]]]] = [
    (
        {"b", "a"},
        None,
        [
            {"annotated": "a", "predicted": "a"},
            {"annotated": "b", "predicted": "b"},
            {"annotated": "_background"},
        ],
    ),
    ({"_background"}, {}, [{"annotated": "_background", "predicted": "_background"}]),
    (
        {"void", "road"},
        {"_background": "void", "pole": None},
        [
            {"annotated": "_background", "predicted": "void"},
            {"annotated": "pole"},
            {"annotated": "road", "predicted": "road"},
        ],
    ),
    # A predicted class is never lost, also where its name in the annotations is mapped elsewhere.
    (
        {"tree", "oak"},
        {"oak": "tree", "_background": None},
        [{"annotated": "oak", "predicted": "tree"}, {"annotated": "_background"}, {"predicted": "oak"}],
    ),
    (
        {"car"},
        {"car": None, "_background": None},
        [{"annotated": "car"}, {"annotated": "_background"}, {"predicted": "car"}],
    ),
    ({"x"}, {None: "x"}, [{"predicted": "x"}, {"annotated": "_background"}]),
]


@pytest.mark.parametrize(("classes", "overrides", "expected"), IDENTITY)
def test_the_identity_mapping(classes: set[str], overrides: Any, expected: list[dict[str, str]]) -> None:
    """A row for each class, `_background`, and what overrides say; every class keeps a row of its own."""
    made = identity_mapping(classes, overrides)
    assert made == expected
    assert classes <= {one.get("predicted") for one in made}
    assert class_mapping_rows(made) == made


def test_overrides_of_classes_that_nobody_predicts_are_said(caplog: pytest.LogCaptureFixture) -> None:
    """It is probably a misspelt name."""
    identity_mapping({"tree"}, {"oak": "treee"})
    assert "'treee'" in caplog.text
