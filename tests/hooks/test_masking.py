"""What Airflow masks in a task's log: the client secret, also as libraries spell it that send it."""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from airflow.providers.common.compat.sdk import redact

from airflow_provider_kognic.hooks.kognic import KognicHook

CLIENT = "a client"


@pytest.mark.parametrize("as_json", [False, True], ids=["login and password", "credentials JSON"])
def test_a_secret_is_masked_however_it_is_spelled(
    monkeypatch: pytest.MonkeyPatch, airflow_database: Path, *, as_json: bool
) -> None:
    """A user's own code raises what its library says of a request to another server, say."""
    secret = f's3cr/t+wörd"\\ <{int(as_json)}>&%'
    fields: dict[str, Any] = {"login": CLIENT, "password": secret}
    if as_json:
        text = json.dumps(
            {"clientId": CLIENT, "clientSecret": secret, "email": "", "userId": 1, "issuer": ""}
        )
        fields = {"password": text}
    monkeypatch.setenv("AIRFLOW_CONN_KOGNIC_DEFAULT", json.dumps({"conn_type": "kognic", **fields}))
    _ = KognicHook().settings

    for spelled in (
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote(secret, safe="").lower(),
        quote_plus(secret),
        urlencode({"client_secret": secret}),
        json.dumps({"client_secret": secret}),
        json.dumps({"client_secret": secret}, ensure_ascii=False),
        repr({"client_secret": secret}),
        base64.b64encode(f"{CLIENT}:{secret}".encode()).decode(),
    ):
        said = str(redact(f"POST failed with {spelled} in it"))
        assert "***" in said, spelled
        assert not any(part in said for part in ("s3cr", "rd%22", "rd\\", base64.b64encode(b"s3cr").decode()))
