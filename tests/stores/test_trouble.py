"""Trouble of a store is not refusal: what an upload makes of it, document by document, from a real S3.

Three kinds: a document is bad, not there or not allowed (refused); the store did not answer (asked again, then
unsent); and what concerns the whole source (the run ends, the rest is unsent).
"""

import json
import re
import threading
import time
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import (
    KognicError,
    KognicInputError,
    KognicStoreCredentialsError,
    KognicStoreError,
)
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.options import MaxFailures, UploadOptions
from airflow_provider_kognic.core.reporting.judgement import judge
from airflow_provider_kognic.core.stores import limited
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.task.paths import to_source
from tests.core.support import QUICK, Run, check_truth, content, settings_for, upload_all
from tests.stores import faults
from tests.stores.conftest import COUNT
from tests.stores.s3 import S3

FOLDER = "s3://ml@preds/day/"
# Of whom is asked for long enough to be sure on a busy machine, and whom nobody waits for.
LONG, SHORT = 120.0, 0.3
FIRST = demo.scene_uuid(0)


@pytest.fixture
def group(emulator: Emulator) -> str:
    return emulator.create_group()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store counts as silent sooner than in real life."""
    monkeypatch.setattr(limited, "SILENCE", 1.5)


def run(emulator: Emulator, group: str, predictions: str = FOLDER, timeout: float = LONG, **more: Any) -> Run:
    patience = Patience(timeout, QUICK)
    source = to_source(predictions, patience=patience)
    told = {"outage_timeout": timeout, "patience": patience, **more}
    done = upload_all(source, settings_for(emulator), group, **told)
    check_truth(done, emulator, group)
    return done


AGAIN = {
    "503 SlowDown": faults.SLOW_DOWN,
    "503 ServiceUnavailable": faults.UNAVAILABLE,
    "500": faults.INTERNAL_ERROR,
    "reset": faults.RESET,
    "reset in the body": faults.RESET_IN_BODY,
    "short body": faults.SHORT_BODY,
}


@pytest.mark.parametrize("trouble", AGAIN.values(), ids=AGAIN.keys())
def test_a_store_that_is_in_trouble_for_a_while(
    day: S3, emulator: Emulator, group: str, trouble: faults.Trouble
) -> None:
    """Each request that reads meets it once or more: nothing is refused, everything is created, once."""
    fault = day.proxy.add(trouble, "read", "head", times=60)
    done = run(emulator, group)
    assert fault.happened == 60
    assert done.counts() == (COUNT, 0, 0, 0)


@pytest.mark.parametrize("trouble", [faults.SILENT, faults.STALLED], ids=["no answer", "half an answer"])
@pytest.mark.usefixtures("impatient")
def test_a_read_that_never_answers_is_made_again(
    day: S3, emulator: Emulator, group: str, trouble: faults.Trouble
) -> None:
    fault = day.proxy.add(trouble, "read", where=FIRST, times=1)
    done = run(emulator, group)
    assert fault.happened == 1
    assert done.counts() == (COUNT, 0, 0, 0)


@pytest.mark.parametrize("trouble", AGAIN.values(), ids=AGAIN.keys())
def test_one_document_that_never_comes_is_unsent_and_no_failure_that_may_be_allowed(
    day: S3, emulator: Emulator, group: str, trouble: faults.Trouble
) -> None:
    day.proxy.add(trouble, "read", "head", where=FIRST)
    done = run(emulator, group, timeout=SHORT, max_failures="50%")
    assert done.counts() == (COUNT - 1, 0, 0, 1)
    (missing,) = (result for result in done.results if result.outcome is Outcome.UNSENT)
    assert (missing.scene_uuid, missing.reason) == (FIRST, "store_unavailable")
    assert "did not answer" in str(missing.message)
    failure = judge(done.report, UploadOptions(max_failures=MaxFailures(50, percent=True)))
    assert failure is not None
    assert FIRST in failure.message
    assert not failure.retry  # there is no journal: another try would send the others twice


def test_a_store_that_stays_away_ends_the_run(day: S3, emulator: Emulator, group: str) -> None:
    """Not one document after the other: the rest is unsent at once."""
    day.proxy.add(faults.SLOW_DOWN, "read", after=5)
    done = run(emulator, group, timeout=SHORT, max_failures="50%")
    created, refused, doubt, unsent = done.counts()
    assert (created + unsent, refused, doubt) == (COUNT, 0, 0)
    assert created <= 5
    assert isinstance(done.report.stopped, KognicStoreError)


@pytest.mark.parametrize(
    ("trouble", "kind", "said"),
    [
        (faults.EXPIRED_TOKEN, KognicStoreCredentialsError, "expired"),
        (faults.WRONG_REGION, KognicInputError, "another region"),
        (faults.WRONG_REGION_SIGNED, KognicInputError, "another region"),
        (faults.NO_BUCKET, KognicInputError, r"no (such )?bucket"),
        (faults.UNKNOWN_KEY_ID, KognicInputError, "does not take the credentials"),
        (faults.CLOCK_SKEW, KognicInputError, "the clock"),
    ],
    ids=lambda value: getattr(value, "code", ""),
)
@pytest.mark.parametrize("when", ["reading", "listing"])
def test_what_concerns_the_whole_source_ends_the_run(
    day: S3,
    emulator: Emulator,
    group: str,
    trouble: faults.Trouble,
    kind: type[KognicError],
    said: str,
    when: str,
) -> None:
    """Nothing is refused for it, and nobody waits for it; before the first prediction nothing is sent."""
    began = time.monotonic()
    if when == "listing":
        day.proxy.add(trouble, "list", "head")
        with pytest.raises(kind, match=f"(?i){said}"):
            run(emulator, group)
        assert emulator.count_predictions(group) == 0
    else:
        day.proxy.add(trouble, "read", "head", after=5)
        done = run(emulator, group, max_failures="50%")
        created, refused, doubt, unsent = done.counts()
        assert (created + unsent, refused, doubt) == (COUNT, 0, 0)
        assert unsent
        assert type(done.report.stopped) is kind
        assert re.search(said, str(done.report.stopped))
    assert time.monotonic() - began < LONG


@pytest.mark.parametrize("trouble", [faults.DENIED, faults.NO_KEY], ids=["denied", "gone"])
def test_what_is_not_there_or_not_allowed_is_refused_and_said_so(
    day: S3, emulator: Emulator, group: str, trouble: faults.Trouble
) -> None:
    day.proxy.add(trouble, "read", "head", where=FIRST)
    done = run(emulator, group)
    assert done.counts() == (COUNT - 1, 1, 0, 0)
    (refused,) = (result for result in done.results if result.outcome is Outcome.REFUSED)
    assert (refused.scene_uuid, refused.reason) == (FIRST, "unreadable")
    assert "PermissionError" in str(refused.message) or "FileNotFoundError" in str(refused.message)


def test_an_object_that_is_another_than_was_listed_is_read_as_it_is_now(
    day: S3, emulator: Emulator, group: str
) -> None:
    newer = json.dumps(content(77))
    writes = faults.Does(lambda: day.put(f"day/{FIRST}.json", newer))
    day.proxy.add(writes, "read", where=FIRST, times=1)
    assert run(emulator, group).counts() == (COUNT, 0, 0, 0)
    (stored,) = (row for row in emulator.predictions(group) if row["scene_uuid"] == FIRST)
    assert json.loads(emulator.document(stored["uuid"])) == json.loads(newer)


@pytest.mark.parametrize("trouble", AGAIN.values(), ids=AGAIN.keys())
def test_a_listing_is_asked_for_again(
    day: S3, emulator: Emulator, group: str, trouble: faults.Trouble
) -> None:
    fault = day.proxy.add(trouble, "list", times=20)
    assert run(emulator, group).counts() == (COUNT, 0, 0, 0)
    assert fault.happened == 20


def test_a_listing_that_never_comes_says_so(day: S3, emulator: Emulator, group: str) -> None:
    day.proxy.add(faults.SLOW_DOWN, "list", "head")
    with pytest.raises(KognicStoreError, match=r"day.*did not answer.*Asked \d+ times? in \d+ s"):
        run(emulator, group, timeout=SHORT)
    assert emulator.count_predictions(group) == 0


@pytest.mark.parametrize("trouble", AGAIN.values(), ids=AGAIN.keys())
@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_a_file_of_rows_is_read_on_where_it_broke_off(
    s3: S3, emulator: Emulator, group: str, trouble: faults.Trouble, kind: str
) -> None:
    """It is larger than what is asked for at a time, so that it breaks off in its middle."""
    rows = []
    for i in range(200):
        prediction = content(i)
        prediction["openlabel"]["metadata"]["comment"] = "x" * 100_000
        s3.put(f"docs/{demo.scene_uuid(i)}.json", json.dumps(content(i)))
        rows.append(json.dumps({"sceneUuid": demo.scene_uuid(i), "openlabelContent": prediction}))
    if kind == "jsonl":
        s3.put("all.jsonl", "\n".join(rows))
    else:
        lines = (f"{demo.scene_uuid(i)},docs/{demo.scene_uuid(i)}.json" for i in range(200))
        s3.put("all.csv", "\n".join(["scene_uuid,path", *lines]))
    patience = Patience(LONG, QUICK)
    given = f"s3://ml@preds/all.{kind}"
    fault = s3.proxy.add(trouble, "read", where=r"^all\.", times=12, after=1)
    source = to_source(*((given,) if kind == "jsonl" else (None, given)), patience=patience)
    done = upload_all(source, settings_for(emulator), group, patience=patience)
    check_truth(done, emulator, group)
    assert done.counts() == (200, 0, 0, 0)
    assert fault.happened


def test_an_upload_that_is_asked_to_stop_does_not_wait_for_the_store(
    day: S3, emulator: Emulator, group: str
) -> None:
    from airflow_provider_kognic.core.upload.stop import Stop

    stop = Stop()
    fault = day.proxy.add(faults.SLOW_DOWN, "read")

    def ask() -> None:
        until = time.monotonic() + 60
        while fault.happened < 5 and time.monotonic() < until:
            time.sleep(0.05)
        stop.request("marked failed")

    began = time.monotonic()
    done = run(emulator, group, timeout=600.0, stop=stop, alongside=ask)
    assert time.monotonic() - began < 100
    assert done.counts() == (0, 0, 0, COUNT)


def test_an_outage_of_the_store_and_one_of_the_api_in_one_upload(
    day: S3, emulator: Emulator, group: str
) -> None:
    """Nothing is refused, nothing is lost, nothing is there twice."""
    store = day.proxy.add(faults.UNAVAILABLE, "read", after=10)
    emulator.set_faults(rules=[{"kind": "503_before"}])

    def ends() -> None:
        until = time.monotonic() + 60
        while store.happened < 20 and time.monotonic() < until:
            time.sleep(0.05)
        emulator.clear_faults()
        time.sleep(0.3)
        day.proxy.clear()

    thread = threading.Thread(target=ends)
    thread.start()
    done = run(emulator, group, on_ambiguous="resend")
    thread.join()
    assert done.counts()[1:] == (0, 0, 0)
    assert done.counts()[0] == COUNT
