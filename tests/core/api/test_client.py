"""Single calls: records out, one request where one is right, errors that say what to do."""

import asyncio
import json
import logging
import socket
from typing import Any

import pytest

from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import (
    KognicAmbiguousError,
    KognicAnswerError,
    KognicConnectionError,
    KognicInputError,
    KognicNoAnswerError,
    KognicNotFoundError,
    KognicPermissionError,
    KognicRateLimitError,
    KognicRedirectError,
    KognicRequestError,
    KognicRowError,
    KognicServerError,
)
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import UUID, Request, content, http, raw_server, rows, settings_for, upload_all

BAD_UUIDS = ["", "x", "../datasets", f"{UUID}/../x", f"{UUID}?x=1", UUID.replace("-", ""), None, 7]


@pytest.fixture
def client(emulator: Emulator) -> KognicClient:
    return KognicClient(settings_for(emulator), backoff=Backoff(0.01, 0.02, attempts=4))


def listings(kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "match": {"method": "GET"}, **more}


def test_datasets(client: KognicClient) -> None:
    """Datasets are found by uuid, in any case, and by exact name; the rest of the row is kept."""
    assert {dataset.name for dataset in client.list_datasets()} >= {"demo", "demo-segmentation"}
    for given in (demo.DATASET_UUID, demo.DATASET_UUID.upper(), "demo", " demo "):
        found = client.get_dataset(given)
        assert (found.uuid, found.name) == (demo.DATASET_UUID, "demo")
        assert found.raw["hasSegmentation"] is False
    with pytest.raises(KognicInputError, match=r"no dataset 'nobody' among the \d+ .*'demo'"):
        client.get_dataset("nobody")
    client.close()


def test_several_datasets_of_one_name(emulator: Emulator, client: KognicClient) -> None:
    """Then the uuids are listed to choose from."""
    uuids = [emulator.create_dataset("twins")["uuid"] for _ in range(2)]
    with pytest.raises(KognicInputError, match="2 datasets are named 'twins'") as caught:
        client.get_dataset("twins")
    assert all(uuid in str(caught.value) for uuid in uuids)


def test_groups(client: KognicClient) -> None:
    """Groups are created, listed and found by name, of which there may be several."""
    first = client.create_predictions_group(demo.DATASET_UUID, "night run", "by a model")
    second = client.create_predictions_group(demo.DATASET_UUID, "night run")
    found = client.find_predictions_groups(demo.DATASET_UUID, "night run")
    assert {group.uuid for group in found} >= {first, second}
    assert client.find_predictions_groups(demo.DATASET_UUID, "night") == []
    mapping = [{"annotated": "oak", "predicted": "tree"}, {"annotated": "_background"}]
    uuid = client.create_predictions_group(demo.SEGMENTATION_DATASET_UUID, "mapped", class_mapping=mapping)
    (group,) = client.find_predictions_groups(demo.SEGMENTATION_DATASET_UUID, "mapped")
    assert (group.uuid, group.raw["classMapping"]) == (uuid, mapping)
    with pytest.raises(KognicNotFoundError):
        client.list_predictions_groups(UUID)


def test_annotations_are_paged_lazily(emulator: Emulator, client: KognicClient) -> None:
    """Pages are fetched as they are needed, until one is empty."""
    emulator.set_faults(page_size=150)
    route = "GET /v1/datasets/{uuid}/annotations"
    iterator = client.iter_annotations(demo.DATASET_UUID)
    next(iterator)
    assert emulator.stats()["requests"][route] == {"200": 1}
    scenes = [demo.scene_uuid(0), *(annotation.scene_uuid for annotation in iterator)]
    assert len(scenes) == demo.SCENE_COUNT
    assert emulator.stats()["requests"][route] == {"200": 4}


def test_one_prediction(emulator: Emulator, group: str, client: KognicClient) -> None:
    """A dict is encoded; bytes are sent as they are."""
    client.create_prediction(group, demo.scene_uuid(0), content())
    raw = b'{ "openlabel":{"metadata":{"schema_version":"1.0.0"}}}'
    uuid = client.create_prediction(group.upper(), f" {demo.scene_uuid(1).upper()} ", raw)
    assert emulator.document(uuid) == raw
    assert emulator.count_predictions(group) == 2


@pytest.mark.parametrize("bad", BAD_UUIDS)
def test_what_is_no_uuid_never_enters_a_url(emulator: Emulator, client: KognicClient, bad: Any) -> None:
    """It is refused with what it should have named, before any request."""
    with pytest.raises(KognicInputError, match="no uuid of a dataset"):
        client.list_predictions_groups(bad)
    with pytest.raises(KognicInputError, match="no uuid of a dataset"):
        next(client.iter_annotations(bad))
    with pytest.raises(KognicInputError, match="no uuid of a dataset"):
        client.create_predictions_group(bad, "x")
    with pytest.raises(KognicInputError, match="no uuid of a predictions group"):
        client.create_prediction(bad, UUID, b"{}")
    with pytest.raises(KognicInputError, match="no uuid of a scene"):
        client.create_prediction(UUID, bad, b"{}")
    assert emulator.stats()["requests"] == {}


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "429", "retry_after": 0},
        {"kind": "503_before"},
        {"kind": "504_before"},
        {"kind": "drop_before"},
        {"kind": "drop_before", "reset": True},
        {"kind": "html_error"},
        {"kind": "garbage"},
        {"kind": "no_data"},
        {"kind": "status", "status": 408},
    ],
)
def test_reading_is_repeated(emulator: Emulator, client: KognicClient, fault: dict[str, Any]) -> None:
    """What a listing meets in passing is tried again; not for ever."""
    emulator.set_faults(script=[listings(**fault, times=2)])
    assert client.list_datasets()
    emulator.set_faults(rules=[listings(**fault)])
    with pytest.raises((KognicRateLimitError, KognicAmbiguousError)):
        client.list_datasets()
    assert sum(emulator.stats()["requests"]["GET /v2/datasets"].values()) == 3 + 4


@pytest.mark.parametrize(
    ("fault", "error", "posts"),
    [
        ({"kind": "429", "retry_after": 0}, KognicRateLimitError, 4),
        ({"kind": "503_before"}, KognicServerError, 1),
        ({"kind": "503_after"}, KognicServerError, 1),
        ({"kind": "status", "status": 408}, KognicServerError, 1),
        ({"kind": "drop_before"}, KognicNoAnswerError, 1),
        ({"kind": "drop_after", "reset": True}, KognicNoAnswerError, 1),
        ({"kind": "garbage"}, KognicAnswerError, 1),
        ({"kind": "no_data"}, KognicAnswerError, 1),
        ({"kind": "redirect", "location": "/x"}, KognicRedirectError, 1),
        ({"kind": "status", "status": 403}, KognicPermissionError, 1),
        ({"kind": "status", "status": 404}, KognicNotFoundError, 1),
        ({"kind": "status", "status": 409}, KognicRequestError, 1),
    ],
)
def test_posts_are_not_repeated_blindly(
    emulator: Emulator, group: str, client: KognicClient, fault: dict[str, Any], error: type[Any], posts: int
) -> None:
    """Only what was certainly not executed is posted again."""
    emulator.set_faults(rules=[fault])
    with pytest.raises(error) as caught:
        client.create_prediction(group, demo.scene_uuid(0), content())
    assert type(caught.value) is error
    assert emulator.stats()["prediction_posts"] == posts
    assert caught.value.url.startswith(emulator.url)


def test_a_hanging_server(emulator: Emulator) -> None:
    """No call waits longer than its time-out, and a lost POST is not repeated."""
    settings = settings_for(emulator, timeout=0.3)
    emulator.set_faults(
        rules=[{"kind": "hang", "seconds": 30, "match": {"path": "/v[12]/(datasets|predictions)"}}]
    )
    with KognicClient(settings, backoff=Backoff(0.01, 0.01, attempts=2)) as client:
        with pytest.raises(KognicNoAnswerError, match="no answer came in time"):
            client.create_prediction(UUID, UUID, content())
        with pytest.raises(KognicNoAnswerError):
            client.list_datasets()
    assert emulator.stats()["prediction_posts"] == 1


def test_waits_are_bounded(emulator: Emulator) -> None:
    """A person waits for these calls: a Retry-After of a day is cut to a minute."""
    waits: list[float] = []
    emulator.set_faults(rules=[listings("429", retry_after=86400)])
    with (
        KognicClient(settings_for(emulator), sleep=waits.append) as client,
        pytest.raises(KognicRateLimitError),
    ):
        client.list_datasets()
    assert waits == [60.0] * 4


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"name": "x"}, "a dataset without 'uuid' or 'id'; it has ['name']"),
        ({"uuid": None}, "without 'uuid'"),
        ({"uuid": 7}, "without 'uuid'"),
        ("text", "it has str"),
        (None, "NoneType"),
    ],
)
def test_rows_that_cannot_be_read(emulator: Emulator, row: Any, said: str) -> None:
    """The API's fields are not documented: where they are missing, the message says which and what there is."""

    def answer(connection: socket.socket, _request: Request) -> None:
        connection.sendall(http(200, json.dumps({"data": [row]})))

    with raw_server(answer) as server:
        tokens = TokenProvider(settings_for(emulator))
        with (
            KognicClient(settings_for(emulator, base_url=server.url), tokens=tokens) as client,
            pytest.raises(KognicRowError) as caught,
        ):
            client.list_datasets()
    assert said in str(caught.value)


def test_rows_are_read_leniently(emulator: Emulator) -> None:
    """`id` for `uuid`, `scene_uuid` for `sceneUuid`."""

    def answer(connection: socket.socket, request: Request) -> None:
        if "annotations" in request.path:
            page = f'[{{"scene_uuid": "{UUID.upper()}"}}]' if "offset=0" in request.path else "[]"
            connection.sendall(http(200, f'{{"data": {page}}}'))
        elif request.method == "POST":
            connection.sendall(http(201, f'{{"data": {{"id": "{UUID.upper()}"}}, "more": 1}}'))
        else:
            connection.sendall(http(200, '{"data": [{"id": "abc", "name": null}]}'))

    with raw_server(answer) as server:
        tokens = TokenProvider(settings_for(emulator))
        with KognicClient(settings_for(emulator, base_url=server.url), tokens=tokens) as client:
            (dataset,) = client.list_datasets()
            assert (dataset.uuid, dataset.name) == ("abc", "")
            assert [found.scene_uuid for found in client.iter_annotations(UUID)] == [UUID]
            assert client.create_predictions_group(UUID, "x") == UUID


def test_nobody_there(emulator: Emulator) -> None:
    """A server that is not there is asked a few times."""
    waits: list[float] = []
    settings = settings_for(emulator, base_url="http://127.0.0.1:9")
    with KognicClient(settings, sleep=waits.append) as client, pytest.raises(KognicConnectionError):
        client.create_prediction(UUID, UUID, content())
    assert len(waits) == 4


def test_deprecations_are_logged_once(
    emulator: Emulator, group: str, client: KognicClient, caplog: pytest.LogCaptureFixture
) -> None:
    """An endpoint that is to be switched off says so once in the log, on both paths."""
    caplog.set_level(logging.WARNING, "airflow_provider_kognic")
    emulator.set_faults(sunset_date="2030-01-01")
    for _ in range(3):
        client.list_datasets()
    upload_all(rows(20), settings_for(emulator), group)
    said = [record.getMessage() for record in caplog.records if "switch off" in record.getMessage()]
    assert len(said) == 3
    assert "GET /v2/datasets at 2030-01-01" in said[0]
    assert "GET /v1/predictions-groups/{uuid}/predictions at 2030-01-01" in said[1]
    assert "POST /v1/predictions-groups/{uuid}/predictions at 2030-01-01" in said[2]


@pytest.mark.parametrize(
    ("group", "scene"), [("../../x", UUID), (UUID, "../y"), ("", UUID), (UUID, f"{UUID}x")]
)
def test_the_asynchronous_client_checks_uuids_too(emulator: Emulator, group: str, scene: str) -> None:
    """What is no uuid never becomes part of a URL or a body."""

    async def send() -> None:
        async with AsyncKognicClient(settings_for(emulator)) as client:
            await client.create_prediction(group, scene, b'{"openlabel": {}}')

    before = emulator.stats()["token_requests"]
    with pytest.raises(KognicInputError, match="is no uuid of a"):
        asyncio.run(send())
    assert emulator.stats()["token_requests"] == before


@pytest.mark.parametrize("document", ["text", 7, None, {"openlabel": float("nan")}])
def test_a_document_that_is_none_is_refused_before_it_is_sent(emulator: Emulator, document: Any) -> None:
    """A string would be sent as a JSON string, NaN as what is no JSON."""
    with KognicClient(settings_for(emulator)) as client, pytest.raises(KognicInputError, match="document"):
        client.create_prediction(UUID, UUID, document)
    assert emulator.stats()["prediction_posts"] == 0


def test_a_listing_that_ignores_the_offset_is_not_read_for_ever(emulator: Emulator) -> None:
    """The same page twice means that the paging has changed."""
    body = json.dumps({"data": [{"sceneUuid": UUID}]})

    def answer(connection: socket.socket, _request: Request) -> None:
        connection.sendall(http(200, body))

    with raw_server(answer) as server:
        tokens = TokenProvider(settings_for(emulator))
        with (
            KognicClient(settings_for(emulator, base_url=server.url), tokens=tokens) as client,
            pytest.raises(KognicRowError, match="offset"),
        ):
            list(client.iter_annotations(UUID))
