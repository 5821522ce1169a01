from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.validation.class_mapping import class_mapping_rows


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
