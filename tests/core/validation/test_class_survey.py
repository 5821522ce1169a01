"""The classes of a source, for a class mapping."""

import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError, KognicStoreError
from airflow_provider_kognic.core.models import Prediction, Refused
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.sources.rows import RowsSource
from airflow_provider_kognic.core.validation.class_survey import classes_of
from airflow_provider_kognic.emulator import demo
from tests.core.documents import segmentation
from tests.core.support import Listed, content, rows


def row(number: int, document: Any) -> dict[str, Any]:
    return {"sceneUuid": demo.scene_uuid(number), "openlabelContent": document}


def of_class(name: str) -> dict[str, Any]:
    document = content()
    document["openlabel"]["objects"]["1"]["type"] = name
    return document


def test_every_class_of_every_document_is_found(tmp_path: Path) -> None:
    """Types of objects, and what segmentation's ontology names; from a folder, too."""
    documents = [of_class(f"class {n}") for n in range(50)] + [segmentation()]
    expected = {f"class {n}" for n in range(50)} | {"_background", "road"}
    assert classes_of(RowsSource([row(n, one) for n, one in enumerate(documents)])) == expected
    for number, one in enumerate(documents):
        (tmp_path / f"{demo.scene_uuid(number)}.json").write_text(json.dumps(one))
    assert classes_of(open_source(tmp_path, None, resolve=Path)) == expected


def test_invalid_documents_are_named(caplog: pytest.LogCaptureFixture) -> None:
    """Their classes are not known, so there is no mapping; the first ten are named, all are counted."""
    source = RowsSource([*rows(5).rows, *(row(n, {"openlabel": {}}) for n in range(5, 30))])
    with pytest.raises(KognicInputError) as caught:
        classes_of(source)
    said = str(caught.value)
    assert "the classes of 25 of 30 predictions cannot be told" in said
    assert said.count(" is not valid. ") == 10
    assert re.findall(r"scene (\S+) \(", said) == [demo.scene_uuid(n) for n in range(5, 15)]
    assert "And 15 more predictions. No group was made." in said
    assert len(said) < 20_000


def test_documents_that_cannot_be_read_are_named() -> None:
    """As those that are invalid."""

    def read() -> bytes:
        raise Refused(Reason.UNREADABLE, "cannot be read: OSError: gone")

    with pytest.raises(KognicInputError, match=r"cannot be read: OSError: gone"):
        classes_of(Listed([Prediction(demo.scene_uuid(0), "here", read)]))


def test_entries_that_no_upload_would_send_are_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    """A stray file has no classes; that it is there is said."""
    source = RowsSource([row(0, of_class("a")), row(0, of_class("b")), "text"])
    assert classes_of(source) == {"a"}
    assert "2 entries of the source name no scene, or one that stood before" in caplog.text


def test_an_empty_source_has_no_mapping() -> None:
    """Rather than one of nothing but the background."""
    with pytest.raises(
        KognicInputError,
        match=r"holds no predictions to take the classes from\. 'predictions' is a list without rows\. No group",
    ):
        classes_of(RowsSource([]))
    with pytest.raises(KognicInputError, match=r"from\. None of its 2 entries names a scene\. No group"):
        classes_of(RowsSource(["text", {}]))


def test_a_source_that_breaks_is_an_error() -> None:
    """Half of the classes are no mapping."""

    class Breaks:
        total = None

        def __iter__(self) -> Any:
            yield Prediction(demo.scene_uuid(0), "0", json.dumps(content()).encode)
            raise OSError("the store is gone")

    with pytest.raises(KognicStoreError, match=r"cannot be read on: .*OSError: the store is gone"):
        classes_of(Breaks())


def test_no_more_documents_are_read_at_a_time_than_there_are_readers() -> None:
    """So many are in memory."""
    lock = threading.Lock()
    now, most = 0, 0

    def read() -> bytes:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        threading.Event().wait(0.002)
        with lock:
            now -= 1
        return json.dumps(content()).encode()

    classes_of(Listed([Prediction(demo.scene_uuid(n), f"{n}", read) for n in range(100)]), readers=4)
    assert 1 < most <= 4
