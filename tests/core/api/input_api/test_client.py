"""The input API by single calls, and beside an upload: against the emulator, in each of its modes."""

import asyncio
import json
import uuid
from typing import Any

import pytest

from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.input_api.client import InputClient
from airflow_provider_kognic.core.api.input_api.records import Calibration, FoundScene, SceneSummary
from airflow_provider_kognic.core.errors import (
    KognicAnswerError,
    KognicInputError,
    KognicNotFoundError,
    KognicPermissionError,
    KognicRowError,
    KognicServerError,
)
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import UUID, settings_for

QUICK = Backoff(0.01, 0.02, attempts=3)
ROUTE = "GET /v2/scenes/{uuid}"
MATCH = {"method": "GET", "path": "^/v2/scenes/"}


@pytest.fixture
def client(emulator: Emulator) -> Any:
    emulator.set_faults(input_api=True)
    with InputClient(settings_for(emulator, input_host=emulator.url), backoff=QUICK) as client:
        yield client


@pytest.mark.parametrize("names", ["snake_case", "camelCase"])
@pytest.mark.parametrize("enveloped", [False, True])
def test_scenes_calibrations_and_external_ids(
    emulator: Emulator, client: InputClient, names: str, *, enveloped: bool
) -> None:
    """However the answers are wrapped, and the names in them written."""
    emulator.change_faults(input_envelope=enveloped, calibration_names=names)
    name = str(uuid.uuid4())
    (scene,) = emulator.seed(
        scenes=[
            {
                "external_id": name,
                "cameras": {"left": [640, 480], "right": [1280, 720]},
                "lidars": ["roof"],
                "frame_relative_times": [0, 100],
                "metadata": {"data": "of somebody's own"},
            }
        ]
    )["scenes"]
    found = client.scene(scene.upper())
    assert found == SceneSummary(
        scene,
        name,
        found.calibration_id,
        (0, 100),
        frozenset({"left", "right"}),
        frozenset({"roof"}),
        "lidars_and_cameras_sequence",
    )
    assert found.calibration_id is not None
    sizes = {"left": (640, 480), "right": (1280, 720)}
    assert client.calibration(found.calibration_id) == Calibration(found.calibration_id, sizes)
    assert client.query([name]) == client.query_uuids([scene]) == [FoundScene(scene, name, "created")]


@pytest.mark.parametrize("more", [{"metadata": {"nextCursorId": 3}}, {"hasNext": True}])
def test_an_answer_that_says_that_there_is_more_is_not_taken_for_all(
    emulator: Emulator, client: InputClient, more: dict[str, Any]
) -> None:
    """The second scene of an external id may be on the next page."""
    body = json.dumps({"data": [{"uuid": UUID, "externalId": "demo/0"}], **more})
    emulator.change_faults(rules=[{"kind": "garbage", "body": body, "match": {"path": "/query$"}}])
    with pytest.raises(KognicAnswerError, match="says that there are more"):
        client.query(["demo/0"])

    async def ask() -> None:
        settings = settings_for(emulator, input_host=emulator.url)
        async with AsyncKognicClient(settings) as upload, upload.input_api() as scenes:
            await scenes.query(["demo/0"])

    with pytest.raises(KognicAnswerError, match="says that there are more"):
        asyncio.run(ask())


def test_what_is_not_there(emulator: Emulator, client: InputClient) -> None:
    (scene,) = emulator.seed(scenes=[{}])["scenes"]
    assert client.scene(scene).cameras is None
    emulator.set_scene_status(scene, "invalidated:duplicate")
    with pytest.raises(KognicNotFoundError, match="invalidated:duplicate"):
        client.scene(scene)
    assert client.scene(scene, invalidated=True).uuid == scene
    assert [found.status for found in client.query_uuids([scene])] == ["invalidated:duplicate"]
    for ask in (
        lambda: client.scene(UUID),
        lambda: client.calibration("nobody's"),
        lambda: client.query([UUID]),
    ):
        with pytest.raises(KognicNotFoundError):
            ask()
    with pytest.raises(KognicInputError, match="no uuid of a scene"):
        client.scene("../datasets")


def test_what_only_reads_is_asked_again(emulator: Emulator, client: InputClient) -> None:
    """Also the POST of a query, whatever became of it."""
    emulator.change_faults(
        script=[{"kind": "503_after", "match": MATCH}, {"kind": "drop_after", "match": {"path": "/query$"}}]
    )
    assert client.scene(demo.scene_uuid(0)).external_id == "demo/0"
    assert client.query(["demo/0"])[0].uuid == demo.scene_uuid(0)
    emulator.change_faults(rules=[{"kind": "503_before", "match": MATCH}])
    before = emulator.stats()["requests"][ROUTE]["503"]
    with pytest.raises(KognicServerError):
        client.scene(demo.scene_uuid(0))
    assert emulator.stats()["requests"][ROUTE]["503"] == before + QUICK.attempts


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "garbage"}, KognicAnswerError),
        ({"kind": "garbage", "body": "[]"}, KognicRowError),
        ({"kind": "garbage", "body": '{"data": null}'}, KognicRowError),
        ({"kind": "garbage", "body": '{"sceneUuid": "front"}'}, KognicRowError),
        ({"kind": "garbage", "body": f'{{"sceneUuid": "{UUID}", "cameras": "front"}}'}, KognicRowError),
        (
            {"kind": "garbage", "body": f'{{"sceneUuid": "{UUID}", "frameRelativeTimes": ["a"]}}'},
            KognicRowError,
        ),
        ({"kind": "html_error", "status": 200}, KognicAnswerError),
        ({"kind": "status", "status": 403}, KognicPermissionError),
    ],
)
def test_what_cannot_be_understood_is_an_error(
    emulator: Emulator, client: InputClient, fault: dict[str, Any], error: type[Exception]
) -> None:
    emulator.change_faults(rules=[fault | {"match": MATCH}])
    with pytest.raises(error):
        client.scene(demo.scene_uuid(0))


def test_without_a_host_there_is_no_client(emulator: Emulator) -> None:
    with pytest.raises(KognicInputError, match="'input_host'"):
        InputClient(settings_for(emulator))
    with pytest.raises(KognicInputError, match=r"input_host .* clear text"):
        settings_for(emulator, input_host="http://input.example.com")


def test_beside_an_upload_all_requests_together_are_within_the_connections(
    emulator: Emulator,
) -> None:
    """However many wait for a scene, a calibration, a query or a prediction."""
    emulator.set_faults(input_api=True, rules=[{"kind": "latency", "seconds": 0.02, "match": {"path": "/v"}}])
    emulator.reset_stats()
    group = emulator.create_group()
    settings = settings_for(emulator, input_host=emulator.url, max_connections=4)

    async def ask() -> list[Any]:
        async with AsyncKognicClient(settings) as client, client.input_api() as scenes:
            (row,) = await scenes.query(["demo/1"])
            summary = await scenes.scene(row.uuid)
            calls = [
                call
                for index in range(10)
                for call in (
                    scenes.scene(demo.scene_uuid(index)),
                    scenes.calibration(str(summary.calibration_id)),
                    scenes.query_uuids([demo.scene_uuid(index)]),
                    client.create_prediction(group, demo.scene_uuid(index), {"openlabel": {}}),
                )
            ]
            return await asyncio.gather(*calls, return_exceptions=True)

    answers = asyncio.run(ask())
    assert [answer.uuid for answer in answers[::4]] == [demo.scene_uuid(index) for index in range(10)]
    assert emulator.stats()["most_in_flight"] <= 4
