"""Whatever goes wrong, every prediction has one outcome, and the outcome is true."""

import gc
import json
import threading
import time
import uuid
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_kognic.core.errors import KognicInputError, KognicJournalError, KognicStoreError
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.models import Outcome, Prediction, Result
from airflow_provider_kognic.core.reporting.events import Event
from airflow_provider_kognic.core.sources.rows import RowsSource
from airflow_provider_kognic.core.upload.reading import intake
from airflow_provider_kognic.core.upload.stop import Stop
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import Listed, MemoryLog, check_truth, content, rows, settings_for, upload_all

SCENE_FAULTS = st.sampled_from(
    [
        {"kind": "ok"},
        {"kind": "429"},
        {"kind": "429", "retry_after": 0},
        {"kind": "503_before"},
        {"kind": "503_after"},
        {"kind": "504_after"},
        {"kind": "drop_before"},
        {"kind": "drop_before", "reset": True},
        {"kind": "drop_after"},
        {"kind": "drop_after", "reset": True},
        {"kind": "html_error", "commit": True},
        {"kind": "html_error"},
        {"kind": "garbage"},
        {"kind": "no_data"},
        {"kind": "revoke_tokens"},
        {"kind": "status", "status": 404},
        {"kind": "status", "status": 409},
        {"kind": "status", "status": 408},
        {"kind": "status", "status": 422},
        {"kind": "status", "status": 403},
        {"kind": "redirect", "location": "/elsewhere"},
    ]
)
SCRIPTS = st.lists(
    st.builds(lambda fault, times: {**fault, "times": times}, SCENE_FAULTS, st.integers(1, 4)), max_size=10
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(script=SCRIPTS, connections=st.integers(1, 4), outage_timeout=st.sampled_from([0.05, 30.0]))
def test_any_script_of_faults(
    emulator: Emulator, script: list[dict[str, Any]], connections: int, outage_timeout: float
) -> None:
    """Created, refused, in doubt and unsent partition the source, and the server agrees."""
    emulator.clear_faults()
    group = emulator.create_group()
    emulator.set_faults(script=script)
    emulator.reset_stats()
    run = upload_all(
        rows(16),
        settings_for(emulator, max_connections=connections),
        group,
        outage_timeout=outage_timeout,
    )
    emulator.clear_faults()
    assert len(run.results) == 16
    assert len(run.outcomes) == 16
    check_truth(run, emulator, group)
    if not run.scenes(Outcome.IN_DOUBT):
        stored = {row["scene_uuid"] for row in emulator.predictions(group)}
        assert stored == run.scenes(Outcome.CREATED)
    if run.report.stopped is None and not run.scenes(Outcome.IN_DOUBT) | run.scenes(Outcome.REFUSED):
        assert not run.scenes(Outcome.UNSENT)
    assert emulator.stats()["most_in_flight"] <= connections
    assert emulator.stats()["rejected_too_many"] == 0


@pytest.mark.parametrize("connections", [1, 4, 10])
def test_requests_in_flight_are_bounded(emulator: Emulator, group: str, connections: int) -> None:
    """All connections are used, and never more than allowed."""
    emulator.set_faults(rules=[{"kind": "latency", "seconds": 0.02}])
    run = upload_all(rows(40), settings_for(emulator, max_connections=connections), group)
    assert run.counts() == (40, 0, 0, 0)
    assert emulator.stats()["most_in_flight"] == connections


@pytest.mark.parametrize("connections", [1, 10])
def test_documents_in_memory_are_bounded(emulator: Emulator, group: str, connections: int) -> None:
    """However slow the server, no more than twice as many documents as connections are in memory."""
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    most = 0

    class Token:
        """Lives as long as the document that holds it."""

    class Held(bytes):
        token: Token

    def read(number: int) -> bytes:
        nonlocal most
        document = Held(json.dumps(content(number)).encode())
        document.token = Token()
        alive.add(document.token)
        most = max(most, len(alive))
        return document

    emulator.set_faults(rules=[{"kind": "latency", "seconds": 0.005}, {"kind": "429", "probability": 0.1}])

    class Lazy:
        total = 100

        def __iter__(self) -> Iterator[Prediction | Result]:
            for i in range(100):
                yield Prediction(demo.scene_uuid(i), f"{i}", lambda i=i: read(i))  # type: ignore[misc]

    run = upload_all(Lazy(), settings_for(emulator, max_connections=connections), group)
    assert run.counts() == (100, 0, 0, 0)
    assert most <= 2 * connections + 1
    gc.collect()
    assert len(alive) <= 1


class Broken:
    """A source that breaks off."""

    def __init__(self, total: int | None) -> None:
        self.total = total

    def __iter__(self) -> Iterator[Prediction | Result]:
        for i in range(20):
            yield Prediction(demo.scene_uuid(i), f"{i}", lambda: json.dumps(content()).encode())
        raise OSError("the disk is gone")


def test_a_source_that_breaks_off(emulator: Emulator, group: str) -> None:
    """What was read is sent or unsent, what is missing is unsent if the number is known, the error is said."""
    run = upload_all(Broken(30), settings_for(emulator), group)
    assert isinstance(run.report.stopped, KognicStoreError)
    assert "the disk is gone" in str(run.report.stopped)
    assert run.report.summary.total == 30
    check_truth(run, emulator, group)
    assert upload_all(Broken(None), settings_for(emulator), group).report.summary.total == 20


def test_a_read_that_fails_unexpectedly_loses_nothing(emulator: Emulator, group: str) -> None:
    """Even an error that no read should raise leaves every prediction with an outcome."""

    def fail() -> bytes:
        raise MemoryError

    entries: list[Any] = [Prediction(demo.scene_uuid(i), f"{i}", fail) for i in range(30)]
    run = upload_all(Listed(entries, 30), settings_for(emulator), group)
    assert run.counts() == (0, 0, 0, 30)
    assert isinstance(run.report.stopped, KognicStoreError)


def test_an_observer_that_fails_does_not_hurt(
    emulator: Emulator, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The upload goes on without it and says so once; the others miss nothing."""

    class Failing:
        def notice(self, event: Event) -> None:
            raise RuntimeError("no room for results")

    run = upload_all(rows(100), settings_for(emulator), group, observers=[Failing()])
    assert run.counts() == (100, 0, 0, 0)
    assert len(run.results) == emulator.count_predictions(group) == 100
    assert [one.getMessage() for one in caplog.records if "Failing" in one.getMessage()] == [
        "Failing has failed; the upload goes on without it."
    ]


def test_an_observer_that_hangs_does_not_hurt(emulator: Emulator, group: str) -> None:
    """It has a thread of its own: nobody waits for it while the upload runs."""
    begun, release = threading.Event(), threading.Event()
    done: list[int] = []

    class Hanging:
        def notice(self, event: Event) -> None:
            begun.set()
            release.wait(200)

    def let_go() -> None:
        assert begun.wait(60)
        until = time.monotonic() + 60
        while emulator.count_predictions(group) < 100 and time.monotonic() < until:
            time.sleep(0.01)
        done.append(emulator.count_predictions(group))
        release.set()

    run = upload_all(rows(100), settings_for(emulator), group, observers=[Hanging()], alongside=let_go)
    assert done == [100]
    assert run.counts() == (100, 0, 0, 0)


class BadLog(MemoryLog):
    """A log that fails from its so many-th line on."""

    def __init__(self, good: int) -> None:
        super().__init__()
        self._good = good

    def append(self, lines: Sequence[bytes]) -> None:
        if len(self.lines) + len(lines) > self._good:
            raise OSError("journal is full")
        super().append(lines)


def test_a_journal_that_cannot_be_read(emulator: Emulator, group: str) -> None:
    """Not being able to read what was sent before is an error before anything is sent."""

    class Unreadable(MemoryLog):
        def read(self) -> list[bytes]:
            raise OSError("the disk is gone")

    with pytest.raises(KognicJournalError, match="the disk is gone"):
        upload_all(rows(50), settings_for(emulator), group, journal=Journal(Unreadable()))
    assert emulator.stats()["prediction_posts"] == 0


def test_a_journal_that_fails_before_sending(emulator: Emulator, group: str) -> None:
    """What could not be noted is not sent; it is unsent, not in doubt, and the run ends."""
    run = upload_all(rows(50), settings_for(emulator), group, journal=Journal(BadLog(0)))
    assert run.counts() == (0, 0, 0, 50)
    assert "journal is full" in str(run.report.stopped)
    assert emulator.stats()["prediction_posts"] == 0


def test_a_journal_that_fails_afterwards(emulator: Emulator, group: str) -> None:
    """What the server answered stays true, the run ends, and what the journal lacks is not taken for unsent."""
    log = BadLog(30)
    run = upload_all(rows(50), settings_for(emulator), group, journal=Journal(log))
    created, refused, in_doubt, unsent = run.counts()
    assert 1 <= created <= 30
    assert (refused, in_doubt) == (0, 0)
    assert created + unsent == 50
    assert isinstance(run.report.stopped, KognicJournalError)
    check_truth(run, emulator, group)
    emulator.change_faults(predictions_listing=True)
    again = upload_all(rows(50), settings_for(emulator), group, journal=Journal(log.reopened()))
    assert again.report.summary.uploaded + again.report.summary.skipped + again.report.summary.in_doubt == 50
    assert emulator.count_predictions(group) <= 50


def test_what_an_earlier_run_created_is_skipped(emulator: Emulator, group: str) -> None:
    """A journal that knows a prediction keeps it from being sent, and its uuid is known."""
    log = MemoryLog()
    first = upload_all(rows(4), settings_for(emulator), group, journal=Journal(log))
    run = upload_all(rows(10), settings_for(emulator), group, journal=Journal(log.reopened()))
    assert run.report.summary.skipped == 4
    assert run.report.summary.uploaded == 6
    assert emulator.stats()["prediction_posts"] == 10
    uuids = {result.scene_uuid: result.prediction_uuid for result in first.results}
    skipped = [result for result in run.results if result.outcome is Outcome.SKIPPED]
    assert {result.scene_uuid: result.prediction_uuid for result in skipped} == uuids


@pytest.mark.parametrize("connections", [0, 11, True, "ten", 2.5, None])
def test_connections_out_of_range(emulator: Emulator, group: str, connections: Any) -> None:
    """More than ten connections are refused with Kognic's reason, before anything is sent."""
    why = "documentation" if type(connections) is int else "must be a whole number"
    with pytest.raises(KognicInputError, match=rf"(?=.*from 1 to 10).*{why}"):
        upload_all(rows(1), settings_for(emulator), group, max_connections=connections)
    assert emulator.stats()["requests"] == {}


def test_progress_is_logged(emulator: Emulator, group: str, caplog: pytest.LogCaptureFixture) -> None:
    """Every few seconds a line says how far it is, how fast, and how long it will take; the last line sums up."""
    caplog.set_level("INFO", "airflow_provider_kognic")
    emulator.set_faults(rules=[{"kind": "latency", "seconds": 0.05}])
    upload_all(rows(80), settings_for(emulator), group, log_every=0.1)
    lines = [record.message for record in caplog.records if "predictions" in record.message]
    assert any("of 80 predictions" in line and "left" in line and "in flight" in line for line in lines)
    assert lines[-1].startswith("Ended after ")
    assert ": 80 of 80 predictions done (100 %): 80 created; " in lines[-1]


def test_the_log_shows_no_more_than_the_first(
    emulator: Emulator, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Ten thousand bad files do not fill the log: the first twenty are named, all are counted."""
    bad = RowsSource([{"sceneUuid": f"bad-{i}", "openlabelContent": {}} for i in range(60)])
    run = upload_all(bad, settings_for(emulator), group)
    shown = [record for record in caplog.records if record.message.startswith("refused: ")]
    assert len(shown) == 20
    assert len(run.report.first) == 20
    assert run.report.reasons == {"not_a_uuid": 60}


def test_a_large_source_is_counted_to_its_end_when_asked_to_stop(
    emulator: Emulator, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every prediction of a source has its result, however long it takes to go through the rest of it."""
    # On a busy machine a thread may get no turn for a second.
    monkeypatch.setattr(intake, "_COUNTING_WHEN_STOPPED", 30.0)
    stop = Stop()
    stop.request("killed")

    class Large:
        total = 150_000

        def __iter__(self) -> Iterator[Prediction | Result]:
            for i in range(self.total):
                yield Prediction(str(uuid.UUID(int=i + 1)), f"{i}", bytes)

    run = upload_all(Large(), settings_for(emulator), group, stop=stop)
    assert len(run.results) == 150_000
    assert run.report.uncounted == 0
    assert run.counts() == (0, 0, 0, 150_000)


def test_a_404_of_a_scene_is_no_unknown_group_where_the_journal_knows_better(
    emulator: Emulator, group: str
) -> None:
    """A run of which only what is refused by 404 is left does not fail for an unknown group."""
    lost = demo.scene_uuid(3)
    emulator.set_faults(rules=[{"kind": "status", "status": 404, "match": {"scene": lost}}])
    log = MemoryLog()
    first = upload_all(rows(10), settings_for(emulator), group, journal=Journal(log))
    assert first.counts() == (9, 1, 0, 0)
    again = upload_all(rows(10), settings_for(emulator), group, journal=Journal(log.reopened()))
    assert again.report.stopped is None
    assert again.report.summary.skipped == 9
    assert again.scenes(Outcome.REFUSED) == {lost}


def test_force_says_that_it_counts_once(
    emulator: Emulator, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A second try of a forced upload sends nothing twice, and says how to begin anew once more."""
    log = MemoryLog()
    upload_all(rows(5), settings_for(emulator), group, journal=Journal(log, upload="a"))
    forced = upload_all(
        rows(5), settings_for(emulator), group, journal=Journal(log.reopened(), upload="a", force=True)
    )
    assert forced.report.summary.uploaded == 5
    assert "start another run" not in caplog.text
    kept = MemoryLog()
    upload_all(rows(5), settings_for(emulator), group, journal=Journal(kept, upload="b", force=True))
    retried = upload_all(
        rows(5), settings_for(emulator), group, journal=Journal(kept.reopened(), upload="b", force=True)
    )
    assert retried.report.summary.skipped == 5
    assert "start another run" in caplog.text


def test_a_new_journal_for_a_group_that_has_the_scenes_is_said(
    emulator: Emulator, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A journal whose disk is not mounted looks like a new one: what the group holds gives it away."""
    emulator.change_faults(predictions_listing=True)
    upload_all(rows(5), settings_for(emulator), group, journal=Journal(MemoryLog()))
    assert "The journal is new" not in caplog.text
    upload_all(rows(5), settings_for(emulator), group, journal=Journal(MemoryLog()))
    assert "predictions of 5 scenes of this source" in caplog.text
    assert "mounted" in caplog.text
