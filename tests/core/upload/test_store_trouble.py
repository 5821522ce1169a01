"""What becomes of a prediction whose document does not come, by what is known of it."""

import asyncio
import json
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicStoreError
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.models import Prediction
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.reporting.judgement import judge
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.core.upload.dry_run import make_plan
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import QUICK, MemoryLog, Run, content, rows, settings_for, upload_all


class Stored:
    """Documents of as many scenes of the demo dataset, in a store that stays silent about some.

    Args:
        count: How many.
        silent: Tells of a number, and how often it was asked for before, whether nothing comes.
    """

    total: int | None

    def __init__(self, count: int, silent: Callable[[int, int], bool]) -> None:
        self.total = count
        self._silent = silent
        self._lock = threading.Lock()
        self.asked = [0] * count

    def __iter__(self) -> Any:
        for number in range(self.total or 0):
            yield Prediction(demo.scene_uuid(number), f"s3://b/{number}.json", partial(self._read, number))

    def _read(self, number: int) -> bytes:
        with self._lock:
            before, self.asked[number] = self.asked[number], self.asked[number] + 1
        if self._silent(number, before):
            raise KognicStoreError(f"s3://b/{number}.json cannot be read: the store did not answer.")
        return json.dumps(content(number), separators=(",", ":")).encode()


def never(_: int, __: int) -> bool:
    return False


def run(emulator: Emulator, group: str, source: Any, timeout: float = 0.3, **more: Any) -> Run:
    patience = Patience(timeout, QUICK)
    return upload_all(source, settings_for(emulator), group, patience=patience, **more)


def test_each_is_read_again_until_it_comes(emulator: Emulator, group: str) -> None:
    source = Stored(40, lambda number, before: before < number % 5)
    assert run(emulator, group, source, timeout=120).counts() == (40, 0, 0, 0)
    assert source.asked == [number % 5 + 1 for number in range(40)]


def test_one_that_was_created_before_is_skipped_though_it_cannot_be_read(
    emulator: Emulator, group: str
) -> None:
    """As any that cannot be read: it is there."""
    log = MemoryLog()
    run(emulator, group, Stored(20, never), journal=Journal(log))
    again = run(emulator, group, Stored(20, lambda number, _: number == 3), journal=Journal(log.reopened()))
    assert again.report.summary.skipped == 20
    assert judge(again.report, UploadOptions()) is None


def test_one_in_doubt_is_asked_about_though_it_cannot_be_read(emulator: Emulator, group: str) -> None:
    """The server is, not the store; what it says decides, and it stays in doubt where that is not enough."""
    emulator.set_faults(predictions_listing=True, script=[{"kind": "504_after"}])
    log = MemoryLog()
    first = run(emulator, group, Stored(1, never), journal=Journal(log), on_ambiguous="fail")
    assert first.counts() == (0, 0, 1, 0)
    silent = Stored(20, lambda number, _: number == 0)
    again = run(emulator, group, silent, journal=Journal(log.reopened()))
    assert again.counts() == (19, 0, 1, 0)
    assert again.report.reasons == {"unclear": 1}
    assert emulator.count_predictions(group) == 20


def test_with_a_journal_a_retry_may_help_and_without_one_it_would_double(
    emulator: Emulator, group: str
) -> None:
    silent = Stored(20, lambda number, _: number == 3)
    plain = judge(run(emulator, group, silent).report, UploadOptions())
    assert plain is not None
    assert not plain.retry
    kept = judge(run(emulator, group, silent, journal=Journal(MemoryLog())).report, UploadOptions())
    assert kept is not None
    assert kept.retry


@pytest.mark.parametrize("how_many", [1, 20, 400])
def test_without_a_journal_a_retry_does_no_harm_where_nothing_was_sent(
    emulator: Emulator, group: str, how_many: int
) -> None:
    done = run(emulator, group, Stored(how_many, lambda *_: True))
    assert done.counts() == (0, 0, 0, how_many)
    # Few are no proof that others would not come.
    assert isinstance(done.report.stopped, KognicStoreError if how_many == 400 else type(None))
    failure = judge(done.report, UploadOptions())
    assert failure is not None
    assert failure.retry


@pytest.mark.parametrize(
    "silent",
    [
        pytest.param(lambda number, _: number < 30 and number % 2 == 1, id="every second"),
        pytest.param(lambda number, _: number < 15, id="the first fifteen"),
        pytest.param(lambda number, _: number >= 185, id="the last fifteen"),
    ],
)
@pytest.mark.parametrize("max_connections", [1, 10])
def test_those_that_do_not_come_keep_nothing_from_those_that_do(
    emulator: Emulator, group: str, silent: Callable[[int, int], bool], max_connections: int
) -> None:
    """Wherever they stand in the source, and however few ask for others meanwhile."""
    source = Stored(200, silent)
    # Nobody counts as silent for long here: how fast this machine is must not decide.
    done = run(emulator, group, source, timeout=2.0, max_connections=max_connections)
    missing = {demo.scene_uuid(number) for number in range(200) if silent(number, 0)}
    assert done.counts() == (200 - len(missing), 0, 0, len(missing))
    assert {one.scene_uuid for one in done.results if one.reason == "store_unavailable"} == missing
    assert done.report.stopped is None
    assert emulator.count_predictions(group) == 200 - len(missing)


def test_a_store_that_falls_silent_for_good_ends_the_run(emulator: Emulator, group: str) -> None:
    """What was given up by itself is named, the rest counted."""
    done = run(emulator, group, Stored(1000, lambda number, _: number >= 100), max_failures="100%")
    assert done.counts() == (100, 0, 0, 900)
    alone = [result for result in done.results if result.reason == "store_unavailable"]
    assert len(alone) < 40
    assert isinstance(done.report.stopped, KognicStoreError)


def test_an_outage_of_the_api_ends_who_waits_for_the_store(emulator: Emulator, group: str) -> None:
    """The run's end wakes them; their documents are unsent with the rest."""
    emulator.set_faults(rules=[{"kind": "503_before"}])
    source = Stored(200, lambda number, _: number >= 100)
    done = run(emulator, group, source, timeout=600, outage_timeout=0.3, on_ambiguous="fail")
    assert done.counts()[1] == 0
    assert done.report.summary.total == 200
    assert not isinstance(done.report.stopped, KognicStoreError)


@pytest.mark.parametrize("one", [True, False])
def test_a_dry_run_does_not_say_what_it_does_not_know(*, one: bool) -> None:
    source = Stored(20, lambda number, _: number == 3 or not one)
    with pytest.raises(KognicStoreError, match=r"s3://b/\d+\.json.*did not answer"):
        asyncio.run(make_plan(source, predictions_group_uuid="g", patience=Patience(0.3, QUICK)))


def test_a_dry_run_asks_again(emulator: Emulator) -> None:
    source = Stored(20, lambda _, before: before < 2)
    plan = asyncio.run(make_plan(source, predictions_group_uuid="g", patience=Patience(120, QUICK)))
    assert plan.total == 20
    assert source.asked == [3] * 20


def test_rows_in_memory_ask_no_store(emulator: Emulator, group: str) -> None:
    assert run(emulator, group, rows(5)).counts() == (5, 0, 0, 0)
