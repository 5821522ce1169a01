"""The line about progress: what is done, and how fast it went."""

from __future__ import annotations

import logging
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicPermissionError
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.models import Outcome, Result
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.reporting import progress as progress_module
from airflow_provider_kognic.core.reporting.events import Halted, Settled
from airflow_provider_kognic.core.reporting.progress import Progress
from airflow_provider_kognic.emulator import demo
from tests.core.support import MemoryLog, rows, settings_for, upload_all

if TYPE_CHECKING:
    import pytest

    from airflow_provider_kognic.core.reporting.events import Event
    from airflow_provider_kognic.emulator.testing import Emulator


def settled(outcome: Outcome, *, attempts: int = 0, number: int = 1) -> list[Event]:
    return [Settled(Result("scene", "source", outcome, attempts=attempts))] * number


def last_line(caplog: pytest.LogCaptureFixture) -> str:
    return [one.getMessage() for one in caplog.records if one.name.endswith(".progress")][-1]


def rate_of(line: str) -> float:
    found = re.search(r" ([\d.]+) created/s", line)
    assert found is not None
    return float(found[1])


def test_what_is_unsent_is_not_done(caplog: pytest.LogCaptureFixture) -> None:
    """Neither in the share nor in the rate, also where it has no result of its own."""
    caplog.set_level(logging.INFO)
    progress = Progress(400)
    for event in [*settled(Outcome.CREATED, attempts=1, number=52), *settled(Outcome.UNSENT, number=300)]:
        progress.notice(event)
    progress.log()
    assert "52 of 400 predictions done (13 %): 52 created" in last_line(caplog)
    progress.log(final=True, missing=48)
    assert ": 52 of 400 predictions done (13 %): 52 created" in last_line(caplog)
    assert " 348 unsent; " in last_line(caplog)


def test_what_an_early_end_only_counts_is_no_speed(caplog: pytest.LogCaptureFixture) -> None:
    """What earlier runs created is done, but not by this one, which did not get to it; what it sent is its own."""
    caplog.set_level(logging.INFO)
    progress = Progress(100_000)
    progress.notice(Halted(KognicPermissionError("no")))
    for event in [*settled(Outcome.SKIPPED, number=99_999), *settled(Outcome.UNSENT, attempts=1)]:
        progress.notice(event)
    progress.log(final=True)
    line = last_line(caplog)
    assert "99,999 of 100,000 predictions done (99 %)" in line
    assert rate_of(line) == 0.0
    progress.notice(settled(Outcome.CREATED, attempts=1)[0])
    progress.log(final=True)
    assert rate_of(last_line(caplog)) > 0.0


def test_what_this_run_did_not_send_is_no_speed(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What earlier runs created and what is refused unsent flies by: the time left is that of what is sent.

    An upper bound where more of the rest may fly by, and a number where nothing will.
    """
    caplog.set_level(logging.INFO)
    now = [100.0]
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    progress = Progress(400)
    progress.journal_was_read(300)
    for event in [*settled(Outcome.SKIPPED, number=203), *settled(Outcome.CREATED, attempts=1, number=20)]:
        progress.notice(event)
    now[0] += 5
    progress.log()
    assert last_line(caplog).endswith("; 4.0 created/s, at most about 44 s left, 0 in flight.")
    for event in [*settled(Outcome.SKIPPED, number=97), *settled(Outcome.CREATED, attempts=1, number=20)]:
        progress.notice(event)
    now[0] += 5
    progress.log()
    assert last_line(caplog).endswith("; 4.0 created/s, about 15 s left, 0 in flight.")
    for event in settled(Outcome.CREATED, attempts=1, number=60):
        progress.notice(event)
    now[0] += 15
    progress.log(final=True)
    assert last_line(caplog).endswith(
        ": 400 of 400 predictions done (100 %): 100 created, 300 skipped; 4.0 created/s, 0 in flight."
    )


def test_what_is_refused_here_is_no_speed(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the server refuses was sent, and took its time; and nothing is said of time where nothing was sent."""
    caplog.set_level(logging.INFO)
    now = [100.0]
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    progress = Progress(200)
    for event in settled(Outcome.REFUSED, number=100):
        progress.notice(event)
    now[0] += 2
    progress.log()
    assert last_line(caplog).endswith("100 refused; 0.0 created/s, 0 in flight.")
    for outcome in (Outcome.CREATED, Outcome.REFUSED):
        for event in settled(outcome, attempts=1, number=10):
            progress.notice(event)
    now[0] += 2
    progress.log()
    assert last_line(caplog).endswith(
        "10 created, 110 refused; 2.5 created/s, at most about 16 s left, 0 in flight."
    )


def test_the_last_line_and_the_summary_say_the_same(
    emulator: Emulator, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a second run that skips what the first one has created."""
    caplog.set_level(logging.INFO)
    settings, log = settings_for(emulator), MemoryLog()
    upload_all(rows(30), settings, group, journal=Journal(log))
    emulator.set_faults(rules=[{"kind": "latency", "seconds": 1, "match": {"path": "/predictions$"}}])
    run = upload_all(rows(33), settings, group, journal=Journal(log.reopened()))
    assert run.counts() == (3, 0, 0, 0)
    said = run.report.summary.to_dict()["rate_per_s"]
    # The line's own time begins a moment before, and ends after the summary's.
    assert 0 < rate_of(last_line(caplog)) <= said + 0.06


def test_where_the_number_is_not_known(caplog: pytest.LogCaptureFixture) -> None:
    """In the end it is what was counted."""
    caplog.set_level(logging.INFO)
    progress = Progress(None)
    for event in [*settled(Outcome.CREATED, attempts=1, number=3), *settled(Outcome.UNSENT)]:
        progress.notice(event)
    progress.log()
    assert last_line(caplog).startswith("3 of an unknown number of predictions done: 3 created")
    progress.log(final=True)
    assert ": 3 of 4 predictions done (75 %): 3 created" in last_line(caplog)


def test_a_run_that_ends_early_says_what_it_did(
    emulator: Emulator, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    """36 were created when the credentials lost their right: of 400, 36 are done."""
    caplog.set_level(logging.INFO)
    emulator.set_faults(script=[{"kind": "ok", "times": 36}], rules=[{"kind": "status", "status": 403}])
    run = upload_all(rows(400), settings_for(emulator, max_connections=1), group)
    assert run.counts() == (36, 0, 0, 364)
    line = last_line(caplog)
    assert ": 36 of 400 predictions done (9 %): 36 created, 364 unsent; " in line
    seconds = run.report.summary.duration_s
    # By the line's own time, which begins a moment before and ends after the summary's.
    assert rate_of(line) <= 36 / seconds + 0.1
    assert {one.reason for one in run.results if one.scene_uuid == demo.scene_uuid(399)} == {Reason.RUN_ENDED}
