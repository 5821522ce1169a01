import asyncio
import time
import uuid

import httpx
import pytest
from starlette.types import ASGIApp

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.faults.plan import Faults
from airflow_provider_kognic.emulator.faults.settings import Settings
from airflow_provider_kognic.emulator.serving.app import build_app
from airflow_provider_kognic.emulator.state import State
from airflow_provider_kognic.emulator.storage.database import Database
from airflow_provider_kognic.emulator.storage.schema import SCHEMA
from airflow_provider_kognic.emulator.storage.tokens import Tokens
from airflow_provider_kognic.emulator.testing import Emulator

from .conftest import Post


async def asked_from(app: ASGIApp, peer: str, method: str, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=app, client=(peer, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
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
    database = Database(None, SCHEMA)
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


def test_all_groups_of_all_datasets_are_removed_at_once(emulator: Emulator, post: Post, group: str) -> None:
    other = emulator.create_dataset("other", count=1)
    posted = post(demo.scene_uuid(0))
    assert posted.status_code == 200
    emulator.add_prediction(emulator.create_group(other["uuid"]), other["scenes"][0])
    assert emulator.count_predictions() == 2
    assert emulator.request("DELETE", "/__admin/predictions-groups").json() == {"removed": 2}
    assert emulator.count_predictions() == 0
    assert post().status_code == 404
    emulator.add_prediction(emulator.create_group())
    emulator.delete_groups()
    assert emulator.count_predictions() == 0


def test_a_person_adds_and_removes_predictions(emulator: Emulator, post: Post, group: str) -> None:
    other = emulator.create_group()
    mine = [post(demo.scene_uuid(index)).json()["data"] for index in range(3)]
    posts = emulator.stats()["prediction_posts"]
    added = emulator.add_prediction(group, demo.scene_uuid(1))
    somewhere = emulator.add_prediction(other)
    assert emulator.document(added).startswith(b'{"openlabel"')
    assert emulator.predictions(other)[0]["scene_uuid"] == demo.scene_uuid(0)
    assert emulator.stats()["prediction_posts"] == posts
    assert emulator.remove_predictions(group, uuid=mine[0]) == 1
    assert emulator.remove_predictions(group, uuid=somewhere) == 0
    assert emulator.remove_predictions(group, demo.scene_uuid(1)) == 2
    assert [row["uuid"] for row in emulator.predictions(group)] == mine[2:]
    assert emulator.remove_predictions(group) == 1
    assert emulator.count_predictions(other) == 1
    for status, group_asked, scene in ((404, str(uuid.uuid4()), None), (400, group, "unknown")):
        with pytest.raises(httpx.HTTPStatusError, match=str(status)):
            emulator.add_prediction(group_asked, scene)
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        emulator.remove_predictions(str(uuid.uuid4()))


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
