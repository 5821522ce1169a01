import sqlite3
import uuid
import zlib
from pathlib import Path

import httpx
import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.storage import predictions, predictions_groups
from airflow_provider_kognic.emulator.storage.database import Database
from airflow_provider_kognic.emulator.storage.rows import Part
from airflow_provider_kognic.emulator.storage.schema import SCHEMA
from airflow_provider_kognic.emulator.testing import running_emulator


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with one group of 100,000 predictions."""
    path = tmp_path_factory.mktemp("large") / "emulator.sqlite3"
    database = Database(path, SCHEMA)
    database.write_and_wait(demo.seed)

    def fill(db: sqlite3.Connection) -> None:
        group = predictions_groups.add_group(db, demo.DATASET_UUID, "large", "", None)
        rows = [
            (str(uuid.uuid4()), group, demo.scene_uuid(index % demo.SCENE_COUNT), 20, float(index))
            for index in range(100_000)
        ]
        db.executemany(
            "INSERT INTO predictions (uuid, group_uuid, scene_uuid, size, created_at) VALUES (?, ?, ?, ?, ?)",
            rows,
        )
        content = zlib.compress(b'{"openlabel":{}}')
        db.execute("INSERT INTO documents SELECT seq, ? FROM predictions", (content,))

    database.write_and_wait(fill)
    database.close()
    return path


def test_a_hundred_thousand_predictions_are_walked_through_in_pages(large: Path) -> None:
    with running_emulator(database=large) as emulator:
        (row,) = httpx.get(
            f"{emulator.url}/v1/datasets/{demo.DATASET_UUID}/predictions-groups",
            headers={"Authorization": f"Bearer {emulator.token()}"},
        ).json()["data"]
        group = row["uuid"]
        assert emulator.count_predictions(group) == 100_000
        assert len({row["uuid"] for row in emulator.predictions(group)}) == 100_000
        path = f"{emulator.url}/dataset/{demo.DATASET_UUID}/predictions/{group}"
        page = httpx.get(path, params={"page": 1000}).text
        assert page.count("<tr>") == 101
        assert "page 1\u202f000 of 1\u202f000" in page


@pytest.mark.parametrize("scene", [None, demo.scene_uuid(3)])
def test_no_question_about_a_group_looks_at_every_prediction(large: Path, scene: str | None) -> None:
    """Counting and paging go by an index, and nothing is sorted."""
    db = sqlite3.connect(large)
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    (group,) = db.execute("SELECT uuid FROM predictions_groups").fetchone()
    predictions.count_predictions(db, group, scene)
    part = Part(after=50_000, limit=10)
    predictions.list_predictions(db, part, group_uuid=group, scene_uuid=scene)
    db.set_trace_callback(None)
    for statement in statements[1:]:
        plan = " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}"))
        assert "USING" in plan
        assert "SCAN" not in plan
        assert "TEMP B-TREE" not in plan
    db.close()
