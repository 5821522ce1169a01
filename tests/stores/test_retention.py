"""Journals in a real S3 are compacted and removed: many keys, pages of a listing, a store in trouble."""

import json
import logging
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicJournalAccessError, KognicJournalRemovedError
from airflow_provider_kognic.core.journal.retention.cleaning import Ages, What
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.task.paths import to_path
from tests.core.journal.folders import GROUP, HEADER, HOST
from tests.core.journal.retention.journals import (
    AT_ONCE,
    REMOVE_AT_ONCE,
    attempt,
    clean,
    clean_one,
    opened,
    prediction,
    scene,
    used,
    what_is_known,
)
from tests.stores import faults
from tests.stores.s3 import S3

WHERE = "s3://ml@preds/journal"
# More than one page of a listing holds.
MANY = 1_050


@pytest.fixture
def folder(s3: S3) -> Any:
    return to_path(WHERE)


def many(s3: S3) -> None:
    """A journal of many attempts, one for each scene."""
    parts = {}
    for number in range(1, MANY + 1):
        one, made = scene(number).replace("-", ""), prediction(number).replace("-", "")
        lines = [
            HEADER.to_line().decode(),
            json.dumps(["i", one, "ab" * 16, 1.5, 1]),
            json.dumps(["c", one, made]),
        ]
        parts[f"journal/{HOST}/{GROUP}/{number:06d}-{number:08x}-0001a.jsonl"] = "\n".join([*lines, ""])
    s3.put_all(parts)


def test_many_attempts_become_one_file(s3: S3, folder: Any) -> None:
    many(s3)
    row = clean_one(folder)
    assert (row.what, row.predictions) == (What.COMPACTED, MANY)
    assert row.after < row.before
    (key,) = s3.keys("journal/")
    assert key.startswith(f"journal/{HOST}/{GROUP}/{MANY:06d}-")
    assert len(what_is_known(folder)) == MANY
    assert clean_one(folder).what is What.IS_COMPACT
    row = clean_one(folder, REMOVE_AT_ONCE)
    assert (row.what, row.predictions) == (What.REMOVED, MANY)
    assert len(s3.keys("journal/")) == 1
    with pytest.raises(KognicJournalRemovedError, match="it knew 1,050 predictions"):
        opened(folder)


def test_it_is_used_removed_and_started_over(s3: S3, folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    """How old it is the store says."""
    used(folder)
    known = what_is_known(folder)
    assert clean_one(folder, Ages(3600.0)).what is What.USED_RECENTLY
    assert clean_one(folder).what is What.COMPACTED
    assert what_is_known(folder) == known
    assert clean_one(folder, REMOVE_AT_ONCE).what is What.REMOVED
    with caplog.at_level(logging.WARNING):
        attempt(folder, (1, "old", Outcome.CREATED), start_over=True)
    assert "Starting over" in caplog.text
    attempt(folder, (2, "old", Outcome.CREATED))
    with pytest.raises(KognicJournalRemovedError):
        opened(folder, source="another source")
    assert clean_one(folder).what is What.COMPACTED
    assert set(what_is_known(folder)) == {scene(1), scene(2)}


@pytest.mark.parametrize("operation", ["list", "read", "write", "delete"])
def test_what_is_not_answered_is_asked_again(s3: S3, folder: Any, operation: Any) -> None:
    used(folder)
    known = what_is_known(folder)
    fault = s3.proxy.add(faults.UNAVAILABLE, operation, times=3)
    assert clean_one(folder).what is What.COMPACTED
    assert fault.happened
    s3.proxy.clear()
    assert what_is_known(folder) == known


def test_what_the_store_says_no_to_is_told(s3: S3, folder: Any) -> None:
    """A part that cannot be removed is removed by the next one who may."""
    used(folder)
    known = what_is_known(folder)
    s3.proxy.add(faults.DENIED, "delete", where=r"\.jsonl$")
    row = clean_one(folder)
    assert row.what is What.FAILED
    assert "Denied" in row.note
    assert what_is_known(folder) == known
    s3.proxy.clear()
    assert clean_one(folder, AT_ONCE).what is What.COMPACTED
    assert what_is_known(folder) == known
    assert len(s3.keys("journal/")) == 1
    s3.proxy.add(faults.DENIED, "list")
    with pytest.raises(KognicJournalAccessError, match="must be allowed"):
        clean(folder)
