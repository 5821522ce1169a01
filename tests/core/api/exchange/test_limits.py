"""How long an answer may take in all, and that a stop reaches whoever waits for it."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.api.exchange import limits
from airflow_provider_kognic.core.api.exchange.background import Background
from airflow_provider_kognic.core.api.exchange.limits import TimeLimit, longest_answer
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.cancellation import CancelledBeforeSending
from airflow_provider_kognic.core.errors import (
    KognicConnectionError,
    KognicNoAnswerError,
    KognicRateLimitError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.groups.ensure import ensure_predictions_group
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.api.both_clients import Send, both, each_way
from tests.core.support import (
    UUID,
    Answer,
    RawServer,
    Request,
    always,
    free_port,
    http,
    raw_server,
    settings_for,
)
from tests.patience import PATIENCE

SOON = 30
"""Seconds; whatever hangs or drips here does so far longer."""

CREATED = http(200, json.dumps({"data": UUID}) + " " * 500)
HEAD = CREATED.index(b"\r\n\r\n") + 4


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second in all, where it is half a minute at least."""
    monkeypatch.setattr(limits, "_LEAST", 1.0)
    monkeypatch.setattr(limits, "_TIMEOUTS", 1)


def dripping(raw: bytes, start: int) -> Answer:
    """The answer's first bytes, then one after the other, each long before the time-out."""

    def answer(connection: socket.socket, _request: Request) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(raw[:start])
        for at in range(start, len(raw)):
            time.sleep(0.1)
            connection.sendall(raw[at : at + 1])

    return answer


def test_how_long_an_answer_may_take() -> None:
    assert longest_answer(60) == 300
    assert longest_answer(1) == 30


@each_way
@pytest.mark.parametrize("start", [0, HEAD - 10, HEAD])
@pytest.mark.usefixtures("impatient")
def test_an_answer_that_drips_in_ends(
    emulator: Emulator, tokens: TokenProvider, send: Send, start: int
) -> None:
    """Head or body: it counts as unanswered, so a POST is in doubt."""
    with raw_server(dripping(CREATED, start)) as server:
        began = time.monotonic()
        with pytest.raises(KognicNoAnswerError, match="not complete after 1 s"):
            send(settings_for(emulator, base_url=server.url, timeout=1), tokens)
        assert time.monotonic() - began < SOON
        assert len(server.requests) == 1


@pytest.mark.usefixtures("impatient")
def test_a_listing_that_drips_in_ends(emulator: Emulator, tokens: TokenProvider) -> None:
    """A listing may be asked for again, but not without end."""
    with raw_server(dripping(http(200, '{"data": []}' + " " * 500), 20)) as server:
        settings = settings_for(emulator, base_url=server.url, timeout=1)
        began = time.monotonic()
        with (
            KognicClient(settings, tokens=tokens, backoff=Backoff(0.01, 0.01, attempts=50)) as client,
            pytest.raises(KognicNoAnswerError, match="not complete"),
        ):
            client.list_datasets()
        assert time.monotonic() - began < SOON


@both
@pytest.mark.parametrize("start", [0, HEAD])
@pytest.mark.usefixtures("impatient")
def test_a_token_that_drips_in_ends(emulator: Emulator, send: Send, start: int) -> None:
    """Nothing was sent to the API then; and nobody goes on reading it."""
    with raw_server(dripping(CREATED, start)) as server:
        settings = settings_for(emulator, auth_host=server.url, timeout=1)
        began = time.monotonic()
        with pytest.raises(KognicConnectionError, match="no token"):
            send(settings, TokenProvider(settings))
        assert time.monotonic() - began < SOON
    for thread in threading.enumerate():
        if thread.name == "kognic-token":
            thread.join(PATIENCE)
            assert not thread.is_alive()


@both
@pytest.mark.usefixtures("impatient")
def test_a_proxy_that_drips_in_its_consent(emulator: Emulator, tokens: TokenProvider, send: Send) -> None:
    """Then nothing was sent, and a POST may be made again."""
    drip = dripping(b"HTTP/1.1 200 OK" + b"x" * 500, 3)
    request = Request("CONNECT", "", {}, b"")
    with raw_server(drip, hello=lambda connection: drip(connection, request)) as proxy:
        settings = settings_for(emulator, base_url="https://127.0.0.1:1", proxy=proxy.url, timeout=1)
        with pytest.raises(KognicConnectionError, match="no connection was established in time"):
            send(settings, tokens)


@each_way
@pytest.mark.usefixtures("impatient")
def test_a_large_document_on_a_slow_link_is_not_cut(
    emulator: Emulator, tokens: TokenProvider, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time for the answer begins when the document has left, however long that takes."""
    from tests.core.api import both_clients

    def slowly(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65_536)
        head, _, body = data.partition(b"\r\n\r\n")
        left = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]) - len(body)
        while left:
            time.sleep(0.02)
            left -= len(connection.recv(min(left, 131_072)))
        connection.sendall(CREATED)

    monkeypatch.setattr(both_clients, "DOCUMENT", b'{"openlabel":{}}' + b" " * 20_000_000)
    with raw_server(always(b""), hello=slowly) as server:
        began = time.monotonic()
        assert send(settings_for(emulator, base_url=server.url, timeout=1), tokens) == UUID
        assert time.monotonic() - began > 2


# --- stopping ---


def stopped_once(server: RawServer, method: str = "") -> Callable[[], bool]:
    """Asked to stop a moment after the server has been asked something."""
    asked: list[float] = []

    def stopping() -> bool:
        if not asked and any(method in request.method for request in server.requests):
            asked.append(time.monotonic())
        return bool(asked) and time.monotonic() > asked[0] + 0.3

    return stopping


def hanging(connection: socket.socket, _request: Request) -> None:
    """As long as the other side waits."""
    with suppress(OSError):
        while connection.recv(65536):
            pass


LISTING = Backoff(0.01, 0.01, attempts=50)


@pytest.mark.parametrize("answer", [hanging, dripping(CREATED, 0), dripping(CREATED, HEAD)])
def test_a_stop_reaches_a_listing(emulator: Emulator, tokens: TokenProvider, answer: Answer) -> None:
    """Within a second; then nothing is asked any more."""
    with raw_server(answer) as server:
        settings = settings_for(emulator, base_url=server.url, timeout=300)
        began = time.monotonic()
        with KognicClient(settings, tokens=tokens, backoff=LISTING, stopping=stopped_once(server)) as client:
            with pytest.raises(KognicStoppedError):
                client.list_datasets()
            assert time.monotonic() - began < SOON
            with pytest.raises(KognicStoppedError):
                client.list_datasets()
        assert time.monotonic() - began < SOON
        assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [hanging, dripping(CREATED, 0)])
def test_a_stop_reaches_who_waits_for_a_token(emulator: Emulator, answer: Answer) -> None:
    with raw_server(answer) as server:
        settings = settings_for(emulator, auth_host=server.url, timeout=300)
        began = time.monotonic()
        with (
            KognicClient(settings, backoff=LISTING, stopping=stopped_once(server)) as client,
            pytest.raises(KognicStoppedError),
        ):
            client.create_prediction(UUID, UUID, b"{}")
        assert time.monotonic() - began < SOON


def test_a_stop_reaches_who_waits_for_the_next_try(emulator: Emulator, tokens: TokenProvider) -> None:
    settings = settings_for(emulator, base_url=f"http://127.0.0.1:{free_port()}")
    began = time.monotonic()
    patient = Backoff(300, 300, attempts=5)
    with (
        KognicClient(
            settings, tokens=tokens, backoff=patient, stopping=lambda: time.monotonic() > began + 1
        ) as client,
        pytest.raises(KognicStoppedError),
    ):
        client.list_datasets()
    assert time.monotonic() - began < SOON


def test_a_stop_names_what_was_waited_out(emulator: Emulator, tokens: TokenProvider) -> None:
    """Else nobody would know why it took so long."""
    emulator.set_faults(rules=[{"kind": "429", "retry_after": 300, "match": {"method": "GET"}}])
    paused: list[float] = []
    with (
        KognicClient(
            settings_for(emulator), tokens=tokens, sleep=paused.append, stopping=lambda: bool(paused)
        ) as client,
        pytest.raises(KognicStoppedError) as caught,
    ):
        client.list_datasets()
    assert isinstance(caught.value.__cause__, KognicRateLimitError)


def test_a_post_that_a_stop_cuts_off_is_doubt(emulator: Emulator, tokens: TokenProvider) -> None:
    """It may have been executed."""
    with raw_server(hanging) as server:
        settings = settings_for(emulator, base_url=server.url, timeout=300)
        with (
            KognicClient(settings, tokens=tokens, backoff=LISTING, stopping=stopped_once(server)) as client,
            pytest.raises(KognicNoAnswerError, match="asked to stop"),
        ):
            client.create_prediction(UUID, UUID, b"{}")
        assert len(server.requests) == 1


def test_a_group_whose_creation_was_cut_off_stays_intended(emulator: Emulator, tokens: TokenProvider) -> None:
    """The next attempt looks for it; this one ends at once."""

    class Memory:
        states: list[str] = []  # noqa: RUF012

        def load(self) -> None:
            return None

        def save(self, intent: object) -> None:
            assert isinstance(intent, dict)
            self.states.append(intent["state"])

    def answer(connection: socket.socket, request: Request) -> None:
        if request.method == "POST":
            hanging(connection, request)
            return
        connection.sendall(http(200, '{"data": []}'))

    memory = Memory()
    with raw_server(answer) as server:
        settings = settings_for(emulator, base_url=server.url, timeout=300)
        began = time.monotonic()
        with (
            KognicClient(settings, tokens=tokens, stopping=stopped_once(server, "POST")) as client,
            pytest.raises(KognicStoppedError),
        ):
            ensure_predictions_group(client, UUID, "a group", memory=memory)
        assert time.monotonic() - began < SOON
    assert memory.states == ["intended"]


def test_a_client_that_was_interrupted_goes_on(emulator: Emulator, tokens: TokenProvider) -> None:
    """An exception of a signal handler, such as Airflow's time-out, ends a call; the next one is answered."""

    class InterruptedTask(Exception):  # noqa: N818
        pass

    interrupted = False

    def interrupt() -> bool:
        nonlocal interrupted
        if server.requests and not interrupted:
            interrupted = True
            raise InterruptedTask
        return False

    answers = iter([hanging, always(http(200, '{"data": []}'))])
    with raw_server(lambda connection, request: next(answers)(connection, request)) as server:  # noqa: PLW0108
        settings = settings_for(emulator, base_url=server.url)
        with KognicClient(settings, tokens=tokens, stopping=interrupt) as client:
            with pytest.raises(InterruptedTask):
                client.list_datasets()
            assert client.list_datasets() == []


def test_a_client_that_is_forgotten_leaves_no_thread(emulator: Emulator, tokens: TokenProvider) -> None:
    """Not everybody closes it."""
    others = set(threading.enumerate())
    client = KognicClient(settings_for(emulator), tokens=tokens)
    client.list_datasets()
    (thread,) = [thread for thread in set(threading.enumerate()) - others if thread.name == "kognic-client"]
    del client
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_limit_can_be_moved() -> None:
    """To both sides; what others cancel is theirs."""

    async def lasts(first: float, *moves: float) -> tuple[float, bool]:
        began = time.monotonic()
        limit = TimeLimit(first)
        with limit:
            for move in moves:
                limit.move(move)
            await asyncio.sleep(300)
        return time.monotonic() - began, limit.passed

    for moves in ((0.2,), (200.0, 0.2), (0.05, 0.2), (0.05, 200.0, 0.2)):
        took, passed = asyncio.run(lasts(*moves))
        assert passed
        assert 0.15 < took < SOON

    async def cancelled() -> None:
        task = asyncio.create_task(lasts(200.0))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())


def test_a_cancelled_prediction_that_never_left(emulator: Emulator, tokens: TokenProvider) -> None:
    """While its connection is being made nothing has been sent: that is certain, and said so."""

    def silent(connection: socket.socket) -> None:
        hanging(connection, Request("CONNECT", "", {}, b""))

    async def cancel() -> None:
        settings = settings_for(emulator, base_url="https://127.0.0.1:1", proxy=proxy.url)
        async with AsyncKognicClient(settings, tokens=tokens) as client:
            task = asyncio.create_task(client.create_prediction(UUID, UUID, b"{}"))
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(CancelledBeforeSending):
                await task

    with raw_server(always(b""), hello=silent) as proxy:
        asyncio.run(cancel())


def test_what_has_not_begun_is_cancelled_before_sending() -> None:
    """At once, although the loop is busy; and it never begins."""

    async def nothing() -> None:
        pass

    entered, done = threading.Event(), threading.Event()

    async def busy() -> None:
        entered.set()
        assert done.wait(PATIENCE)

    begun: list[str] = []

    async def begin() -> None:
        begun.append("it")

    main = threading.current_thread()
    background = Background(lambda: threading.current_thread() is main, nothing)
    other = threading.Thread(target=background.run, args=(busy,))
    other.start()
    assert entered.wait(PATIENCE)
    with pytest.raises(CancelledBeforeSending):
        background.run(begin)
    done.set()
    other.join(PATIENCE)
    background.close()
    assert begun == []
