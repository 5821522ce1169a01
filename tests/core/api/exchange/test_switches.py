"""What is optional, as the client makes use of it: nothing by default, and never beyond what is said."""

import asyncio
import json
from typing import Any

import pytest

from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.dataset_api.endpoints import prediction_body
from airflow_provider_kognic.core.api.switches import Switches
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import UUID, Request, always, content, http, raw_server, settings_for

SCENE = demo.scene_uuid(0)


def sent(
    emulator: Emulator, switches: Switches | None, document: Any, *, proxied: bool = False, **more: Any
) -> Request:
    """The request of a prediction, as it arrives."""

    async def story(url: str) -> None:
        given = (
            {"base_url": "http://kognic.example", "proxy": url, "allow_http": True}
            if proxied
            else {"base_url": url}
        )
        async with AsyncKognicClient(settings_for(emulator, **given), switches=switches) as client:
            prepared = client.switches.prepared(SCENE, document) if isinstance(document, bytes) else document
            await client.create_prediction(UUID, SCENE, prepared, **more)

    with raw_server(always(http())) as server:
        asyncio.run(story(server.url))
    (request,) = server.requests
    return request


def test_by_default_a_request_is_as_documented(emulator: Emulator) -> None:
    request = sent(emulator, None, json.dumps(content()).encode(), key="no key is sent without a header")
    assert set(request.headers) == {
        *(
            "host",
            "user-agent",
            "accept",
            "accept-encoding",
            "authorization",
            "content-type",
            "content-length",
        ),
    }
    assert request.body == b"".join(prediction_body(SCENE, json.dumps(content()).encode()))


@pytest.mark.parametrize("proxied", [False, True])
def test_a_key_and_an_encoding_are_told_in_the_head(emulator: Emulator, proxied: bool) -> None:  # noqa: FBT001
    import gzip

    document = json.dumps({"openlabel": {"x": "y" * 5000}}).encode()
    request = sent(
        emulator, Switches(compression=True, idempotency_key="X-Key"), document, proxied=proxied, key="k-1"
    )
    assert request.headers["x-key"] == "k-1"
    assert request.headers["content-encoding"] == "gzip"
    assert int(request.headers["content-length"]) == len(request.body) < 500
    assert gzip.decompress(request.body) == b"".join(prediction_body(SCENE, document))


def test_a_body_at_its_limit_is_sent_and_one_beyond_it_is_not(emulator: Emulator) -> None:
    document = json.dumps(content()).encode()
    size = len(b"".join(prediction_body(SCENE, document)))
    for given in (document, content()):
        assert len(sent(emulator, Switches(max_body_bytes=size), given).body) == size
        for switches in (
            Switches(max_body_bytes=size - 1),
            Switches(max_body_bytes=size - 1, compression=True),
        ):
            with pytest.raises(
                KognicInputError, match=rf"the prediction of scene {SCENE} makes a request of {size:,} bytes"
            ):
                sent(emulator, switches, given)
    Switches(max_body_bytes=size).check_document(len(document))
    with pytest.raises(Refused) as caught:
        Switches(max_body_bytes=size - 1, said_by={"body_limit": "me"}).check_document(len(document))
    assert caught.value.reason == "body_limit"
    assert f"{size - 1:,}: so says me" in caught.value.message


def test_a_large_prediction_is_held_to_the_limit_before_it_is_compressed(emulator: Emulator) -> None:
    """Nobody says whether a server counts what comes or what it unpacks to."""
    document = json.dumps({"openlabel": {"x": "y" * 5000}}).encode()
    with pytest.raises(KognicInputError, match="the server takes at most 4,000"):
        sent(emulator, Switches(compression=True, max_body_bytes=4000), document)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_body_bytes": 0},
        {"max_body_bytes": True},
        {"max_body_bytes": "5"},
        {"compression": "perhaps"},
        {"listing": "perhaps"},
        {"idempotency_key": "Content-Length"},
        {"idempotency_key": "two words"},
        {"idempotency_key": ""},
        {"idempotency_key": "x" * 101},
    ],
)
def test_what_cannot_be_is_refused_by_name(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    told = {"max_body_bytes": "body_limit", "listing": "predictions_listing"}.get(name, name)
    with pytest.raises(KognicInputError, match=told):
        Switches(**wrong)
