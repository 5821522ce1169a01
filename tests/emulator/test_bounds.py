"""What others may take of the emulator's places, time and memory: as bytes, as no client would send them."""

import json
import selectors
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.api.auth import TOKEN_PATH
from airflow_provider_kognic.emulator.serving import protocol
from airflow_provider_kognic.emulator.stats import OTHER_ROUTES, Stats
from airflow_provider_kognic.emulator.testing import Emulator, running_emulator
from tests.patience import wait_for

from .conftest import Post, openlabel
from .wire import answer_on, asked, connected, head

GROUPS = f"/v1/datasets/{demo.DATASET_UUID}/predictions-groups"
DEEP = b"[" * 200_000


def bearer(emulator: Emulator) -> str:
    return f"Authorization: Bearer {emulator.token()}"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def is_closed(connection: socket.socket) -> bool:
    """The other side has closed it, or does within the time-out."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def is_left(connection: socket.socket) -> bool:
    """The other side has closed it, which this one cannot see before it has read what came before that."""
    (_, here), (_, there) = connection.getsockname(), connection.getpeername()
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = {(row[1][-4:], row[2][-4:]): row[3] for row in rows}
    return ends.get((f"{there:04X}", f"{here:04X}")) != "01"


# --- bodies ---


def test_half_sent_bodies_without_a_token_take_no_place(emulator: Emulator, post: Post, group: str) -> None:
    with ExitStack() as stack:
        for number in range(20):
            connection = stack.enter_context(connected(emulator))
            token = [] if number % 2 else ["Authorization: Bearer nonsense"]
            path = f"POST /v1/predictions-groups/{group}/predictions"
            connection.sendall(head(path, *token, "Content-Length: 1000") + b'{"sceneUuid"')
            assert answer_on(connection)[0] == 401
        assert post().status_code == 200
    assert emulator.stats()["rejected_too_many"] == 0


def test_half_sent_bodies_with_a_token_give_their_places_back(emulator: Emulator, post: Post) -> None:
    emulator.set_faults(body_seconds=3)
    emulator.reset_stats()
    token = bearer(emulator)
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(emulator)) for _ in range(10)]
        for connection in connections:
            connection.sendall(head(f"POST {GROUPS}", token, "Content-Length: 1000") + b"{")
        wait_for(lambda: emulator.stats()["most_in_flight"] == 10)
        assert post().status_code == 429
        for connection in connections:
            code, body = answer_on(connection)
            assert (code, json.loads(body)) == (408, {"message": "The body did not come within 3 s"})
            assert is_closed(connection)
        assert post().status_code == 200


def test_a_body_that_drips_is_too_late_all_the_same(emulator: Emulator) -> None:
    emulator.set_faults(body_seconds=0.5)
    with connected(emulator) as connection, selectors.DefaultSelector() as answered:
        connection.sendall(head(f"POST {GROUPS}", bearer(emulator), "Content-Length: 1000"))
        # Long before its 1,000 bytes are there.
        answered.register(connection, selectors.EVENT_READ)
        for _ in range(300):
            connection.sendall(b" ")
            if answered.select(0.1):
                break
        assert answer_on(connection)[0] == 408


@pytest.mark.parametrize("path", [GROUPS, TOKEN_PATH, "/v1/auth/oauth/revoke", "/__admin/clients"])
def test_a_body_that_is_announced_too_large_is_not_waited_for(emulator: Emulator, path: str) -> None:
    emulator.set_faults(max_body_bytes=1000)
    request = head(
        f"POST {path}", bearer(emulator), "Content-Type: application/json", "Content-Length: 99999999"
    )
    code, body = asked(emulator, request)
    assert code == 413
    assert "larger than" in json.loads(body)["message"]


@pytest.mark.parametrize(("size", "code"), [(1000, 400), (1001, 413)])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_is_as_large_as_it_may_be(emulator: Emulator, size: int, code: int, *, chunked: bool) -> None:
    emulator.set_faults(max_body_bytes=1000)
    body = b" " * size
    if chunked:
        body = chunk(body[:500]) + chunk(body[500:]) + b"0\r\n\r\n"
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    assert asked(emulator, head(f"POST {GROUPS}", bearer(emulator), length) + body)[0] == code


def test_a_connection_is_used_again_after_a_body_that_nobody_wanted(emulator: Emulator) -> None:
    with connected(emulator) as connection:
        connection.sendall(head(f"POST {GROUPS}", "Content-Length: 300000"))
        assert answer_on(connection)[0] == 401
        connection.sendall(b"x" * 300_000 + head("GET /v2/datasets", bearer(emulator)))
        assert answer_on(connection)[0] == 200


def test_who_does_not_send_on_after_an_early_answer_is_left(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "LINGER_SECONDS", 0.3)
    for request in (f"POST {GROUPS}", "GET /", "POST /__admin/nothing"):
        host = "evil.example" if "admin" in request else "localhost"
        with connected(emulator) as connection:
            connection.sendall(head(request, "Content-Length: 1000", host=host))
            assert answer_on(connection)[0] in {200, 401, 421}
            assert is_closed(connection)


def test_who_asks_first_is_told_before_the_body(emulator: Emulator) -> None:
    with connected(emulator) as connection:
        connection.sendall(head(f"POST {GROUPS}", "Content-Length: 10", "Expect: 100-continue"))
        assert answer_on(connection)[0] == 401


# --- heads and connections ---


def test_a_head_that_does_not_come_is_not_waited_for(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    with connected(emulator) as silent, connected(emulator) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        assert answer_on(slow)[0] == 408
        assert is_closed(slow)
        assert is_closed(silent)
        assert httpx.get(emulator.url).status_code == 200


def test_an_idle_connection_is_kept(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has shown that it means well, and clients count on it."""
    with connected(emulator) as connection:
        connection.sendall(head("GET /v2/datasets"))
        assert answer_on(connection)[0] == 401
        # Not before: only what comes in one piece comes in time on any machine.
        monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
        for _ in range(2):
            connection.sendall(head("GET /v2/datasets"))
            assert answer_on(connection)[0] == 401
            time.sleep(0.5)
        monkeypatch.undo()
        connection.sendall(b"GET /v2/datasets HTTP/1.1\r\n")
        time.sleep(0.05)
        connection.sendall(b"Host: localhost\r\n\r\n")
        assert answer_on(connection)[0] == 401


@pytest.mark.parametrize("line", [b"x" * 100, b"X-Many: y\r\n", b""])
def test_a_head_without_end_is_refused(emulator: Emulator, line: bytes) -> None:
    """One line, many of them, or a path."""
    begin = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " if line else b"GET /"
    with connected(emulator) as connection:
        connection.sendall(begin)
        try:
            for _ in range(100):
                connection.sendall((line or b"x" * 100) * 1000)
        except ConnectionError:
            return
        assert answer_on(connection)[0] == 431


def test_a_large_body_before_the_next_request_counts_for_none(emulator: Emulator) -> None:
    with connected(emulator) as connection:
        body = b" " * 400_000
        post = head(f"POST {GROUPS}", bearer(emulator), f"Content-Length: {len(body)}") + body
        connection.sendall(post + b"GET /v2/datasets HT")
        assert answer_on(connection)[0] == 400
        connection.sendall(b"TP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer_on(connection)[0] == 401


def test_there_are_only_so_many_connections(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MOST_CONNECTIONS", 30)
    with ExitStack() as stack:
        for _ in range(40):
            last = stack.enter_context(connected(emulator))
        assert answer_on(last)[0] == 503
    wait_for(lambda: httpx.get(emulator.url).status_code == 200)


def test_who_does_not_read_is_left(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "STUCK_SECONDS", 0.3)
    match = {"path": "^/v2/datasets$"}
    emulator.set_faults(script=[{"kind": "huge", "size": 50_000_000, "match": match}])
    with connected(emulator) as connection:
        connection.sendall(head("GET /v2/datasets", bearer(emulator)))
        wait_for(lambda: is_left(connection))
        read = 0
        while data := connection.recv(1 << 20):
            read += len(data)
        assert 0 < read < 50_000_000


def test_paths_that_nobody_knows_are_counted_together() -> None:
    stats = Stats()
    for number in range(2000):
        stats.count_request("GET", f"/v1/{number}", 404)
    assert len(stats.requests) == 501
    assert stats.requests[OTHER_ROUTES] == {"404": 1500}


# --- what is in a body ---


@pytest.mark.parametrize(
    "body",
    [
        DEEP,
        DEEP + b"]" * len(DEEP),
        b'{"a":' * 200_000,
        b'{"sceneUuid":"a","openlabelContent":' + DEEP,
        b'{"sceneUuid":"a","openlabelContent":{"openlabel":' + DEEP + b"]" * len(DEEP) + b"}}",
        b'{"openlabelContent":{"openlabel":{"frames":{"0":{"objects":' + b'{"image":' * 200_000,
        b'{"name":"a","classMapping":[{"annotated":' + DEEP,
        b'{"name":"a","classMapping":[{"annotated":' + DEEP + b"]" * len(DEEP) + b"}]}",
        b'{"name":' + DEEP,
    ],
)
@pytest.mark.parametrize("validate", [False, True])
def test_what_is_nested_without_end_is_malformed(
    emulator: Emulator, client: httpx.Client, group: str, body: bytes, *, validate: bool
) -> None:
    emulator.set_faults(validate_openlabel=validate)
    for path in (f"/v1/predictions-groups/{group}/predictions", GROUPS):
        answer = client.post(path, content=body)
        assert answer.status_code == 400
        assert answer.json()["message"]
    for path in ("/__admin/faults", "/__admin/datasets", "/__admin/clients", "/__admin/predictions"):
        answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in {400, 422}
        assert answer.json()["message"]
    for content_type in ("application/x-www-form-urlencoded", "application/json"):
        answer = client.post(TOKEN_PATH, content=body[:60_000], headers={"Content-Type": content_type})
        assert answer.status_code == 400
    emulator.set_faults(rules=[{"kind": "429", "match": {"scene": demo.scene_uuid(0)}}])
    assert client.post(f"/v1/predictions-groups/{group}/predictions", content=body).status_code == 400


def test_what_is_nested_deeply_in_a_document_is_said_to_be(
    emulator: Emulator, post: Post, client: httpx.Client, group: str
) -> None:
    """Where the parser of the body still follows, that of the document may not."""
    emulator.set_faults(validate_openlabel=False)
    for depth in range(100, 2000, 100):
        document: dict[str, Any] = openlabel()
        text = json.dumps(document).replace('"name": "one"', '"name": ' + "[" * depth + "]" * depth)
        body = f'{{"sceneUuid": "{demo.scene_uuid(0)}", "openlabelContent": {text}}}'
        answer = client.post(f"/v1/predictions-groups/{group}/predictions", content=body)
        assert answer.status_code in {200, 400}
        for row in emulator.predictions(group):
            path = f"/dataset/{demo.DATASET_UUID}/predictions/{group}/{row['uuid']}"
            assert httpx.get(f"{emulator.url}{path}").status_code == 200
        emulator.remove_predictions(group)


@pytest.mark.parametrize("credentials", ["\xe9", "!!!", "=", "YQ", "6Q=="])
def test_credentials_that_are_none_are_401(emulator: Emulator, credentials: str) -> None:
    headers = [(b"Authorization", f"Basic {credentials}".encode("latin-1"))]
    form = {"grant_type": "client_credentials"}
    assert httpx.post(emulator.url + TOKEN_PATH, data=form, headers=headers).status_code == 401


@pytest.mark.parametrize(
    "settings",
    [
        {"sunset_date": "a\r\nX: y"},
        {"sunset_date": "\u20ac"},
        {"rules": [{"kind": "redirect", "location": "/\r\n\r\n"}]},
        {"rules": [{"kind": "redirect", "location": "/\n"}]},
        {"rules": [{"kind": "429", "retry_after": "soon\u00a0"}]},
    ],
)
def test_what_no_header_can_say_is_refused(emulator: Emulator, settings: dict[str, Any]) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="422"):
        emulator.set_faults(settings)


@pytest.mark.parametrize(
    "settings",
    [
        '{"listing_lag": 1e999}',
        '{"body_seconds": NaN}',
        '{"rules": [{"kind": "hang", "seconds": 1e999}]}',
        '{"rules": [{"kind": "429", "retry_after": 1e999}]}',
        '{"rules": [{"kind": "gzip_bomb", "size": 99999999999}]}',
    ],
)
def test_what_is_no_number_of_seconds_is_refused(emulator: Emulator, settings: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = httpx.put(f"{emulator.url}/__admin/faults", content=settings, headers=headers)
    assert answer.status_code == 422


def test_faults_apply_to_who_has_no_token_as_well(emulator: Emulator) -> None:
    """Something in front may fail before anyone looks at the token."""
    emulator.set_faults(script=[{"kind": "503_before", "match": {}}, {"kind": "503_after", "match": {}}])
    answers = [httpx.get(f"{emulator.url}/v2/datasets").status_code for _ in range(3)]
    assert answers == [503, 401, 401]


def test_it_stops_at_once_while_bodies_are_awaited() -> None:
    with running_emulator() as emulator, connected(emulator) as connection:
        connection.sendall(head(f"POST {GROUPS}", bearer(emulator), "Content-Length: 1000"))
        wait_for(lambda: emulator.stats()["most_in_flight"] == 1)
        emulator.stop()  # which raises where something keeps it
