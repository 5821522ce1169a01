"""The journal in a real S3 in trouble: nothing is lost or taken for another's; what passes is waited for."""

import itertools
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import (
    KognicJournalAccessError,
    KognicJournalError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.retries import may_repeat
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.task.paths import to_path
from tests.core.journal.folders import HEADER, leases_of, line, lines_of, never
from tests.core.support import rows, settings_for, upload_all
from tests.stores import faults
from tests.stores.faults import Operation, Says, Trouble
from tests.stores.s3 import S3

# Seconds that a test waits at most for what should come at once.
PATIENCE = 60.0
LEASE, PART = r"\.lease$", r"\.jsonl$"
numbers = itertools.count()


@pytest.fixture
def group(emulator: Emulator) -> str:
    return emulator.create_group()


def log_in(where: str = "s3://ml@preds/journal", **more: Any) -> FolderLog:
    return FolderLog(to_path(where), HEADER, source_key="a source", upload_key="an upload", **more)


def opened(**more: Any) -> FolderLog:
    log = log_in(**more)
    log.open(never)
    return log


def kept(**more: Any) -> list[bytes]:
    """What the next attempt reads."""
    log = opened(**more)
    found = lines_of(log)
    log.close()
    return found


@pytest.mark.parametrize("operation", ["list", "read", "write"])
@pytest.mark.parametrize(
    ("trouble", "times"),
    # s3fs itself tries five times, but not after each of these.
    [(faults.SLOW_DOWN, 6), (faults.UNAVAILABLE, 2), (faults.RESET, 6)],
    ids=["slow down", "unavailable", "reset"],
)
def test_what_is_not_answered_is_asked_again(
    s3: S3, operation: Operation, trouble: Trouble, times: int
) -> None:
    """While the journal is opened, read, written and closed."""
    first = opened()
    first.append([line(0)])
    first.close()
    fault = s3.proxy.add(trouble, operation, times=times)
    log = opened()
    assert fault.happened
    assert all(lease.exclusive for lease in leases_of(log))
    again = s3.proxy.add(trouble, operation, times=times)
    assert lines_of(log) == [line(0)]
    log.append([line(1)])
    log.append([line(2)])
    log.close()
    assert again.happened or operation == "list"
    s3.proxy.clear()
    assert kept() == [line(number) for number in range(3)]


def test_a_store_that_stays_silent_ends_the_run_for_now(s3: S3) -> None:
    s3.proxy.add(faults.UNAVAILABLE)
    with pytest.raises(KognicJournalError, match=r"did not answer: .*Asked \d+ times") as caught:
        opened(outage_timeout=1.0)
    assert may_repeat(caught.value, idempotent=False)


@pytest.mark.parametrize("where", [LEASE, PART])
@pytest.mark.parametrize("trouble", [faults.LOST_ANSWER, faults.RESET], ids=str)
def test_what_was_written_and_not_answered_is_ours(
    s3: S3, where: str, trouble: Trouble, caplog: pytest.LogCaptureFixture
) -> None:
    """A lease that is there after its first try is not another attempt's; lines are there once."""
    faulty = s3.proxy.add(trouble, "write", where=where, times=3)
    began = time.monotonic()
    log = opened()
    assert all(lease.exclusive for lease in leases_of(log))
    assert not any(word in caplog.text for word in ("waiting", "taking over", "kept apart"))
    log.append([line(0)])
    for number in range(1, 4):
        s3.proxy.add(trouble, "write", where=PART, times=number)
        log.append([line(number)])
    log.close()
    assert faulty.happened == 3
    assert time.monotonic() - began < PATIENCE
    assert kept() == [line(number) for number in range(4)]


@pytest.mark.parametrize(
    ("trouble", "advice"),
    [
        (faults.DENIED, "must be allowed to list, read and write"),
        (faults.NO_BUCKET, "no such bucket"),
        (faults.WRONG_REGION_SIGNED, "region_name"),
        (faults.UNKNOWN_KEY_ID, "does not take the credentials"),
    ],
    ids=["denied", "bucket", "region", "key"],
)
@pytest.mark.parametrize("operations", [("list", "head", "read"), ("write",)], ids=["asked", "written"])
def test_what_a_store_says_no_to_is_for_good(
    s3: S3, trouble: Says, advice: str, operations: tuple[Operation, ...]
) -> None:
    """At once, with what is to be done; whether it is asked or written to."""
    fault = s3.proxy.add(trouble, *operations)
    with pytest.raises(KognicJournalAccessError, match=advice) as caught:
        opened()
    assert not may_repeat(caught.value, idempotent=True)
    assert fault.happened < 20


def test_a_bucket_that_is_not_there_is_not_an_empty_journal(s3: S3) -> None:
    """Neither to an upload nor to a dry run, which only looks."""
    assert s3.keys() == []
    for look in (lambda log: log.open(never), lambda log: list(log.peek())):
        with pytest.raises(KognicJournalAccessError, match="no such bucket"):
            look(log_in("s3://ml@missing/journal"))


def test_expired_credentials_end_the_run_at_once_and_for_now(s3: S3) -> None:
    """When it is opened, too, where S3 first answers without words."""
    s3.proxy.add(faults.EXPIRED_TOKEN)
    with pytest.raises(KognicJournalError, match=r"credentials have expired: .*Renew") as caught:
        opened()
    assert may_repeat(caught.value, idempotent=False)
    s3.proxy.clear()
    log = opened()
    s3.proxy.add(faults.EXPIRED_TOKEN)
    with pytest.raises(KognicJournalError, match=r"credentials have expired: .*Renew") as caught:
        log.append([line(0)])
    assert may_repeat(caught.value, idempotent=False)
    s3.proxy.clear()
    log.close()
    assert kept() == []


def test_a_silent_store_does_not_hold_up_who_asks_to_stop(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is never answered is left alone; the thread that waited for it ends."""
    monkeypatch.setenv("AIRFLOW_CONN_PATIENT", s3.connection(read_timeout=600))
    s3.proxy.add(faults.SILENT)
    asked = threading.Event()
    caught: list[KognicStoppedError] = []

    def open_it() -> None:
        try:
            log_in("s3://patient@preds/journal").open(asked.is_set)
        except KognicStoppedError as error:
            caught.append(error)

    opening = threading.Thread(target=open_it)
    opening.start()
    until = time.monotonic() + PATIENCE
    while not s3.proxy.asked() and time.monotonic() < until:
        time.sleep(0.01)
    asked.set()
    opening.join(PATIENCE)
    assert not opening.is_alive()
    assert len(caught) == 1


def test_a_lease_is_not_kept_beyond_its_time_for_a_store_that_does_not_answer(
    s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even while a write waits for its answer: then it counts for nothing, though it may have been done."""
    monkeypatch.setenv("AIRFLOW_CONN_PATIENT", s3.connection(read_timeout=600))
    log = opened(where="s3://patient@preds/journal", ttl=6.0)
    log.append([line(0)])
    s3.proxy.add(faults.Breaks("done", "silence"), "write", where=PART)
    s3.proxy.add(faults.SILENT)
    with pytest.raises(
        KognicJournalError, match=r"could not be renewed for .* s .*so that another may take over"
    ) as caught:
        log.append([line(1)])
    assert may_repeat(caught.value, idempotent=False)
    with pytest.raises(KognicJournalError, match="may not write to the journal"):
        log.append([line(2)])
    s3.proxy.clear()
    log.close()
    assert kept(ttl=6.0) in ([line(0)], [line(0), line(1)])


def test_nothing_is_sent_after_the_lease_was_lost(
    s3: S3, emulator: Emulator, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Also what was intended before: the run ends though it has nothing to note; another may settle its doubt."""
    emulator.set_faults(rules=[{"kind": "503_before"}])
    header = type(HEADER)("127.0.0.1", group, "a test")
    log = FolderLog(to_path("s3://ml@preds/journal"), header, source_key="x", ttl=9.0)

    def lose() -> None:
        until = time.monotonic() + PATIENCE
        while emulator.stats()["prediction_posts"] < 2 and time.monotonic() < until:
            time.sleep(0.01)
        s3.proxy.add(faults.UNAVAILABLE, where=LEASE)
        while "may not write to the journal" not in caplog.text and time.monotonic() < until:
            time.sleep(0.01)
        emulator.set_faults(rules=[])

    settings = settings_for(emulator, max_connections=2)
    run = upload_all(rows(20), settings, group, journal=Journal(log), alongside=lose, outage_timeout=300)
    assert isinstance(run.report.stopped, KognicJournalError)
    assert "could not be renewed" in str(run.report.stopped)
    assert run.scenes(Outcome.CREATED) == set()


def test_an_upload_goes_on_after_a_while_of_503(
    s3: S3, emulator: Emulator, group: str, tmp_path: Path
) -> None:
    """Everything is created once, and nothing refused or in doubt, however the store stuttered."""

    def log() -> FolderLog:
        header = type(HEADER)("127.0.0.1", group, "a test")
        return FolderLog(to_path("s3://ml@preds/journal"), header, source_key="x", upload_key="an upload")

    hit = [s3.proxy.add(faults.UNAVAILABLE, "write", where=PART, times=3, after=after) for after in (1, 3, 5)]
    run = upload_all(rows(30), settings_for(emulator), group, journal=Journal(log()))
    assert run.counts() == (30, 0, 0, 0)
    assert sum(fault.happened for fault in hit) >= 3
    again = upload_all(rows(30), settings_for(emulator), group, journal=Journal(log()))
    assert len(again.scenes(Outcome.SKIPPED)) == 30
    assert emulator.stats()["prediction_posts"] == 30
