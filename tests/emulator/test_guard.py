"""Who gets in by which name: a page whose name leads to this machine must not."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from airflow_provider_kognic.emulator.__main__ import main
from airflow_provider_kognic.emulator.serving.hosts import Hosts, is_local, name_in
from airflow_provider_kognic.emulator.testing import Emulator

from .wire import asked, head

COMMAND = [sys.executable, "-m", "airflow_provider_kognic.emulator", "--port", "0"]
ELSEWHERE = ["--host", "0.0.0.0"]
ROUTES = ["/", "/static/viewer.js", "/v2/datasets", "/v1/nothing", "/__admin/faults", "/nothing"]

LOCAL = [
    "localhost",
    "LOCALHOST:80",
    "localhost.",
    "kognic.localhost:8080",
    "127.0.0.1",
    "127.0.0.1:9",
    "127.9.8.7",
    "[::1]",
    "[::1]:8080",
    "[::ffff:127.0.0.1]",
]
FOREIGN = [
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "notlocalhost",
    "127.0.0.1.evil.example",
    "192.168.0.1",
    "0.0.0.0",
    "[::2]:8080",
    "emulator:8080",
]
MALFORMED = [
    "",
    "localhost:x",
    "localhost:",
    "a b",
    "user@localhost",
    "localhost/x",
    "[::1",
    "::1",
    "\xe9",
    ".",
]


@contextmanager
def started(*arguments: str) -> Iterator[str]:
    """The address of an emulator that is started with these arguments."""
    command = [*COMMAND, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def status(url: str, path: str, host: str) -> int:
    return httpx.get(f"{url}{path}", headers={"Host": host}).status_code


@pytest.mark.parametrize("path", ROUTES)
def test_a_page_rebound_to_this_machine_reads_nothing(emulator: Emulator, path: str) -> None:
    for host in FOREIGN:
        code, body = asked(emulator, head(f"GET {path}", host=host))
        message = json.loads(body)["message"]
        assert code == 421
        assert "--allow-host" in message
        assert "localhost" in message


def test_a_page_rebound_to_this_machine_changes_nothing(emulator: Emulator) -> None:
    body = b'{"page_size": 7}'
    headers = ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    request = head("PUT /__admin/faults", *headers, host="evil.example") + body
    assert asked(emulator, request)[0] == 421
    assert emulator.faults()["page_size"] == 500


@pytest.mark.parametrize("host", LOCAL)
def test_names_of_this_machine_pass(emulator: Emulator, host: str) -> None:
    expected = {"/": 200, "/static/viewer.js": 200, "/v2/datasets": 401, "/v1/nothing": 404, "/nothing": 404}
    for path in ROUTES:
        assert asked(emulator, head(f"GET {path}", host=host))[0] == expected.get(path, 200)


@pytest.mark.parametrize("host", MALFORMED)
def test_what_is_no_name_is_400(emulator: Emulator, host: str) -> None:
    for path in ("/", "/v2/datasets", "/__admin/faults"):
        code, body = asked(emulator, head(f"GET {path}", host=host))
        assert code == 400
        assert json.loads(body)["message"]


@pytest.mark.parametrize("path", ["/", "/v2/datasets", "/__admin/faults"])
@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Host: localhost", "Host: evil.example"],
        ["Host: localhost", "host: localhost"],
        ["Host: evil.example", "Host: localhost"],
    ],
)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_no_host_or_two_are_400(emulator: Emulator, path: str, headers: list[str], version: str) -> None:
    request = head(f"GET {path}", *headers, host=None).replace(b"HTTP/1.1", f"HTTP/{version}".encode(), 1)
    assert asked(emulator, request)[0] == 400


@pytest.mark.parametrize(
    ("target", "host", "code"),
    [
        ("http://evil.example/__admin/stats", "localhost", 421),
        ("HTTP://evil.example/__admin/stats", "localhost", 421),
        ("http://localhost/__admin/stats", "evil.example", 421),
        ("http://localhost/__admin/stats", "localhost", 200),
        ("http://127.0.0.1:80/v2/datasets?x=/", "localhost", 401),
        ("http://user@localhost/", "localhost", 400),
        ("http://localhost", "localhost", 400),
        ("ftp://localhost/", "localhost", 400),
        ("//evil.example/__admin/stats", "localhost", 404),
        ("*", "localhost", 400),
    ],
)
def test_a_whole_url_is_asked_for_by_its_name(emulator: Emulator, target: str, host: str, code: int) -> None:
    assert asked(emulator, head(f"GET {target}", host=host))[0] == code


def test_a_name_that_is_allowed_passes_and_opens_no_admin_endpoint() -> None:
    with started("--allow-host", "Kognic.Test.") as url:
        assert status(url, "/", "kognic.test:8080") == 200
        assert status(url, "/v2/datasets", "kognic.test.") == 401
        assert status(url, "/", "evil.example") == 421
        assert status(url, "/__admin/faults", "kognic.test") == 403
        assert status(url, "/__admin/faults", "localhost") == 200


def test_bound_elsewhere_the_api_answers_to_any_name_and_the_admin_endpoints_do_not() -> None:
    with started(*ELSEWHERE) as url:
        assert status(url, "/v2/datasets", "emulator:8080") == 401
        assert status(url, "/", "evil.example") == 200
        assert status(url, "/__admin/faults", "evil.example") == 403
        assert status(url, "/__admin/faults", "localhost:8081") == 200
        assert status(url, "/", "") == 400


def test_bound_elsewhere_names_can_be_told() -> None:
    with started(*ELSEWHERE, "--allow-host", "emulator", "--allow-host", "EMULATOR.test") as url:
        for host in ("emulator:8080", "emulator.test", "localhost:8080"):
            assert status(url, "/v2/datasets", host) == 401
        answer = httpx.get(f"{url}/", headers={"Host": "evil.example"})
        assert answer.status_code == 421
        assert "emulator, emulator.test, localhost" in answer.json()["message"]


@pytest.mark.parametrize("name", ["emulator:8080", "http://emulator", "a b", ""])
def test_what_is_no_name_cannot_be_allowed(capsys: pytest.CaptureFixture[str], name: str) -> None:
    with pytest.raises(SystemExit):
        main(["--port", "0", "--allow-host", name])
    assert "no name of a host" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 200),
        ({"Origin": "{url}"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://localhost:3000"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_a_page_of_elsewhere_does_not_reach_the_admin_endpoints(
    emulator: Emulator, headers: dict[str, str], code: int
) -> None:
    """A browser sends some requests anywhere, without asking first."""
    headers = {name: value.format(url=emulator.url) for name, value in headers.items()}
    answer = httpx.post(f"{emulator.url}/__admin/faults", json={"page_size": 9}, headers=headers)
    assert answer.status_code == code
    assert emulator.faults()["page_size"] == (9 if code == 200 else 500)


def test_one_origin_of_two_may_be_elsewhere(emulator: Emulator) -> None:
    for more in (
        ["Origin: http://localhost", "Origin: https://evil.example"],
        ["Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"],
    ):
        assert asked(emulator, head("GET /__admin/faults", *more))[0] == 403


def test_names_are_compared_in_one_form() -> None:
    assert [name_in(host) for host in MALFORMED] == [None] * len(MALFORMED)
    assert name_in("Some-Where_1.Example.:443") == "some-where_1.example"
    assert all(is_local(name_in(host) or "") for host in LOCAL)
    assert not any(is_local(name_in(host) or "") for host in FOREIGN)
    assert Hosts(None).allow("evil.example")
