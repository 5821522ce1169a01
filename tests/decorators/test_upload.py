"""`@task.kognic_upload` in a real Airflow, against the emulator."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from importlib.util import find_spec
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.decorators.upload import kognic_upload_task
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.task import deadline
from tests.core.support import content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow.sdk import DAG

    from airflow_provider_kognic.emulator.testing import Emulator

    RunDag = Callable[..., Any]

REMEMBERS = find_spec("airflow.models.task_state_store") is not None


@pytest.fixture
def group(server: Emulator) -> str:
    made = server.create_group()
    server.reset_stats()
    return made


def add(dag: DAG, function: Callable[..., Any], group: str, *given: Any, **more: Any) -> Any:
    made = kognic_upload_task(
        predictions_group_uuid=group, dag=dag, **{"retries": 0, "retry_delay": timedelta(0), **more}
    )
    return made(function)(*given)


def scenes(server: Emulator, group: str) -> Counter[str]:
    return Counter(row["scene_uuid"] for row in server.predictions(group))


def each_once(count: int) -> Counter[str]:
    return Counter(demo.scene_uuid(number) for number in range(count))


def test_what_a_function_yields_is_uploaded(run_dag: RunDag, dag: DAG, server: Emulator, group: str) -> None:
    """With arguments of its call, templates in them, and what it names of the context; XCom has a sum."""

    def infer(count: int, batch: str, ti: Any = None) -> Iterator[Any]:
        assert batch == f"run of {dag.dag_id}"
        assert ti.task_id == "infer"
        for number in range(count):
            yield demo.scene_uuid(number), content(number)

    add(dag, infer, group, 25, "run of {{ dag.dag_id }}")
    run = run_dag(dag, connection=server)
    assert run.state == "success"
    assert scenes(server, group) == each_once(25)
    summary = run.xcom("infer")
    assert (summary["uploaded"], summary["source"]) == (25, "what infer() yields")
    assert "openlabel" not in str(summary)


def test_what_it_raises_ends_the_task_and_what_it_yielded_is_sent_once(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str
) -> None:
    """The next try runs it anew, and sends the rest (where Airflow remembers)."""

    def infer(ti: Any = None) -> Iterator[Any]:
        for number in range(12):
            if number == 7 and ti.try_number == 1:
                raise RuntimeError("the GPU is gone")
            yield demo.scene_uuid(number), content(number)

    add(dag, infer, group, retries=1)
    run = run_dag(dag, connection=server)
    assert run.tries("infer") == 2
    assert "RuntimeError: the GPU is gone" in run.output
    assert run.state == "success"
    assert set(scenes(server, group)) == set(each_once(12))
    if REMEMBERS:
        assert scenes(server, group) == each_once(12)
        assert (run.xcom("infer")["skipped"], run.xcom("infer")["uploaded"]) == (7, 5)


def test_its_last_error_is_in_the_summary(run_dag: RunDag, dag: DAG, server: Emulator, group: str) -> None:
    def infer() -> Iterator[Any]:
        yield demo.scene_uuid(0), content(0)
        raise RuntimeError("the GPU is gone")

    add(dag, infer, group)
    run = run_dag(dag, connection=server)
    assert run.state == "failed"
    summary = run.xcom("infer", "summary")
    assert summary["uploaded"] == 1
    assert summary["counted"] is False
    assert summary["error"].startswith("infer() raised RuntimeError: the GPU is gone.")


def test_a_function_may_skip_its_task(run_dag: RunDag, dag: DAG, server: Emulator, group: str) -> None:
    from airflow.providers.common.compat.sdk import AirflowSkipException

    def infer() -> Iterator[Any]:
        yield from ()
        raise AirflowSkipException("no scenes today")

    add(dag, infer, group)
    run = run_dag(dag, connection=server)
    assert run.task_state("infer") == "skipped"
    assert server.stats()["prediction_posts"] == 0


def test_it_is_mapped(run_dag: RunDag, dag: DAG, server: Emulator, group: str) -> None:
    def infer(batch: int) -> Iterator[Any]:
        for number in range(batch * 5, batch * 5 + 5):
            yield demo.scene_uuid(number), content(number)

    kognic_upload_task(predictions_group_uuid=group, dag=dag, retries=0)(infer).expand(batch=[0, 1, 2])
    run = run_dag(dag, connection=server)
    assert run.state == "success"
    assert scenes(server, group) == each_once(15)


def test_a_dry_run_sends_nothing(run_dag: RunDag, dag: DAG, server: Emulator, group: str) -> None:
    def infer() -> Iterator[Any]:
        yield demo.scene_uuid(0), content(0)

    add(dag, infer, group, dry_run=True)
    run = run_dag(dag, connection=server)
    assert run.xcom("infer")["would_send"] == 1
    assert server.stats()["prediction_posts"] == 0


@pytest.mark.parametrize("name", ["predictions", "manifest", "predictions_format", "scenes", "classes"])
def test_what_it_does_not_take_is_refused_where_the_dag_is_parsed(dag: DAG, group: str, name: str) -> None:
    with pytest.raises(KognicInputError, match=f"@task.kognic_upload takes no '{name}'"):
        add(dag, lambda: iter(()), group, **{name: "/data"})


def test_airflow_finds_it_by_its_name() -> None:
    from airflow.sdk import task

    assert task.kognic_upload is not None


async def _awaits() -> None:
    pass


async def _yields() -> Any:
    yield demo.scene_uuid(0), content(0)


@pytest.mark.parametrize("function", [_awaits, _yields])
def test_an_async_function_is_refused_where_the_dag_is_parsed(
    dag: DAG, group: str, function: Callable[..., Any]
) -> None:
    with pytest.raises(KognicInputError, match=f"no async function, which {function.__name__}"):
        add(dag, function, group)


def test_what_caused_its_error_is_in_the_log(run_dag: RunDag, dag: DAG, server: Emulator, group: str) -> None:
    def chained() -> Iterator[Any]:
        yield demo.scene_uuid(0), content(0)
        raise RuntimeError("no model") from ValueError("CUDA driver 12 is too old")

    add(dag, chained, group)
    run = run_dag(dag, connection=server)
    assert run.state == "failed"
    assert "ValueError: CUDA driver 12 is too old" in run.output
    assert "What came of the documents: chained() raised RuntimeError: no model." in run.output


def test_an_error_without_a_text_does_not_hide_what_was_sent(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str
) -> None:
    class Mute(Exception):  # noqa: N818
        def __str__(self) -> str:
            raise TypeError("not all arguments converted")

    def infer() -> Iterator[Any]:
        yield demo.scene_uuid(0), content(0)
        raise Mute

    add(dag, infer, group)
    summary = run_dag(dag, connection=server).xcom("infer", "summary")
    assert summary["uploaded"] == 1
    assert summary["error"].startswith("infer() raised Mute: (its text cannot be had.)")


def test_what_no_other_try_mends_is_not_tried_again(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str
) -> None:
    """Also without a retry policy, as on Airflow < 3.3."""

    def infer() -> None:
        """It forgot to yield."""

    add(dag, infer, group, retries=1, retry_policy=None)
    run = run_dag(dag, connection=server)
    assert (run.state, run.tries("infer")) == ("failed", 1)
    assert "infer() returned None; expected a function that yields" in run.xcom("infer", "summary")["error"]


def test_its_time_is_the_tasks(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it runs before anything is sent, what is left is too little for an upload: it ends in order."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: clock.now))

    def infer() -> Iterator[Any]:
        yield demo.scene_uuid(0), content(0)
        clock.now += 3599.0

    add(dag, infer, group, execution_timeout=timedelta(hours=1))
    run = run_dag(dag, connection=server)
    assert run.state == "failed"
    assert "execution_timeout is nearly over" in run.xcom("infer", "summary")["error"]
    assert server.stats()["prediction_posts"] == 0


def test_a_task_that_is_killed_asks_it_to_end(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str
) -> None:
    ended = []

    def infer(ti: Any = None) -> Iterator[Any]:
        try:
            for number in range(12):
                if number == 3:
                    ti.task.on_kill()
                yield demo.scene_uuid(number), content(number)
        finally:
            ended.append(number)

    add(dag, infer, group)
    run = run_dag(dag, connection=server)
    assert run.state == "failed"
    assert ended == [3]
    assert "the task was asked to end" in run.xcom("infer", "summary")["error"]
    assert server.stats()["prediction_posts"] == 0
