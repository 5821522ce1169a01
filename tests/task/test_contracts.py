"""The contract that a connection names: read once, held to its host, and never guessed at."""

import logging
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from airflow_provider_kognic.core.api.switches import Switches
from airflow_provider_kognic.core.contract.contract import Contract, Judgement, Verdict
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.retries import may_repeat
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.hooks.connections import Assumed
from airflow_provider_kognic.task.contracts import switched

HOST = "dataset.app.kognic.com"
CONFIRMED = Judgement(Verdict.CONFIRMED)


def saved(folder: Path, host: str = HOST, days: int = 0) -> str:
    """A contract that confirms compression and contradicts the listing."""
    asked_at = datetime.now(timezone.utc) - timedelta(days=days)
    judged = {"compression": CONFIRMED, "predictions_listing": Judgement(Verdict.CONTRADICTED)}
    path = folder / "contract.json"
    path.write_text(Contract(host, asked_at, judged).dump())
    return str(path)


def test_without_anything_all_is_as_documented_and_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert switched(Assumed(), HOST, Patience(0)) == Switches()
    assert not caplog.records


def test_it_is_read_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    path = saved(tmp_path)
    expected = Switches(listing=False, compression=True)
    for text in (path, f"file://{path}", f" {path} "):
        assert switched(Assumed(text.strip()), HOST, Patience(0)) == expected
    (line, *_) = (one.getMessage() for one in caplog.records)
    day = datetime.now(timezone.utc).date().isoformat()
    assert line.startswith("What is optional in the API: predictions_listing off, by the contract of ")
    assert f"compression on, by the contract of {day} (confirmed)" in line
    assert not [one for one in caplog.records if one.levelno > logging.INFO]


def test_it_holds_however_its_host_is_typed(tmp_path: Path) -> None:
    path = saved(tmp_path, "Dataset.App.Kognic.com.:443")
    assert switched(Assumed(path), HOST, Patience(0)).compression


def test_what_is_named_holds_and_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    named = {"compression": False, "predictions_listing": True}
    found = switched(Assumed(saved(tmp_path), named), HOST, Patience(0))
    assert (found.compression, found.listing) == (False, True)
    said = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert len(said) == 2
    assert said[0].startswith("'assumptions' say compression=off, and the contract of")


def test_an_old_one_is_warned_of_and_holds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert switched(Assumed(saved(tmp_path, days=91)), HOST, Patience(0)).compression
    (said,) = (one.getMessage() for one in caplog.records if one.levelno == logging.WARNING)
    assert said.startswith("The contract is 91 days old")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is not there: 'airflow-provider-kognic contract --save PATH' writes one"),
        ("", "is no JSON"),
        ("<html>", "is no JSON"),
        ('{"format": "something else"}', "its 'format' is not"),
        ('{"format": "airflow-provider-kognic contract", "version": 99}', "of version 99"),
        ('{"format": "airflow-provider-kognic contract", "version": 1}', "is damaged"),
        ("x" * 2_000_000, "is larger than any"),
    ],
)
def test_one_that_cannot_be_read_ends_the_task_for_good(
    tmp_path: Path, content: str | None, said: str
) -> None:
    path = tmp_path / "contract.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(KognicInputError, match=said) as caught:
        switched(Assumed(str(path)), HOST, Patience(0))
    assert "nothing was sent" in str(caught.value)
    assert str(path) in str(caught.value) or "damaged" in said
    assert not may_repeat(caught.value, idempotent=True)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """To open a pipe waits for its writer."""
    os.mkfifo(tmp_path / "contract.json")
    for path in (tmp_path / "contract.json", tmp_path):
        with pytest.raises(KognicInputError, match="nothing was sent"):
            switched(Assumed(str(path)), HOST, Patience(0))


def test_one_of_another_host_ends_the_task(tmp_path: Path) -> None:
    with pytest.raises(
        KognicInputError, match=r"is of 'other\.example', and the connection's host is dataset"
    ):
        switched(Assumed(saved(tmp_path, "other.example")), HOST, Patience(0))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"format": "airflow-provider-kognic contract"}', "is a path, not the contract itself"),
        ("nostore://bucket/contract.json", "nostore"),
    ],
)
def test_what_is_no_path_is_refused(text: str, said: str) -> None:
    with pytest.raises(KognicInputError, match=said):
        switched(Assumed(text), HOST, Patience(0))
