"""An outage: nothing is sent into it, and it ends with the server's return or with the run."""

import socket
import time
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicOutageError
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import (
    Request,
    check_truth,
    free_port,
    http,
    raw_server,
    rows,
    settings_for,
    upload_all,
)


def everything(kind: str, **more: Any) -> dict[str, Any]:
    """A fault of the whole API, listings included, but not of the auth server."""
    return {"kind": kind, "match": {"path": "^/v[12]/(datasets|predictions)"}, **more}


@pytest.mark.parametrize("connections", [1, 3, 10])
def test_an_outage_ends_the_run_after_its_time(emulator: Emulator, group: str, connections: int) -> None:
    """After outage_timeout without any success the run ends as one that can be tried again; the rest is unsent."""
    emulator.set_faults(rules=[everything("503_before")])
    settings = settings_for(emulator, max_connections=connections)
    run = upload_all(rows(150), settings, group, outage_timeout=2, on_ambiguous="fail")
    created, refused, in_doubt, unsent = run.counts()
    assert isinstance(run.report.stopped, KognicOutageError)
    assert "503" in str(run.report.stopped)
    assert (created, refused) == (0, 0)
    # Failures that begin the outage, and what was in flight with the last of them.
    assert 2 * connections <= in_doubt <= 3 * connections - 1
    assert unsent == 150 - in_doubt
    stats = emulator.stats()
    assert stats["prediction_posts"] == in_doubt
    assert stats["requests"]["GET /v2/datasets"]["503"] >= 2
    assert stats["most_in_flight"] <= connections


def test_an_outage_from_the_start_puts_nothing_in_doubt(emulator: Emulator, group: str) -> None:
    """Where the group is asked for first, a server that does not serve gets no prediction at all."""
    emulator.set_faults(rules=[everything("503_before")], predictions_listing=True)
    run = upload_all(rows(150), settings_for(emulator), group, outage_timeout=0.5)
    assert isinstance(run.report.stopped, KognicOutageError)
    assert run.counts() == (0, 0, 0, 150)
    assert emulator.stats()["prediction_posts"] == 0


def test_recovery_goes_on_to_the_end(emulator: Emulator, group: str) -> None:
    """When the server is back, everything that was not sent into the outage is created."""
    emulator.set_faults(
        script=[{"kind": "ok", "times": 20}],
        rules=[everything("503_before", times=200)],
    )
    run = upload_all(rows(300), settings_for(emulator), group, on_ambiguous="fail")
    created, refused, in_doubt, unsent = run.counts()
    assert run.report.stopped is None
    assert (refused, unsent) == (0, 0)
    # How many 503 mix with the last slow successes is up to the server; then it is noticed, and only asked for.
    assert 20 <= in_doubt < 100
    assert emulator.stats()["requests"]["GET /v2/datasets"]["503"] > 100 - in_doubt
    assert created == 300 - in_doubt
    check_truth(run, emulator, group)


def test_only_one_asks(emulator: Emulator, group: str) -> None:
    """In an outage one question at a time goes out, and no prediction."""
    in_flight, most, after = 0, 0, 0

    def answer(connection: socket.socket, request: Request) -> None:
        nonlocal in_flight, most, after
        if request.method == "GET":
            in_flight += 1
            most = max(most, in_flight)
            time.sleep(0.02)
            in_flight -= 1
        elif most:
            after += 1
        connection.sendall(http(503, "<html>down</html>"))

    with raw_server(answer) as server:
        run = upload_all(
            rows(100),
            settings_for(emulator, base_url=server.url),
            group,
            outage_timeout=2,
            on_ambiguous="fail",
        )
    assert isinstance(run.report.stopped, KognicOutageError)
    assert most == 1
    assert after <= 9  # those in flight when the outage began


def test_predictions_alone_fail(emulator: Emulator, group: str) -> None:
    """Where the API answers but takes no predictions, one is tried after each pause: doubt grows one by one."""
    emulator.set_faults(rules=[{"kind": "503_before"}])
    pauses = Backoff(first=0.05, most=0.1)
    run = upload_all(rows(150), settings_for(emulator), group, outage_timeout=0.7, backoff=pauses)
    created, refused, in_doubt, _ = run.counts()
    assert isinstance(run.report.stopped, KognicOutageError)
    assert (created, refused) == (0, 0)
    assert in_doubt <= 29 + 0.7 / 0.025
    assert emulator.stats()["prediction_posts"] == in_doubt


def test_stragglers_do_not_multiply_the_questions(emulator: Emulator, group: str) -> None:
    """Requests from before the outage that fail late do not let more than one in to test the server."""
    gets: list[float] = []
    posts: list[float] = []

    def answer(connection: socket.socket, request: Request) -> None:
        if request.method == "GET":
            gets.append(time.monotonic())
            connection.sendall(http(200, '{"data": []}'))
            return
        posts.append(time.monotonic())
        # Nine hang and fail one after another, while the others fail at once.
        time.sleep(0.1 * len(posts) if len(posts) <= 9 else 0.0 if len(posts) <= 40 else 0.3)
        connection.sendall(http(503, "{}"))

    with raw_server(answer) as server:
        settings = settings_for(emulator, base_url=server.url)
        pauses = Backoff(first=0.3, most=0.3)
        run = upload_all(rows(100), settings, group, outage_timeout=1.0, backoff=pauses, on_ambiguous="fail")
    assert isinstance(run.report.stopped, KognicOutageError)
    # One question for each pause of at least 0.15 s.
    assert len(gets) <= 1.0 / 0.15 + 1


def test_hanging_question_does_not_outlive_the_timeout(emulator: Emulator, group: str) -> None:
    """A server that takes the question and never answers it counts as one that does not serve."""
    emulator.set_faults(
        rules=[{"kind": "503_before"}, {"kind": "hang", "seconds": 300, "match": {"path": "/v2/datasets"}}]
    )
    settings = settings_for(emulator, timeout=0.2)
    started = time.monotonic()
    run = upload_all(rows(60), settings, group, outage_timeout=0.5)
    assert isinstance(run.report.stopped, KognicOutageError)
    assert time.monotonic() - started < 30


def test_an_auth_server_that_is_down_is_an_outage(emulator: Emulator, group: str) -> None:
    """Without tokens nothing is sent, so nothing is in doubt."""
    emulator.set_faults(rules=[{"kind": "503_before", "match": {"path": "/oauth/token"}}])
    run = upload_all(rows(60), settings_for(emulator), group, outage_timeout=0.3)
    assert isinstance(run.report.stopped, KognicOutageError)
    assert run.counts() == (0, 0, 0, 60)
    assert "auth server" in str(run.report.stopped)


def test_no_patience_at_all(emulator: Emulator, group: str) -> None:
    """outage_timeout=0 ends the run as soon as the outage is seen."""
    settings = settings_for(emulator, base_url=f"http://127.0.0.1:{free_port()}")
    run = upload_all(rows(60), settings, group, outage_timeout=0)
    assert isinstance(run.report.stopped, KognicOutageError)
    assert run.counts() == (0, 0, 0, 60)
