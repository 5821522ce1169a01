"""Rows of the table of scenes as people and their tools write them: taken where that is certain, else named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.sources.converting.inputs import InputFile
from airflow_provider_kognic.core.sources.converting.tables import WrongRow, rows_of, scene_row
from tests.core.sources.converting.support import scene

if TYPE_CHECKING:
    from pathlib import Path

ROW: dict[str, Any] = {"key": "a", "scene_uuid": scene(0), "stream": "@lidar"}
ROWS_OF_FOUR: list[list[float]] = [[0, -1, 0, 1.5], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]
FLAT = [number for row in ROWS_OF_FOUR for number in row]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("000000001700000000123", 1_700_000_000_123),
        ("0", 0),
        ("000", 0),
        ("0.0", 0),
        ("12.", 12),
        (" 12.000 ", 12),
        (12.0, 12),
    ],
)
def test_whole_numbers(text: Any, number: int) -> None:
    """However many zeros are before it."""
    assert scene_row(ROW | {"timestamp_ms": text}, needs_size=False).timestamp == number


@pytest.mark.parametrize(
    "text", ["1.5", ".0", ".", "1e3", "1_0", "+1", "-1", "\u0661\u0662", "1" * 30, "1.0.0", True, 1.5, [1]]
)
def test_what_is_no_whole_number(text: Any) -> None:
    with pytest.raises(WrongRow, match="'frame_id' is no whole number"):
        scene_row(ROW | {"frame_id": text}, needs_size=False)


@pytest.mark.parametrize("transform", [ROWS_OF_FOUR, json.dumps(ROWS_OF_FOUR), json.dumps(FLAT), tuple(FLAT)])
def test_a_matrix_is_sixteen_numbers_or_four_rows(transform: Any) -> None:
    given = scene_row(ROW | {"transform": transform}, needs_size=False)
    assert given == scene_row(ROW | {"transform": FLAT}, needs_size=False)
    assert given.transform


@pytest.mark.parametrize(
    "wrong",
    [
        [bool(number) for number in (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1)],
        [[True, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
        ROWS_OF_FOUR[:3],
        [[1, 0], [0, 1]],
        [FLAT],
        7,
        "[true]",
    ],
)
def test_what_is_no_matrix(wrong: Any) -> None:
    with pytest.raises(WrongRow, match="'transform'"):
        scene_row(ROW | {"transform": wrong}, needs_size=False)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("s.csv", "key;scene_uuid;stream\na;b;c\n", "';' between its columns"),
        ("s.tsv", "key\tscene_uuid\tstream\n", r"'\\t' between its columns"),
        ("s.json", json.dumps(ROW), "JSON lines, called .jsonl"),
    ],
)
def test_other_tables_are_told_by_name(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(KognicInputError, match=said):
        list(rows_of(InputFile(tmp_path / name), "the table of scenes"))
