"""Single calls: records out, one request where one is right, errors that say what to do."""

import json
import socket
from typing import Any

import pytest

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
    KognicUnclearRedirectError,
)
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator, running_emulator
from tests.core.support import UUID, Request, content, http, raw_server, settings_for


def listings(kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "match": {"method": "GET"}, **more}


def test_datasets() -> None:
    """Datasets are found by uuid, in any case, and by exact name; the rest of the row is kept.

    On an emulator of its own: the message names the first few, and other tests leave datasets on the shared one.
    """
    with running_emulator() as emulator:
        check_datasets(KognicClient(settings_for(emulator)))


def check_datasets(client: KognicClient) -> None:
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
        ({"kind": "redirect", "location": "/x"}, KognicUnclearRedirectError, 1),
        ({"kind": "redirect", "location": "/x", "status": 307}, KognicRedirectError, 1),
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


def test_a_hanging_server(emulator: Emulator, tokens: TokenProvider) -> None:
    """No call waits longer than its time-out, and a lost POST is not repeated."""
    settings = settings_for(emulator, timeout=2)
    emulator.reset_stats()
    emulator.set_faults(
        rules=[{"kind": "hang", "seconds": 300, "match": {"path": "/v[12]/(datasets|predictions)"}}]
    )
    with KognicClient(settings, tokens=tokens, backoff=Backoff(0.01, 0.01, attempts=2)) as client:
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


def test_nobody_there(emulator: Emulator) -> None:
    """A server that is not there is asked a few times."""
    waits: list[float] = []
    settings = settings_for(emulator, base_url="http://127.0.0.1:9")
    with KognicClient(settings, sleep=waits.append) as client, pytest.raises(KognicConnectionError):
        client.create_prediction(UUID, UUID, content())
    assert len(waits) == 4


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
