"""Rows of listings: read leniently, and refused with what they have."""

import json
import socket
from typing import Any

import pytest

from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import KognicRowError
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import UUID, Request, http, raw_server, settings_for


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
