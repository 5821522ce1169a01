"""What a task asks of the input API, before anything is asked: what goes together, and what does not."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Span
from airflow_provider_kognic.core.sources.base import Source
from airflow_provider_kognic.core.sources.ranges.shard import Shard
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.task.paths import source_key, to_source
from airflow_provider_kognic.task.scenes import SceneQuestions

from .test_arguments import rendered

HOST = "https://input.example.com"
SHARD = Shard("/data", is_manifest=False, span=Span(), index=0, of=2, items=1, bytes=1)


def questions(input_host: str | None = HOST, **given: Any) -> SceneQuestions:
    return SceneQuestions(rendered(**given), Settings(input_host=input_host))


def by_names(**given: Any) -> SceneQuestions:
    more: dict[str, Any] = {"scene_names": "external_id", "journal": False}
    return questions(**(more | given))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"journal": "task"}, "needs a folder in which it is remembered"),
        ({"journal": "/journals", "scene_cache": False}, "needs a folder in which it is remembered"),
        ({"predictions": SHARD.to_dict()}, "does not go with shards"),
        ({"predictions_format": "coco", "scenes": "/data/t.csv"}, "does not go with a model's own files"),
        ({"input_host": None}, "the connection names no input API"),
    ],
)
def test_what_does_not_go_with_external_ids_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(KognicInputError, match=said):
        by_names(**given)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"journal": "/journals"},
        {"journal": "task", "scene_cache": "/s"},
        {"journal": "task", "dry_run": True},
    ],
)
def test_external_ids_need_a_place_or_no_journal(given: dict[str, Any]) -> None:
    """A dry run sends nothing that would have to be remembered."""
    assert by_names(**given).counts() == {}


def test_receipts_name_scenes_already(tmp_path: Path) -> None:
    rows: dict[str, dict[str, str]] = {
        "receipts.jsonl": {"scene_uuid": demo.scene_uuid(0), "source": "/data/x.json"},
        "made.jsonl": {"scene_uuid": "drive-0", "path": "x.json", "source": "our model"},
    }
    for name, row in rows.items():
        (tmp_path / name).write_text(json.dumps(row) + "\n")

    def opened(name: str) -> Source:
        return to_source(None, str(tmp_path / name), named=by_names().source)

    with pytest.raises(KognicInputError, match="which name scenes by their uuids"):
        opened("receipts.jsonl")
    assert opened("made.jsonl").total == 1


def test_rows_are_told_apart_by_their_names(tmp_path: Path) -> None:
    """Two attempts with the same rows are one upload, before anybody knows which scenes these are."""
    rows: list[dict[str, Any]] = [
        {"sceneUuid": name, "openlabelContent": {"openlabel": {}}} for name in ("a", "b")
    ]
    keys = [
        source_key(given, None, to_source(given, named=by_names(min_confidence=0.5).source))
        for given in (rows, rows[::-1], rows[:1])
    ]
    assert keys[0] == keys[1] != keys[2]


def test_without_a_host_the_check_is_off_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert questions().counts() == {}
        assert caplog.messages == []
        found = questions(input_host=None, scene_check="error").counts()
    assert found == {"scene_check": {"off": "the connection names no input API ('input_host' in its extra)"}}
    assert len(caplog.messages) == 1
