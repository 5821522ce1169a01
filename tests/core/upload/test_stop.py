"""An upload that is asked to stop: no new sends, a moment for those in flight, everything accounted for."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicPermissionError, KognicStoppedError
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.models import Outcome, Prediction, Result
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.upload.stop import Stop
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import (
    Listed,
    MemoryLog,
    Request,
    check_truth,
    content,
    http,
    raw_server,
    rows,
    settings_for,
    upload_all,
)
from tests.patience import PATIENCE, wait_for

SOON = 60
"""Seconds; whatever hangs here hangs far longer."""

POSTS = "POST /v1/predictions-groups/{uuid}/predictions"


def wait_for_posts(emulator: Emulator, count: int) -> None:
    wait_for(lambda: emulator.stats()["prediction_posts"] >= count)


def until_left(connection: socket.socket) -> None:
    """Hang as long as the other side waits."""
    with suppress(OSError):
        while connection.recv(65536):
            pass


@pytest.mark.parametrize("by_signal", [False, True])
def test_stop_in_mid_run(emulator: Emulator, group: str, *, by_signal: bool) -> None:
    """Asked from a thread or a signal handler: what is in flight comes back, the rest is unsent."""
    emulator.set_faults(rules=[{"kind": "latency", "seconds": 0.2}])
    stop = Stop()

    def handler(_number: int, _frame: FrameType | None) -> None:
        stop.request("killed")

    def ask() -> None:
        wait_for_posts(emulator, 30)
        if by_signal:
            os.kill(os.getpid(), signal.SIGUSR1)
        else:
            stop.request("killed")

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        run = upload_all(rows(300), settings_for(emulator), group, stop=stop, alongside=ask)
    finally:
        signal.signal(signal.SIGUSR1, before)
    created, refused, in_doubt, unsent = run.counts()
    assert isinstance(run.report.stopped, KognicStoppedError)
    assert str(run.report.stopped) == "killed"
    assert (refused, in_doubt) == (0, 0)
    assert 30 <= created < 200
    assert unsent == 300 - created
    assert emulator.stats()["prediction_posts"] == created
    check_truth(run, emulator, group)


def test_what_hangs_is_cut_off(emulator: Emulator, group: str) -> None:
    """Requests that do not come back within the moment they are given are in doubt."""
    hanging = [demo.scene_uuid(i) for i in (3, 4)]
    emulator.set_faults(
        rules=[
            *({"kind": "hang", "seconds": 300, "match": {"scene": scene}} for scene in hanging),
            {"kind": "latency", "seconds": 0.2},
        ]
    )
    stop = Stop()

    def ask() -> None:
        wait_for_posts(emulator, 20)
        stop.request("killed", drain=2)

    started = time.monotonic()
    settings = settings_for(emulator, timeout=300)
    run = upload_all(rows(300), settings, group, stop=stop, alongside=ask)
    assert time.monotonic() - started < SOON
    assert run.scenes(Outcome.IN_DOUBT) == set(hanging)
    assert run.report.summary.unsent > 0
    check_truth(run, emulator, group)


def test_stop_asked_for_before_the_start(emulator: Emulator, group: str) -> None:
    """Nothing is sent at all."""
    stop = Stop()
    stop.request("killed before it began")
    run = upload_all(rows(30), settings_for(emulator), group, stop=stop)
    assert run.counts() == (0, 0, 0, 30)
    assert emulator.stats()["prediction_posts"] == 0


def test_stop_after_the_end_is_harmless(emulator: Emulator, group: str) -> None:
    """A signal that comes late finds nothing to stop."""
    stop = Stop()
    run = upload_all(rows(3), settings_for(emulator), group, stop=stop)
    stop.request("late")
    assert run.counts() == (3, 0, 0, 0)


def test_stop_while_waiting_for_retry_after(emulator: Emulator, group: str) -> None:
    """Nobody sits out a Retry-After once the task is to end."""
    emulator.set_faults(rules=[{"kind": "429", "retry_after": 300}])
    stop = Stop()

    def ask() -> None:
        wait_for_posts(emulator, 1)
        stop.request("killed", drain=2)

    started = time.monotonic()
    run = upload_all(rows(30), settings_for(emulator), group, stop=stop, alongside=ask, backoff=Backoff())
    assert time.monotonic() - started < SOON
    assert run.counts() == (0, 0, 0, 30)


def test_stop_in_an_outage_with_a_hanging_question(emulator: Emulator, group: str) -> None:
    """The question whether the server is back does not hold up the end."""
    asked = threading.Event()

    def answer(connection: socket.socket, request: Request) -> None:
        if request.method == "GET":
            asked.set()
            until_left(connection)
        connection.sendall(http(503, "{}"))

    stop = Stop()

    def ask() -> None:
        assert asked.wait(PATIENCE)
        stop.request("killed", drain=2)

    with raw_server(answer) as server:
        settings = settings_for(emulator, base_url=server.url, timeout=300)
        started = time.monotonic()
        run = upload_all(rows(60), settings, group, stop=stop, alongside=ask, on_ambiguous="fail")
        assert time.monotonic() - started < SOON
    assert isinstance(run.report.stopped, KognicStoppedError)


def test_stop_while_the_auth_server_hangs(emulator: Emulator, group: str) -> None:
    """What waited for a token was never sent: unsent, not in doubt, and nobody waits for the auth server."""
    asked = threading.Event()

    def answer(connection: socket.socket, _request: Request) -> None:
        asked.set()
        until_left(connection)

    stop = Stop()

    def ask() -> None:
        assert asked.wait(PATIENCE)
        stop.request("killed", drain=2)

    with raw_server(answer) as auth:
        settings = settings_for(emulator, auth_host=auth.url, timeout=300)
        started = time.monotonic()
        run = upload_all(rows(60), settings, group, stop=stop, alongside=ask, on_ambiguous="fail")
        assert time.monotonic() - started < SOON
    assert run.counts() == (0, 0, 0, 60)


def test_stop_while_the_group_is_asked_for(emulator: Emulator, group: str) -> None:
    """A listing that hangs does not hold up the end either."""
    import asyncio

    emulator.set_faults(rules=[{"kind": "status", "status": 404}])
    asked = threading.Event()

    async def group_exists() -> bool:
        asked.set()
        await asyncio.sleep(300)
        return True

    stop = Stop()

    def ask() -> None:
        assert asked.wait(PATIENCE)
        stop.request("killed", drain=2)

    started = time.monotonic()
    run = upload_all(
        rows(30), settings_for(emulator), group, group_exists=group_exists, stop=stop, alongside=ask
    )
    assert time.monotonic() - started < SOON
    assert run.counts() == (0, 0, 0, 30)


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Set at the end, so that no thread is left hanging."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("known_total", [True, False])
def test_stop_while_reads_hang(
    emulator: Emulator, group: str, released: threading.Event, *, known_total: bool
) -> None:
    """Documents that cannot be read in time are unsent; the run does not wait for the disk."""

    def hang() -> bytes:
        released.wait(300)
        return json.dumps(content()).encode()

    entries: list[Prediction | Result] = [Prediction(demo.scene_uuid(i), f"{i}", hang) for i in range(40)]
    stop = Stop()

    def ask() -> None:
        time.sleep(0.2)
        stop.request("killed", drain=2)

    started = time.monotonic()
    source = Listed(entries, 40 if known_total else None)
    run = upload_all(source, settings_for(emulator), group, stop=stop, alongside=ask)
    assert time.monotonic() - started < SOON
    assert run.counts() == (0, 0, 0, 40)


def test_stop_while_the_source_itself_hangs(
    emulator: Emulator, group: str, released: threading.Event
) -> None:
    """A source that hangs between two entries is given up; where its size is known, the counts add up to it."""

    class Hanging:
        total = 50

        def __iter__(self) -> Iterator[Prediction | Result]:
            for i in range(20):
                yield Prediction(demo.scene_uuid(i), f"{i}", lambda: json.dumps(content()).encode())
            released.wait(300)

    stop = Stop()

    def ask() -> None:
        wait_for_posts(emulator, 20)
        stop.request("killed", drain=2)

    started = time.monotonic()
    run = upload_all(Hanging(), settings_for(emulator), group, stop=stop, alongside=ask)
    assert time.monotonic() - started < SOON
    assert run.counts() == (20, 0, 0, 30)


def test_another_end_does_not_wait_for_reads(
    emulator: Emulator, group: str, released: threading.Event
) -> None:
    """A run that ends for another reason leaves reads that hang, too."""

    def hang() -> bytes:
        released.wait(300)
        return b""

    emulator.set_faults(rules=[{"kind": "status", "status": 403}])
    good = Prediction(demo.scene_uuid(0), "0", lambda: json.dumps(content()).encode())
    entries: list[Any] = [good, *(Prediction(demo.scene_uuid(i), f"{i}", hang) for i in range(1, 30))]
    started = time.monotonic()
    run = upload_all(Listed(entries), settings_for(emulator), group)
    assert time.monotonic() - started < SOON
    assert isinstance(run.report.stopped, KognicPermissionError)
    assert run.counts() == (0, 0, 0, 30)


def test_stop_after_another_end_still_cuts_off(emulator: Emulator, group: str) -> None:
    """Asked to stop while a run that already ends waits for its last answers, it ends at once."""
    refused = demo.scene_uuid(0)
    emulator.set_faults(
        rules=[
            {"kind": "status", "status": 403, "match": {"scene": refused}},
            {"kind": "hang", "seconds": 300},
        ]
    )
    stop = Stop()

    def ask() -> None:
        wait_for_posts(emulator, 10)
        wait_for(lambda: emulator.stats()["requests"].get(POSTS, {}).get("403"))
        time.sleep(1)
        stop.request("killed", drain=2)

    started = time.monotonic()
    settings = settings_for(emulator, timeout=300)
    run = upload_all(rows(30), settings, group, stop=stop, alongside=ask)
    assert time.monotonic() - started < SOON
    assert isinstance(run.report.stopped, KognicPermissionError)
    created, _, in_doubt, unsent = run.counts()
    assert created == 0
    assert in_doubt + unsent == 30
    assert 8 <= in_doubt <= 9


def test_stop_while_the_journal_is_closed(
    emulator: Emulator, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its store may take long to say goodbye; who is asked to stop meanwhile does not wait for that."""
    monkeypatch.setattr("airflow_provider_kognic.core.upload.run._CLOSING", 600.0)
    stop, closing, goes_on = Stop(), threading.Event(), threading.Event()

    class SlowToClose(MemoryLog):
        def close(self) -> None:
            closing.set()
            goes_on.wait(SOON)

    def ask() -> None:
        assert closing.wait(PATIENCE)
        stop.request("killed")

    run = upload_all(
        rows(5),
        settings_for(emulator),
        group,
        journal=Journal(SlowToClose()),
        stop=stop,
        alongside=ask,
    )
    assert not goes_on.is_set()
    goes_on.set()
    assert run.counts() == (5, 0, 0, 0)
    check_truth(run, emulator, group)


def test_who_has_lost_its_journal_sends_nothing_that_it_had_intended(emulator: Emulator, group: str) -> None:
    """A machine was asleep, say: as soon as it wakes, and not once somebody has looked."""

    class LostAfterOne(MemoryLog):
        def lost(self) -> str | None:
            return "it slept for long" if emulator.stats()["prediction_posts"] else None

    log = LostAfterOne()
    settings = settings_for(emulator, max_connections=1)
    run = upload_all(rows(40), settings, group, journal=Journal(log))
    assert emulator.stats()["prediction_posts"] == 1
    assert run.counts() == (1, 0, 0, 39)
    assert "it slept for long" in str(run.report.stopped)
    check_truth(run, emulator, group)
    intended = sum(line.startswith(b'["i"') for line in log.lines)
    assert intended > 1
    again = upload_all(rows(40), settings, group, journal=Journal(log.reopened()))
    check_truth(again, emulator, group)
    assert again.report.summary.in_doubt <= intended
