"""What a function yields, as a source."""

import json
import re
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Outcome, Prediction, Result
from airflow_provider_kognic.core.sources.yielded.source import YieldedSource
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import content, settings_for, upload_all
from tests.patience import wait_for

Making = Callable[..., YieldedSource]


@pytest.fixture
def yielding() -> Iterator[Making]:
    """Makes sources of functions; they are closed in the end."""
    made: list[YieldedSource] = []

    def make(function: Any, **more: Any) -> YieldedSource:
        made.append(YieldedSource(function, **{"name": "infer", "key": "dag/infer", **more}))
        return made[-1]

    yield make
    for source in made:
        source.close()


def documents(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for number in range(count):
        yield demo.scene_uuid(number), content(number)


def test_each_pass_has_the_same_and_the_function_runs_once(yielding: Making) -> None:
    calls = []

    def infer() -> Iterator[Any]:
        calls.append(threading.current_thread().name)
        yield from documents(7)

    source = yielding(infer)
    first, second = list(source), list(source)
    assert calls == ["kognic-yield"]
    assert source.total == 7
    for number, (one, other) in enumerate(zip(first, second, strict=True)):
        assert isinstance(one, Prediction)
        assert isinstance(other, Prediction)
        assert one.scene_uuid == other.scene_uuid == demo.scene_uuid(number)
        assert json.loads(one.read()) == json.loads(other.read()) == content(number)
        assert one.read() == one.read()


class Model:
    def model_dump_json(self, *, exclude_none: bool) -> str:
        assert exclude_none
        return '{"openlabel":{}}'


@pytest.mark.parametrize(
    ("document", "read"),
    [
        ({"openlabel": {"a": "ä"}}, '{"openlabel":{"a":"ä"}}'.encode()),
        (b'{"openlabel": {}}', b'{"openlabel": {}}'),
        ('{"openlabel": {}}', b'{"openlabel": {}}'),
        (Model(), b'{"openlabel":{}}'),
    ],
)
def test_a_document_may_be_whatever_is_json(yielding: Making, document: Any, read: bytes) -> None:
    with_uuid = UUID(demo.scene_uuid(3))
    (one,) = yielding(lambda: iter([(with_uuid, document)]))
    assert isinstance(one, Prediction)
    assert (one.scene_uuid, one.read()) == (demo.scene_uuid(3), read)


@pytest.mark.parametrize(
    ("yielded", "reason", "said"),
    [
        ("text", "bad_row", r"infer\(\) yielded 'text'; expected \(scene_uuid, document\)"),
        ((1, 2, 3), "bad_row", "expected"),
        ((7, {}), "not_a_uuid", r"infer\(\) names a scene by 7"),
        (("no-uuid", {}), "not_a_uuid", "no scene uuid: 'no-uuid'"),
        ((demo.scene_uuid(0), {"x": float("nan")}), "not_json", "cannot be written as JSON"),
        ((demo.scene_uuid(0), {"x": object()}), "not_json", "cannot be written as JSON"),
        ((demo.scene_uuid(0), b"x" * 101), "too_large", "max_document_bytes"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_its_number_and_the_rest_goes_on(
    yielding: Making, yielded: Any, reason: str, said: str
) -> None:
    source = yielding(lambda: iter([yielded, (demo.scene_uuid(1), b'{"openlabel": {}}')]), max_bytes=100)
    refused, fine = list(source)
    assert isinstance(refused, Result)
    assert (refused.reason, refused.source, refused.outcome) == (reason, "predictions[0]", Outcome.REFUSED)
    assert re.search(said, refused.message or "")
    assert isinstance(fine, Prediction)


@pytest.mark.parametrize("returned", [None, "text", b"bytes", {"a": 1}, 7])
def test_a_function_that_yields_nothing_at_all_is_named(yielding: Making, returned: Any) -> None:
    source = yielding(lambda: returned)
    assert list(source) == []
    assert source.broke_off
    assert isinstance(source.error, KognicInputError)
    assert "expected a function that yields (scene_uuid, document)" in str(source.error)


def test_it_can_be_run_in_the_thread_of_whoever_needs_it(yielding: Making) -> None:
    def infer() -> Iterator[Any]:
        assert threading.current_thread() is threading.main_thread()
        yield from documents(3)

    source = yielding(infer)
    source.run_here()
    source.run_here()
    assert source.total == len(list(source)) == 3


def test_a_time_out_of_the_caller_ends_the_caller(yielding: Making) -> None:
    """Airflow's is no `Exception`; what the function raises by itself waits until its documents are sent."""

    class TimeOut(BaseException):
        pass

    def infer() -> Iterator[Any]:
        yield from documents(2)
        raise TimeOut

    with pytest.raises(TimeOut):
        yielding(infer).run_here()


def test_what_was_yielded_before_an_error_is_there(yielding: Making) -> None:
    def infer() -> Iterator[Any]:
        yield from documents(3)
        raise RuntimeError("out of memory")

    source = yielding(infer)
    assert len(list(source)) == len(list(source)) == 3
    assert str(source.error) == "out of memory"
    assert source.broke_off
    assert source.total is None


def test_a_stop_ends_the_function_at_its_next_document_and_whoever_waits_at_once(yielding: Making) -> None:
    """Its `finally` runs."""
    let_go, tidied = threading.Event(), threading.Event()

    def infer() -> Iterator[Any]:
        try:
            yield from documents(2)
            let_go.wait(60)
            yield from documents(100_000)
        finally:
            tidied.set()

    source = yielding(infer)
    entries = iter(source)
    assert [next(entries), next(entries)]
    source.stop()
    assert list(entries) == []
    let_go.set()
    assert tidied.wait(60)
    assert source.broke_off
    assert source.error is None


def test_documents_are_sent_while_the_function_runs(yielding: Making, emulator: Emulator) -> None:
    group = emulator.create_group()
    emulator.reset_stats()

    def infer() -> Iterator[Any]:
        yield from documents(5)
        wait_for(lambda: emulator.count_predictions(group) == 5)
        yield from list(documents(8))[5:]

    source = yielding(infer)
    run = upload_all(source, settings_for(emulator), group)
    assert source.error is None
    assert len(run.scenes(Outcome.CREATED)) == emulator.count_predictions(group) == 8


def test_memory_does_not_grow_with_documents(yielding: Making) -> None:
    """Some bytes for each of them, of 20 KB."""
    blob = "x" * 20_000

    def infer() -> Iterator[Any]:
        for number in range(2000):
            yield demo.scene_uuid(number), {"openlabel": {"metadata": {"comment": blob}}}

    source = yielding(infer)
    tracemalloc.start()
    try:
        for entry in source:
            assert isinstance(entry, Prediction)
            assert len(entry.read()) > 20_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


def test_what_it_raises_when_it_is_asked_to_end_is_not_what_went_wrong(
    yielding: Making, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever ended the upload did: a task that failed must not be skipped, or tried again, for this."""

    def infer() -> Iterator[Any]:
        try:
            yield from documents(1)
            asked.wait()
            yield from documents(2)
        finally:
            raise ConnectionError("the GPU's node is gone")

    asked = threading.Event()
    source = yielding(infer)
    iter(source).__next__()
    source.stop()
    asked.set()
    source.close(patience=60)
    assert source.error is None
    assert source.broke_off
    assert "infer() failed when it was asked to end." in caplog.text
    assert "the GPU's node is gone" in caplog.text


def test_it_gets_the_time_that_there_is_to_come_to_its_end(
    yielding: Making, caplog: pytest.LogCaptureFixture
) -> None:
    works, go_on, ended = threading.Event(), threading.Event(), []

    def infer() -> Iterator[Any]:
        try:
            yield from documents(1)
            works.set()
            go_on.wait()
            yield from documents(1)
        finally:
            ended.append(True)

    source = yielding(infer)
    next(iter(source))
    works.wait()
    source.close(patience=0.01)
    assert "infer() has not come to its end in 0.01 s; nobody waits for it any longer" in caplog.text
    go_on.set()
    source.close(patience=60)
    assert ended
