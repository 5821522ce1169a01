"""What lies behind signed addresses: asked without a token, on whatever host, and bounded."""

import gzip
import json
import logging
import ssl
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.api.contents import MOST_BYTES, Contents
from airflow_provider_kognic.core.api.input_api.annotations import SceneDocuments
from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import (
    KognicAnswerError,
    KognicConnectionError,
    KognicError,
    KognicInputError,
    KognicNoAnswerError,
    KognicNotFoundError,
    KognicRateLimitError,
    KognicRedirectError,
    KognicRequestError,
    KognicRowError,
    KognicServerError,
    KognicStoppedError,
    KognicTLSError,
)
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import Answer, always, free_port, http, raw_server, settings_for
from tests.patience import wait_for

QUICK = Backoff(0.01, 0.02, attempts=3)
SIGNATURE = "X-Amz-Signature=5ec2e7"
LIST = {"method": "GET", "path": "^/v2/scenes/[^/]+/annotations$"}


@contextmanager
def contents(settings: Settings | None = None, **more: Any) -> Iterator[Contents]:
    made = Contents(settings or Settings(timeout=5), **{"backoff": QUICK, **more})
    try:
        yield made
    finally:
        made.close()


def in_turn(*answers: bytes) -> Answer:
    """Answer the first request with the first of these, and so on; the last one to all that come after."""
    left = list(answers)
    return lambda connection, _: connection.sendall(left.pop(0) if len(left) > 1 else left[0])


def test_no_token_goes_to_the_host_of_a_signed_address(emulator: Emulator) -> None:
    """The address is asked for as it is, with nothing that says who asks; the input API gets its token."""
    with raw_server(always(http(body="{}"))) as storage:
        address = f"{storage.url}/a%20b/c?{SIGNATURE}&e=%2F"
        emulator.set_faults(
            input_api=True, rules=[{"kind": "garbage", "body": json.dumps([{"uri": address}]), "match": LIST}]
        )
        settings = settings_for(emulator, input_host=emulator.url)
        with SceneDocuments(settings, TokenProvider(settings), backoff=QUICK) as reader:
            (read,) = reader.documents(demo.scene_uuid(0))
            assert read() == b"{}"
    (request,) = storage.requests
    assert (request.method, request.path) == ("GET", f"/a%20b/c?{SIGNATURE}&e=%2F")
    assert set(request.headers) == {"host", "user-agent", "accept", "accept-encoding"}
    assert request.headers["host"] == f"127.0.0.1:{storage.port}"


def test_the_emulators_own_addresses(emulator: Emulator) -> None:
    """They are refused with a token, so none came with it; each annotation's document is its own."""
    documents: list[Any] = [{"openlabel": {"objects": {str(number): {}}}} for number in range(3)]
    (scene,) = emulator.seed(scenes=[{"annotations": documents}])["scenes"]
    emulator.set_faults(input_api=True)
    settings = settings_for(emulator, input_host=emulator.url)
    with SceneDocuments(settings, TokenProvider(settings), backoff=QUICK) as reader:
        assert [json.loads(read()) for read in reader.documents(scene)] == documents
        assert reader.documents(emulator.seed(scenes=[{}])["scenes"][0]) == []
        with pytest.raises(KognicNotFoundError):
            reader.documents("00000000-0000-4000-8000-000000000000")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ('{"data": {}}', KognicRowError),
        ("[3]", KognicRowError),
        ('[{"uri": 3}]', KognicRowError),
        ("[", KognicAnswerError),
    ],
)
def test_a_list_that_is_none(emulator: Emulator, body: str, error: type[KognicError]) -> None:
    emulator.set_faults(input_api=True, rules=[{"kind": "garbage", "body": body, "match": LIST}])
    settings = settings_for(emulator, input_host=emulator.url)
    with SceneDocuments(settings, TokenProvider(settings), backoff=QUICK) as reader, pytest.raises(error):
        reader.documents(demo.scene_uuid(0))


def test_an_annotation_without_an_address(emulator: Emulator) -> None:
    """The others are read all the same."""
    emulator.set_faults(
        input_api=True, rules=[{"kind": "garbage", "body": '[{"uri": null}, {}]', "match": LIST}]
    )
    settings = settings_for(emulator, input_host=emulator.url)
    with SceneDocuments(settings, TokenProvider(settings), backoff=QUICK) as reader:
        for read in reader.documents(demo.scene_uuid(0)):
            with pytest.raises(KognicRowError, match=r"does not say where its document is \('uri'\)"):
                read()


@pytest.mark.parametrize(
    ("answer", "kind", "says", "tries"),
    [
        (http(403, "<Error>AccessDenied</Error>"), KognicRequestError, "not valid, or not any more", 1),
        (http(404), KognicRequestError, "not valid, or not any more", 1),
        (
            http(302, headers=["location: http://127.0.0.1:9/login"]),
            KognicRedirectError,
            "leads elsewhere",
            1,
        ),
        (http(429), KognicRateLimitError, "busy", 3),
        (http(503), KognicServerError, "does not answer", 3),
        (b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nabc", KognicNoAnswerError, "", 3),
        (http(headers=["content-encoding: br"]), KognicAnswerError, "encoded as 'br'", 1),
    ],
)
def test_what_cannot_be_had_is_told_without_what_lets_in(
    answer: bytes, kind: type[KognicError], says: str, tries: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in the message, nor in a traceback, nor in the log; and what may pass is asked for again."""

    def once(connection: Any, _: Any) -> None:
        connection.sendall(answer)
        connection.close()

    caplog.set_level(logging.DEBUG)
    with raw_server(once) as storage, contents() as reading, pytest.raises(kind) as caught:
        reading.read(f"{storage.url}/bucket/document.json?{SIGNATURE}")
    assert type(caught.value) is kind
    assert says in str(caught.value)
    assert f"127.0.0.1:{storage.port}/bucket/document.json" in str(caught.value)
    assert SIGNATURE not in "".join(traceback.format_exception(caught.value)) + caplog.text
    assert len(storage.requests) == tries


def test_what_passes_is_asked_for_again() -> None:
    answers = in_turn(http(503), http(429, headers=["retry-after: 0"]), http(body="{}"))
    with raw_server(answers) as storage, contents() as reading:
        assert reading.read(storage.url) == b"{}"
        assert reading.read(storage.url) == b"{}"
    assert len(storage.requests) == 4
    assert storage.connections < 4, "a connection is used again"


def test_nobody_there() -> None:
    with contents() as reading, pytest.raises(KognicConnectionError):
        reading.read(f"http://127.0.0.1:{free_port()}/a?{SIGNATURE}")


@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_what_is_too_large_is_not_read(encoding: str | None) -> None:
    """Neither over the wire nor unpacked; there is a bound where nobody gives one."""
    body = b"[" + b" " * 100_000 + b"]"
    packed = body if encoding is None else gzip.compress(body)
    answer = always(http(body=packed, headers=[] if encoding is None else [f"content-encoding: {encoding}"]))
    with raw_server(answer) as storage:
        with contents(most=len(body)) as reading:
            assert reading.read(storage.url) == body
        with contents(most=len(body) - 1) as reading, pytest.raises(KognicAnswerError, match="longer than"):
            reading.read(storage.url)
    assert Contents(Settings())._most == MOST_BYTES == 64_000_000


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://storage.example.com/a?b", "would show in clear text what lets in; see 'allow_http'"),
        ("ftp://storage.example.com/a", "none that is asked: 'ftp://storage.example.com/a'"),
        ("file:///etc/passwd", "none that is asked: 'file:///etc/passwd'"),
        ("/content/1", "none that is asked: '/content/1'"),
        ("https://", "none that is asked"),
        ("https://user:pass@storage.example.com/a", "none that is asked"),
        ("//user:pass@storage.example.com/a", "none that is asked"),
        ("https://[::1/a", "is no URL"),
        ("https://storage.example.com:port/a", "is no URL"),
        ("https://storage.example.com/\x00a", "no URL"),
    ],
)
def test_addresses_that_are_not_asked(address: str, says: str) -> None:
    with contents() as reading, pytest.raises(KognicInputError) as caught:
        reading.read(address)
    assert says in str(caught.value)
    assert "pass" not in str(caught.value).replace("/etc/passwd", "")


def test_certificates_are_those_of_the_connection(certificate: tuple[Path, Path]) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    with raw_server(always(http(body="{}")), tls=tls) as storage:
        with contents(Settings(verify=str(certificate[0]), timeout=5)) as reading:
            assert reading.read(f"{storage.url}/a?{SIGNATURE}") == b"{}"
        with contents() as reading, pytest.raises(KognicTLSError) as caught:
            reading.read(f"{storage.url}/a?{SIGNATURE}")
    assert SIGNATURE not in "".join(traceback.format_exception(caught.value))


def test_who_is_to_stop_does_not_wait_for_an_answer() -> None:
    stop, asked, gone = threading.Event(), threading.Event(), threading.Event()

    def silent(_connection: Any, _request: Any) -> None:
        asked.set()
        gone.wait(60)

    ended: list[BaseException] = []

    def read(reading: Contents, url: str) -> None:
        try:
            reading.read(url)
        except KognicError as error:
            ended.append(error)

    with raw_server(silent) as storage:
        with contents(Settings(timeout=600), stopping=stop.is_set) as reading:
            thread = threading.Thread(target=read, args=(reading, storage.url), daemon=True)
            thread.start()
            assert asked.wait(60)
            stop.set()
            wait_for(lambda: ended)
        gone.set()
    assert [type(error) for error in ended] == [KognicStoppedError]
