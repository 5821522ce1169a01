import asyncio
import sqlite3
import time
import uuid
import zlib
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp

from airflow_provider_kognic.emulator import demo, store
from airflow_provider_kognic.emulator.app import build_app
from airflow_provider_kognic.emulator.database import Database
from airflow_provider_kognic.emulator.faults import Faults, Settings
from airflow_provider_kognic.emulator.state import State
from airflow_provider_kognic.emulator.testing import Emulator, running_emulator
from airflow_provider_kognic.emulator.tokens import Tokens

from .conftest import Post


async def asked_from(app: ASGIApp, peer: str, method: str, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=app, client=(peer, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://emulator") as http:
        return await http.request(method, path)


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        ("127.0.0.1", 200),
        ("127.9.9.9", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("192.0.2.1", 403),
        ("::ffff:192.0.2.1", 403),
        ("2001:db8::1", 403),
        ("somewhere", 403),
    ],
)
def test_only_this_machine_reaches_the_admin_endpoints(peer: str, status: int) -> None:
    database = Database(None, store.SCHEMA)
    app = build_app(State(database, Tokens(database, 60), Faults(Settings())))
    paths = [("GET", "/__admin/stats"), ("GET", "/__admin/faults"), ("DELETE", "/__admin/tokens")]
    for method, path in paths:
        assert asyncio.run(asked_from(app, peer, method, path)).status_code == status
    database.close()


def test_a_header_does_not_make_another_peer(emulator: Emulator) -> None:
    answer = httpx.get(f"{emulator.url}/__admin/stats", headers={"X-Forwarded-For": "192.0.2.1"})
    assert answer.status_code == 200


def test_the_counters_tell_what_was_asked(emulator: Emulator, post: Post) -> None:
    begin = time.time()
    post()
    post("unknown")
    stats = emulator.stats()
    assert stats["requests"]["POST /v1/predictions-groups/{uuid}/predictions"] == {"200": 1, "400": 1}
    assert (stats["prediction_posts"], stats["predictions_created"], stats["most_in_flight"]) == (2, 1, 1)
    assert stats["tokens_issued"] == stats["token_requests"] > 0
    assert begin - 1 <= stats["first_post_at"] <= stats["last_post_at"] <= time.time() + 1
    emulator.reset_stats()
    stats = emulator.stats()
    assert (stats["requests"], stats["prediction_posts"], stats["first_post_at"]) == ({}, 0, None)


def test_predictions_are_filtered_and_counted(emulator: Emulator, post: Post, group: str) -> None:
    other = emulator.create_group()
    for index in range(3):
        post(demo.scene_uuid(index))
    post(demo.scene_uuid(1), into=other)
    assert emulator.count_predictions(group) == 3
    assert emulator.count_predictions(group, demo.scene_uuid(1)) == 1
    assert [row["scene_uuid"] for row in emulator.predictions(group)] == [
        demo.scene_uuid(index) for index in range(3)
    ]
    emulator.delete_group(group)
    assert emulator.count_predictions(group) == 0
    assert emulator.count_predictions(other) == 1
    assert post().status_code == 404


def test_a_dataset_is_made_as_asked(emulator: Emulator) -> None:
    scenes = [str(uuid.uuid4()) for _ in range(3)]
    wanted = str(uuid.uuid4())
    made = emulator.create_dataset("mine", uuid=wanted, scenes=scenes, annotated=scenes[1:])
    assert made == {"uuid": wanted, "name": "mine", "scenes": scenes}
    rows = emulator.request("GET", f"/__admin/datasets/{wanted}/scenes").json()["data"]
    assert [(row["uuid"], row["annotations"]) for row in rows] == list(zip(scenes, [0, 1, 1], strict=True))
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        emulator.create_dataset("again", uuid=wanted)


@pytest.mark.parametrize(("annotated", "number"), [(True, 4), (False, 0), (1, 1), (3, 3)])
def test_as_many_scenes_are_annotated_as_asked(emulator: Emulator, annotated: int, number: int) -> None:
    dataset = emulator.create_dataset(count=4, annotated=annotated)["uuid"]
    rows = {row["uuid"]: row for row in emulator.request("GET", "/__admin/datasets").json()["data"]}
    assert (rows[dataset]["scenes"], rows[dataset]["annotated_scenes"]) == (4, number)


def test_a_malformed_admin_body_is_422(emulator: Emulator) -> None:
    answer = httpx.post(f"{emulator.url}/__admin/datasets", json={"name": "a", "colour": "red"})
    assert answer.status_code == 422
    assert "colour" in answer.json()["message"]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with one group of 100,000 predictions."""
    path = tmp_path_factory.mktemp("large") / "emulator.sqlite3"
    database = Database(path, store.SCHEMA)
    database.write_and_wait(demo.seed)

    def fill(db: sqlite3.Connection) -> None:
        group = store.add_group(db, demo.DATASET_UUID, "large", "", None)
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
    store.count_predictions(db, group, scene)
    store.predictions(db, group_uuid=group, scene_uuid=scene, after=50_000, limit=10)
    db.set_trace_callback(None)
    for statement in statements[1:]:
        plan = " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}"))
        assert "USING" in plan
        assert "SCAN" not in plan
        assert "TEMP B-TREE" not in plan
    db.close()
