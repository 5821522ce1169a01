"""What an upload records while it runs: bounded, about once a second, and never at the upload's cost."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

import pytest

from airflow_provider_kognic.core.models import Outcome, Result
from airflow_provider_kognic.core.reporting.events import Held, Settled
from airflow_provider_kognic.core.reporting.observers import Together
from airflow_provider_kognic.records import DETAILS, MOST_EXAMPLES, MOST_POINTS, PROGRESS, UPLOAD
from airflow_provider_kognic.task.live.account import Account, History
from airflow_provider_kognic.task.live.description import shown_run
from airflow_provider_kognic.task.live.recorder import Recorder
from airflow_provider_kognic.task.summary import readable
from tests.patience import wait_for

pytest.importorskip("airflow.models.task_state_store", reason="there is no task state store in this Airflow")


class Store:
    """A task state store that can be slow or broken."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.writes: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.broken = False

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self.writes.append(key)
        self.gate.wait()
        if self.broken:
            raise RuntimeError("no such server at https://user:secret@store")
        self.values[key] = json.loads(json.dumps(value, allow_nan=False))


class TaskInstance:
    task_id, map_index, try_number = "upload", -1, 1

    def __init__(self) -> None:
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value


def settled(outcome: Outcome, reason: str | None = None, message: str = "", number: int = 0) -> Settled:
    return Settled(
        Result(
            scene_uuid=f"scene {number}",
            source=f"/data/{number}.json",
            outcome=outcome,
            reason=reason,
            message=message,
        )
    )


def recorder(store: Store, account: Account, ti: Any = None, **more: Any) -> Recorder:
    context = {"ti": ti or TaskInstance(), "task_state_store": store}
    return Recorder(context, account, lambda: {"kind": "upload"}, beside=True, **more)


def test_progress_is_written_while_the_upload_runs_and_at_its_end() -> None:
    store, account, ti = Store(), Account(readable), TaskInstance()
    with recorder(store, account, ti) as recording:
        wait_for(lambda: PROGRESS in store.values)
        assert store.values[PROGRESS]["phase"] == "preparing"
        recording.begin("uploading", 3)
        account.notice(settled(Outcome.CREATED))
        account.notice(Held(2))
        wait_for(lambda: store.values[PROGRESS]["done"] == 1)
        assert store.values[PROGRESS]["in_doubt"] == 2
        assert store.values[PROGRESS]["phase"] == "settling"
        account.notice(settled(Outcome.REFUSED, "invalid", "no box"))
        counts = {"uploaded": 1, "refused": 1, "in_doubt": 1, "total": 3, "rate_per_s": 7.5}
        recording.end(counts, failed=True)
    ended = store.values[PROGRESS]
    assert (ended["phase"], ended["done"], ended["total"], ended["rate_per_s"]) == ("failed", 3, 3, 7.5)
    assert store.values[DETAILS]["refused"][0]["message"] == "no box"
    assert ti.xcoms == {UPLOAD: {"kind": "upload"}}


def test_a_store_that_hangs_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    store, account = Store(), Account(readable)
    store.gate.clear()
    with recorder(store, account, hurried=lambda: True) as recording:
        wait_for(lambda: store.writes)
        recording.begin("uploading", 1)
        account.notice(settled(Outcome.CREATED))
    assert "has not taken in time" in caplog.text  # and the task is over
    store.gate.set()


def test_a_broken_store_is_said_once_and_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    store, account = Store(), Account(readable)
    store.broken = True
    with caplog.at_level(logging.INFO), recorder(store, account):
        wait_for(lambda: len(store.writes) > 1)
        store.broken = False
        wait_for(lambda: PROGRESS in store.values)
    said = [one.getMessage() for one in caplog.records if "cannot be recorded" in one.getMessage()]
    assert len(said) == 1
    assert "secret" not in said[0]


def test_an_error_of_the_task_is_its_own_and_is_recorded() -> None:
    store = Store()
    with pytest.raises(ValueError, match="mine"), recorder(store, Account(readable)):
        raise ValueError("mine")
    assert store.values[PROGRESS]["phase"] == "failed"


def test_all_that_is_recorded_is_small_however_much_goes_wrong() -> None:
    account = Account(readable)
    account.begin("uploading", None)
    for number in range(3_000):
        for outcome in (Outcome.REFUSED, Outcome.IN_DOUBT, Outcome.UNSENT):
            account.notice(settled(outcome, f"reason {number} " + "語" * 500, "\u0000語" * 5_000, number))
    account.progress()
    details = account.details()
    assert len(json.dumps(details)) < 60_000
    assert len(details["refused"]) == len(details["in_doubt"]) == MOST_EXAMPLES
    assert sum(details["reasons"]["refused"].values()) == 3_000
    run = shown_run({f"name {number}" * 50: "語" * 9_000 for number in range(900)})
    assert len(json.dumps(run)) < 8_000


def test_examples_show_each_reason() -> None:
    account = Account(readable)
    for number in range(100):
        account.notice(settled(Outcome.REFUSED, "invalid", number=number))
    account.notice(settled(Outcome.REFUSED, "no_annotations", number=100))
    reasons = [one["reason"] for one in account.details()["refused"]]
    assert len(reasons) == MOST_EXAMPLES
    assert reasons.count("no_annotations") == 1


def test_what_a_source_calls_a_scene_may_be_anything() -> None:
    account = Account(readable)
    for number in range(MOST_EXAMPLES):
        scene = f"https://me:secret@host/{number}/" + "s" * 10_000
        account.notice(
            Settled(Result(scene_uuid=scene, source="x", outcome=Outcome.REFUSED, reason="invalid"))
        )
    details = json.dumps(account.details())
    assert len(details) < 60_000
    assert "secret" not in details


def test_secrets_in_messages_are_hidden() -> None:
    account = Account(readable)
    account.notice(settled(Outcome.REFUSED, "invalid", "see https://me:secret@host/x?sig=secret"))
    assert "secret" not in json.dumps(account.details())


def test_the_history_keeps_its_ends_and_few_points() -> None:
    history = History()
    for second in range(10_000):
        history.add(float(second), second, 0, 0)
    history.add(10_000.0, 10_000, 0, 0, last=True)
    points = history.points
    assert len(points) <= MOST_POINTS
    assert points[0] == [0.0, 0, 0, 0]
    assert points[-1] == [10_000.0, 10_000, 0, 0]
    assert points == sorted(points)
    assert len(points) > MOST_POINTS // 4


def test_what_one_observer_raises_ends_it_alone(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def notice(self, event: Any) -> None:
            raise RuntimeError("no more")

    account = Account(readable)
    both = Together(Broken(), account)
    for _ in range(3):
        both.notice(settled(Outcome.CREATED))
    assert account.progress()["done"] == 3
    assert caplog.text.count("Broken has failed") == 1
    assert both.name == "Broken and Account"
