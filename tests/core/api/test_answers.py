"""What a server answers: shown on one short line, and each status the error that it is."""

import logging
import time
import uuid

import pytest

from airflow_provider_kognic.core.api.answers import Answer, Sunsets, clean_message
from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.errors import (
    KognicAnswerError,
    KognicError,
    KognicNotFoundError,
    KognicPermissionError,
    KognicRateLimitError,
    KognicRedirectError,
    KognicRequestError,
    KognicServerError,
    KognicUnauthorizedError,
    KognicUnclearRedirectError,
)
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import rows, settings_for, upload_all


@pytest.mark.parametrize(
    "page", [b"<" * 65536, b"<script " * 9000, b"<style>" * 9000, b"<b>x</b>" * 9000, b"<a" * 30000 + b">"]
)
def test_pages_do_not_take_seconds_to_read(page: bytes) -> None:
    """A page made to be slow to strip of its tags is cut short at once."""
    started = time.process_time()
    message = clean_message(page, "text/html")
    assert time.process_time() - started < 0.5
    assert len(message) <= 501


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b'{"message": "no such\\n scene"}', "application/json", "no such scene"),
        (b'{"error": "invalid", "error_description": "why"}', None, "why"),
        (b'{"detail": [{"loc": 1}]}', None, '[{"loc": 1}]'),
        (b'{"other": 1}', None, '{"other": 1}'),
        (
            b"<html><style>p {}</style><script>x<y</script><h1>502</h1> Bad\n Gateway</html>",
            "text/html",
            "502 Bad Gateway",
        ),
        (b"plain", "text/plain", "plain"),
        (b"", None, "(empty answer)"),
        (b"\xff\xfe", None, "\ufffd\ufffd"),
        (b"[" * 70000, None, "[" * 500 + "…"),
    ],
)
def test_what_a_server_says_is_shown_on_one_short_line(body: bytes, kind: str | None, message: str) -> None:
    """JSON's message, an HTML page's text, or the start of whatever it is."""
    assert clean_message(body, kind) == message


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
    ("said", "shown"),
    [
        ("2030-01-01", "2030-01-01"),
        (" Sat, 31 Jan 2027 00:00:00 GMT ", "Sat, 31 Jan 2027 00:00:00 GMT"),
        ("x" * 1000, "x" * 40 + "…"),
        ("\x1b[2Jsoon", "\\x1b[2Jsoon"),
        ("soon the-secret", "soon ***"),
        ("https://me:pass@docs/", "https://***@docs/"),
        ("  ", "an unknown time"),
    ],
)
def test_any_text_is_a_date_of_an_end(said: str, shown: str) -> None:
    """Short, on one line, and without secrets; of one endpoint whatever uuids are in it."""
    sunsets = Sunsets()
    for number in range(3):
        url = f"https://kognic.test/v1/datasets/{uuid.UUID(int=number)}/annotations"
        answer = Answer("GET", url, 200, {"sunset-date": said if not number else "later"}, b"")
        sunsets.look(answer, lambda text: text.replace("the-secret", "***"))
    sunsets.look(Answer("GET", "https://kognic.test/v2/datasets", 200, {}, b""), str)
    assert sunsets.dates == {"GET /v1/datasets/{uuid}/annotations": shown}


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ([307, 308], KognicRedirectError),
        ([300, 301, 302, 303, 304, 305, 306, 309, 399], KognicUnclearRedirectError),
        ([401], KognicUnauthorizedError),
        ([403], KognicPermissionError),
        ([404], KognicNotFoundError),
        ([429], KognicRateLimitError),
        ([400, 402, 405, 409, 413, 415, 418, 422, 451, 499], KognicRequestError),
        ([100, 199, 408, 500, 501, 502, 503, 504, 599, 600, 999], KognicServerError),
    ],
)
def test_each_status_is_one_error(statuses: list[int], kind: type[KognicError]) -> None:
    """With what the server said; how long it asks to wait only where asking again may help."""
    for status in statuses:
        headers = {"location": "https://elsewhere.test/x?y", "retry-after": "7"}
        answer = Answer("POST", "https://kognic.test/x", status, headers, b'{"message": "said token"}')
        with pytest.raises(KognicError) as caught:
            answer.data(lambda text: text.replace("token", "***"))
        assert type(caught.value) is kind
        assert (caught.value.status, caught.value.method, caught.value.url) == (status, "POST", answer.url)
        redirected = issubclass(kind, KognicRedirectError)
        assert ("elsewhere.test/x, which" if redirected else "said ***") in caught.value.message
        assert caught.value.retry_after == (
            7.0 if kind in {KognicRateLimitError, KognicServerError} else None
        )


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'"data"', b"<html>", b"[" * 70000])
def test_a_2xx_without_data_is_doubt(body: bytes) -> None:
    """The server has probably done it, and does not say what."""
    for status in (200, 201, 204, 299):
        with pytest.raises(KognicAnswerError):
            Answer("POST", "https://kognic.test/x", status, {}, body).data(str)
    assert Answer("GET", "https://kognic.test/x", 200, {}, b'{"data": null}').data(str) is None


@pytest.mark.parametrize(
    ("status", "headers", "body", "asked"),
    [
        (200, {}, b"\n<!doctype html><title>Kognic</title>", True),
        (200, {"content-type": "text/html; charset=utf-8"}, b"Loading", True),
        (404, {"content-type": "text/html"}, b"<h1>Not found</h1>", True),
        (404, {}, b'{"message": "no such <dataset>"}', False),
        (200, {}, b"loading", False),
        (502, {"content-type": "text/html"}, b"<h1>Bad gateway</h1>", False),
    ],
)
def test_a_page_is_asked_about_the_host(
    status: int, headers: dict[str, str], body: bytes, *, asked: bool
) -> None:
    """As the web app's host answers with, not the API's; a gateway in trouble may answer so anywhere."""
    with pytest.raises(KognicError) as caught:
        Answer("GET", "https://app.kognic.test/v1/datasets", status, headers, body).data(str)
    assert ("is the host that of the API" in caught.value.message) == asked
    assert "<" not in caught.value.message.replace("<dataset>", "")


def test_an_answer_can_be_logged() -> None:
    """Headers and body, which may hold secrets, are not shown."""
    shown = repr(Answer("GET", "https://kognic.test/x", 200, {"set-cookie": "secret-a"}, b"secret-b"))
    assert "secret" not in shown


def _forbidden(challenge: str | None) -> Answer:
    headers = {} if challenge is None else {"www-authenticate": challenge}
    return Answer("POST", "https://kognic.example/v1/predictions", 403, headers, b'{"message": "no"}')


@pytest.mark.parametrize(
    ("challenge", "named"),
    [
        ('Bearer error="insufficient_scope", scope="api:write"', "api:write"),
        ('Bearer realm="kognic",scope="api:read  api:write",error=insufficient_scope', "api:read api:write"),
        ("BEARER ERROR=insufficient_scope, SCOPE=api:write", "api:write"),
        ("Bearer scope=api:write,error=insufficient_scope", "api:write"),
        ('Bearer error="insufficient_scope"', "that this needs"),
        ('Bearer error="insufficient_scope", scope=""', "that this needs"),
        ('Bearer error="insufficient_scope", scope="a secret"', "a ***"),
        ('Bearer error="invalid_token", scope="api:write"', None),
        ('Bearer scope="api:write"', None),
        (None, None),
    ],
)
def test_a_missing_scope_is_named(challenge: str | None, named: str | None) -> None:
    """As RFC 6750 has a server say it."""
    with pytest.raises(KognicPermissionError) as caught:
        _forbidden(challenge).data(lambda text: text.replace("secret", "***"))
    said = None if named is None else f"no. The token lacks the scope {named}: ask your Kognic contact for it"
    assert caught.value.message.startswith(said or "no")
    assert ("scope" in caught.value.message) is (named is not None)


def test_a_challenge_without_end_is_no_scope() -> None:
    challenge = 'Bearer error="insufficient_scope", scope="' + "x" * 100_000
    with pytest.raises(KognicPermissionError) as caught:
        _forbidden(challenge).data(str)
    assert len(caught.value.message) < 500
