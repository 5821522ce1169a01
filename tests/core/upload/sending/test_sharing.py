"""Uploads that share a server which takes only so many requests: how much of it they use, and how fairly.

All in virtual time, by the real sender and gate, see `fleet`. Seeds are fixed, so that a run gives what the run
before gave.
"""

import logging
from collections.abc import Iterator
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kognic.core.errors import KognicOutageError
from tests.core.upload.sending.fleet import Seen, Server, run_fleet


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def check_promises(seen: Seen) -> None:
    """What holds in every run, whatever the server does."""
    assert seen.server.most <= seen.server.ceiling
    for task in seen.tasks:
        assert task.most <= 10
        last: dict[int, float] = {}
        refused = iter(sorted(task.refused))
        refusal = next(refused, None)
        for moment, number in sorted(task.sent):
            while refusal is not None and refusal[0] <= moment:
                last[refusal[1]] = refusal[0]
                refusal = next(refused, None)
            if number in last:  # sent again: not before Retry-After
                assert moment - last[number] >= (seen.server.retry_after or 0.0)


@pytest.mark.parametrize("ceiling", range(1, 11))
def test_one_task_uses_what_the_server_takes(ceiling: int) -> None:
    """Nine tenths of it from the first minute on, at less than one 429 in three seconds."""
    seen = run_fleet(1, Server(ceiling), 60)
    check_promises(seen)
    assert seen.share() >= (0.9 if ceiling > 1 else 0.88)
    assert seen.refusals() <= 0.33
    assert seen.tasks[0].unsent == 0


def test_one_task_alone_lacks_nothing() -> None:
    """Who was never refused never lends."""
    seen = run_fleet(1, Server(10), 60)
    assert seen.share() >= 0.97
    assert not seen.server.refusals


@pytest.mark.parametrize("begin_within", [0.0, 20.0], ids=["together", "one after the other"])
@pytest.mark.parametrize("tasks", [2, 4])
def test_some_tasks_share_ten_slots(tasks: int, begin_within: float) -> None:
    """All of what the server takes but a tenth, and much the same each, at about one 429 a second."""
    runs = [run_fleet(tasks, Server(10), 180, seed=seed, begin_within=begin_within) for seed in range(2)]
    for seen in runs:
        check_promises(seen)
        assert sum(task.unsent for task in seen.tasks) == 0
    assert min(seen.share(60) for seen in runs) >= 0.9
    assert mean(seen.fairness(60) for seen in runs) >= 0.8
    assert max(seen.refusals(60) for seen in runs) <= 1.5


@pytest.mark.parametrize(
    ("tasks", "ceiling", "seconds", "share", "fair", "refusals"),
    [
        (4, 1, 900, 0.85, 0.7, 1.5),
        (4, 5, 300, 0.9, 0.8, 1.5),
        (10, 1, 1800, 0.85, 0.7, 2.5),
        (10, 3, 600, 0.85, 0.7, 3.5),
        (10, 10, 200, 0.9, 0.8, 5.0),
        (100, 10, 120, 0.9, 0.6, 60.0),
    ],
)
def test_tasks_that_outnumber_the_slots_pass_them_round(
    tasks: int, ceiling: int, seconds: float, share: float, fair: float, refusals: float
) -> None:
    """Fairness over a time in which each has its turns."""
    seen = run_fleet(tasks, Server(ceiling), seconds)
    check_promises(seen)
    assert seen.share() >= share
    assert seen.fairness() >= fair
    assert seen.refusals() <= refusals
    assert all(task.why is None for task in seen.tasks)


def test_a_ceiling_that_rises_is_found() -> None:
    """In less than a minute, whatever was remembered."""
    for seed in range(2):
        server = Server(3)

        def rise(server: Server = server) -> None:
            server.ceiling = 10

        seen = run_fleet(1, server, 240, seed=seed, changes=[(120, rise)])
        assert seen.share(180) >= 0.9


def test_a_ceiling_that_falls_is_found() -> None:
    """At one refusal for each slot that is no more."""
    server = Server(10)

    def fall() -> None:
        server.ceiling = 2

    seen = run_fleet(1, server, 90, changes=[(30, fall)])
    assert seen.share(32) >= 0.88
    assert sum(30 <= moment < 31 for moment in server.refusals) <= 9


@pytest.mark.parametrize("rate", [2, 20, 100])
@pytest.mark.parametrize("tasks", [1, 4])
def test_a_limit_on_the_rate_is_not_hammered(tasks: int, rate: int) -> None:
    """Refusals come a few a second at most, and most of the rate is used."""
    seen = run_fleet(tasks, Server(ceiling=1000, rate=rate, bucket=rate), 120)
    check_promises(seen)
    assert seen.share(20) >= 0.75
    assert seen.refusals(20) <= 1.2 * tasks
    assert sum(task.unsent for task in seen.tasks) == 0


@pytest.mark.parametrize("tasks", [1, 4])
def test_a_server_that_refuses_everything_is_left_alone(tasks: int) -> None:
    """Then the run ends as in any outage."""
    seen = run_fleet(tasks, Server(ceiling=0), 900, outage_timeout=300)
    assert len(seen.server.refusals) <= 110 * tasks
    assert sum(moment > 60 for moment in seen.server.refusals) <= 80 * tasks
    assert all(isinstance(task.why, KognicOutageError) for task in seen.tasks)


@pytest.mark.parametrize("how", ["503", "429"])
def test_after_a_long_outage_it_goes_on_as_before(how: str) -> None:
    """Within a minute and a half: the longest pause between two questions, and some tries."""
    server = Server(5)

    def out() -> None:
        server.down, server.ceiling = how == "503", 5 if how == "503" else 0

    def back() -> None:
        server.down, server.ceiling = False, 5

    seen = run_fleet(2, server, 600, changes=[(60, out), (360, back)], on_ambiguous="skip")
    assert sum(seen.counts(450)) / 150 * 0.11 / 5 >= 0.85
    assert all(task.why is None for task in seen.tasks)


@given(
    tasks=st.integers(1, 6),
    ceiling=st.integers(1, 12),
    retry_after=st.sampled_from([None, 0.0, 0.2, 1.0, 5.0]),
    rate=st.sampled_from([None, 5, 30]),
    down=st.floats(0, 20),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25, deadline=None)
def test_promises_hold_whatever_the_server_does(
    tasks: int, ceiling: int, retry_after: float | None, rate: int | None, down: float, seed: int
) -> None:
    """Never more than its ceiling or the connections, and no prediction before its Retry-After."""
    server = Server(ceiling, retry_after=retry_after, rate=rate, bucket=5)

    def turn() -> None:
        server.down = not server.down

    changes = [(down, turn), (down + 10, turn)]
    seen = run_fleet(tasks, server, 40, seed=seed, changes=changes, on_ambiguous="skip")
    check_promises(seen)
