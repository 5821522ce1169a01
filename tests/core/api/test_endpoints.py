"""What is sent: the same by both clients, and nothing that should not be."""

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.api.both_clients import Send, both, by_async_client, by_single_client
from tests.core.support import UUID, always, http, raw_server, settings_for


@both
def test_the_request_on_the_wire(emulator: Emulator, tokens: TokenProvider, send: Send) -> None:
    """Both clients send the same: no double slash, JSON, one bearer token, the document's own bytes."""
    with raw_server(always(http())) as server:
        send(settings_for(emulator, base_url=f"{server.url}/"), tokens)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", f"/v1/predictions-groups/{UUID}/predictions")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("airflow-provider-kognic/")
    assert request.body == b'{"sceneUuid":"%s","openlabelContent":{"openlabel":{}}}' % UUID.encode()


def test_no_credentials_from_netrc(
    emulator: Emulator, tokens: TokenProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ~/.netrc entry for the host does not replace the token."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with raw_server(always(http())) as server:
        for send in (by_async_client, by_single_client):
            send(settings_for(emulator, base_url=server.url), tokens)
    assert [r.headers["authorization"] for r in server.requests] == [f"Bearer {tokens.token()}"] * 2


BAD_UUIDS = ["", "x", "../datasets", f"{UUID}/../x", f"{UUID}?x=1", UUID.replace("-", ""), None, 7]


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


@pytest.mark.parametrize("document", ["text", 7, None, {"openlabel": float("nan")}])
def test_a_document_that_is_none_is_refused_before_it_is_sent(emulator: Emulator, document: Any) -> None:
    """A string would be sent as a JSON string, NaN as what is no JSON."""
    with KognicClient(settings_for(emulator)) as client, pytest.raises(KognicInputError, match="document"):
        client.create_prediction(UUID, UUID, document)
    assert emulator.stats()["prediction_posts"] == 0
