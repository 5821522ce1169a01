"""What stands in a request's head: what httpx would write there, and never a line that somebody slips in."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kognic.core.api.exchange.heads import Heads, NoRequestError
from airflow_provider_kognic.core.api.settings import normalize_url
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.api.both_clients import Send, both
from tests.core.api.exchange.requests import request_of
from tests.core.support import always, http, raw_server, settings_for


def first_lines(head: bytes) -> tuple[str, str]:
    line, host, *_ = head.decode("ascii").split("\r\n")
    return line.split(" ")[1], host


@pytest.mark.parametrize(
    "base_url",
    [
        "https://dataset.app.kognic.com",
        "https://GATEWAY.example:8443/kognic/",
        "https://gateway.example:443/a%20b/ö/%zz/(x)*;y=1,2:@[3]~'!$&+",
        'https://gateway.example/<"`{}|\\^>',
        "http://[::1]:8080/x",
        "http://[::1]",
        "https://bücher.example/ß",
    ],
)
def test_a_request_goes_where_httpx_would_send_it(base_url: str) -> None:
    url = normalize_url(base_url, what="host", allow_http=True) + "/v2/datasets"
    for params in (None, {"offset": "3"}, {"cursorId": "a b&c=d/e+ö\r\n%"}):
        wanted = httpx.URL(url, params=params) if params else httpx.URL(url)
        target, host = first_lines(Heads().head(request_of(url=url, params=params)))
        if params is None:
            assert target == wanted.raw_path.decode("ascii")
        else:  # what stands for a space differs from version to version
            assert target.partition("?")[0] == wanted.raw_path.decode("ascii").partition("?")[0]
            assert httpx.QueryParams(target.partition("?")[2]) == httpx.QueryParams(params)
        assert host == f"host: {wanted.netloc.decode('ascii')}"


def test_a_head_is_remembered_and_not_mixed_up() -> None:
    """The same start, whatever the token and the body."""
    heads = Heads()
    url = "https://kognic.example/v2/datasets"
    for token in ("one", "two", "one"):
        for body in ([b"{}"], [b"{", b"}" * 99], []):
            head = heads.head(request_of("POST", url, token, body))
            lines = head.decode("ascii").split("\r\n")
            assert lines[:2] == ["POST /v2/datasets HTTP/1.1", "host: kognic.example"]
            assert f"authorization: Bearer {token}" in lines
            size = sum(map(len, body))
            assert (f"content-length: {size}" in lines) == bool(body)
            assert ("content-type: application/json" in lines) == bool(body)
            assert lines[-2:] == ["", ""]
            assert "" not in lines[:-2]
    assert heads.head(request_of("GET", url)).startswith(b"GET /v2/datasets HTTP/1.1\r\n")
    assert heads.head(request_of("GET", url + "/x")).startswith(b"GET /v2/datasets/x HTTP/1.1\r\n")


@given(st.text(max_size=8), st.text(max_size=8))
def test_no_line_is_slipped_in(token: str, path: str) -> None:
    """Whatever a token or a path is made of, it is one value, or no request."""
    url = f"https://kognic.example/{path.replace('?', '').replace('#', '')}"
    try:
        head = Heads().head(request_of("GET", url, token))
    except NoRequestError:
        return
    lines = head.split(b"\r\n")
    assert len(lines) == len(Heads().head(request_of()).split(b"\r\n"))
    assert not set(b"\r\n\0") & set(b"".join(lines))
    assert lines[0].count(b" ") == 2


@both
@pytest.mark.parametrize("token", ["a\r\nx: y", "a\nb", "a\0b", "ö", " ", ""])
def test_a_token_that_is_no_header(
    emulator: Emulator, send: Send, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent, and the token is not shown."""
    tokens: Any = TokenProvider(settings_for(emulator))
    monkeypatch.setattr(tokens, "fresh", lambda: None)
    monkeypatch.setattr(tokens, "token", lambda: token)
    with raw_server(always(http())) as server:
        with pytest.raises(KognicInputError, match="no request can be made of this") as caught:
            send(settings_for(emulator, base_url=server.url), tokens)
        assert "x: y" not in str(caught.value)
        assert server.requests == []
