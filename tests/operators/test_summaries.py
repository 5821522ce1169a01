"""The summaries of uploads in real Dag runs: what each task leaves, and the sum of a mapped upload's shards."""

from __future__ import annotations

import json
import pickle
import re
import runpy
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import airflow
import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.hooks.kognic import KognicHook
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from airflow_provider_kognic.summaries import COUNTS, summarise, summary_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import DAG

    from airflow_provider_kognic.emulator.testing import Emulator

    RunDag = Callable[..., Any]
    Write = Callable[..., Path]

# Airflow 3.0 calls none where it runs a Dag by `dag.test()`.
CALLS_BACK = find_spec("airflow.models.task_state_store") is not None
needs_callbacks = pytest.mark.skipif(not CALLS_BACK, reason="dag.test() calls no callbacks in this Airflow")
WHERE = {"predictions_group_uuid", "predictions_group", "dataset_uuid", "dataset", "link", "source"}
ONE = {*COUNTS, *WHERE, "duration_s", "rate_per_s", "reasons", "counted", "error", "receipts"}
OF_A_TASK = {*ONE, "task_id", "map_index", "try_number"}
OF_SEVERAL = {*ONE, "shards", "failed_shards", "unknown_shards", "skipped_shards"}


@pytest.fixture
def group(server: Emulator) -> str:
    made = server.create_group(name="detector v7")
    server.reset_stats()
    return made


def counts(summary: dict[str, Any]) -> dict[str, int]:
    """The counts that are not zero."""
    return {name: summary[name] for name in COUNTS if summary[name]}


def page(group: str) -> str:
    return f"https://app.kognic.com/dataset/{demo.DATASET_UUID}/predictions/{group}"


def mapped(dag: DAG, folders: list[Any], **kwargs: Any) -> Any:
    """An upload with a shard for each folder."""
    given = {"task_id": "upload", "dag": dag, "dataset": "demo", "retries": 0, **kwargs}
    return UploadPredictionsOperator.partial(**given).expand(predictions=folders)


def add_summary_task(dag: DAG, upload: Any, task_ids: Any = "upload") -> None:
    """A task that runs however the upload ends, and returns the sum."""
    from airflow.sdk import task

    @task(trigger_rule="all_done", dag=dag)  # type: ignore[untyped-decorator, unused-ignore]
    def total(ti: Any = None) -> Any:
        return summarise(ti, task_ids=task_ids)

    upload >> total()


def spoil(folder: Path) -> Path:
    """Make one document of a folder such that it is refused."""
    next(iter(sorted(folder.iterdir()))).write_text("{}")
    return folder


# --- what a task leaves ---


def test_a_success_leaves_what_it_returns(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str, write_predictions: Write
) -> None:
    folder = write_predictions(3)
    UploadPredictionsOperator(
        task_id="upload", dag=dag, predictions=str(folder), predictions_group_uuid=group, dataset="demo"
    )

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    summary = run.xcom("upload", "summary")
    assert summary == run.xcom("upload")
    assert set(summary) == OF_A_TASK
    assert counts(summary) == {"uploaded": 3, "total": 3}
    assert {name: summary[name] for name in WHERE} == {
        "predictions_group_uuid": group,
        "predictions_group": "detector v7",
        "dataset_uuid": demo.DATASET_UUID,
        "dataset": "demo",
        "link": page(group),
        "source": str(folder),
    }
    assert (summary["counted"], summary["error"], summary["reasons"]) == (True, None, {})
    assert (summary["task_id"], summary["map_index"], summary["try_number"]) == ("upload", -1, 1)


def test_what_is_about_to_end_is_said_once_a_run(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str, write_predictions: Write
) -> None:
    """With the date, in the log and the summary: what either client heard, that of a task or of the upload."""
    server.set_faults(sunset_date={"^/v2/datasets$": "soon", "/predictions$": "2027-01-31"})
    UploadPredictionsOperator(
        task_id="upload",
        dag=dag,
        predictions=str(write_predictions(30)),
        predictions_group_uuid=group,
        dataset="demo",
    )

    run = run_dag(dag, connection=server)

    summary = run.xcom("upload", "summary")
    posts = "POST /v1/predictions-groups/{uuid}/predictions"
    assert summary["sunset"]["GET /v2/datasets"] == "soon"
    assert summary["sunset"][posts] == "2027-01-31"
    # Airflow 3.0 writes lines of the upload twice.
    times = 2 if airflow.__version__.startswith("3.0.") else 1
    assert run.output.count("Kognic will switch off GET /v2/datasets at soon") == times
    assert run.output.count(f"Kognic will switch off {posts} at 2027-01-31") == times


@pytest.mark.parametrize("policy", [True, False])
def test_a_failure_leaves_the_same_and_its_exception_carries_it(
    run_dag: RunDag,
    dag: DAG,
    server: Emulator,
    group: str,
    write_predictions: Write,
    policy: bool,  # noqa: FBT001
) -> None:
    """Whether the task has a retry policy, or fails by Airflow's own exception."""
    from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

    from airflow_provider_kognic.exceptions import KognicPermanentError
    from airflow_provider_kognic.retry_policy import RETRY_POLICY

    told: list[tuple[BaseException, Any]] = []
    UploadPredictionsOperator(
        task_id="upload",
        dag=dag,
        predictions=str(spoil(write_predictions(3))),
        predictions_group_uuid=group,
        on_failure_callback=lambda context: told.append((context["exception"], summary_of(context))),
        **({} if policy else {"retry_policy": None}),  # type: ignore[arg-type]
    )

    run = run_dag(dag, connection=server)

    assert run.task_state("upload") == "failed", run.output
    summary = run.xcom("upload", "summary")
    assert set(summary) == OF_A_TASK
    assert counts(summary) == {"uploaded": 2, "refused": 1, "total": 3}
    assert (summary["counted"], summary["reasons"]) == (True, {"invalid": 1})
    assert summary["error"]
    if not CALLS_BACK:
        return
    ((raised, found),) = told
    assert isinstance(raised, KognicPermanentError)
    assert isinstance(raised, AirflowFailException) == (not policy or RETRY_POLICY is None)
    assert raised.summary == found == summary
    again = pickle.loads(pickle.dumps(raised))
    assert isinstance(again, AirflowException)
    assert (type(again), str(again), vars(again)) == (type(raised), str(raised), vars(raised))


@pytest.mark.parametrize(
    ("changed", "source", "said"),
    [
        ({"predictions": "/nowhere/at/all"}, "/nowhere/at/all", "does not exist"),
        ({"predictions": "s3://key:pa55word@bucket/{{ ds }}"}, "s3://***@bucket/", None),
        ({"dataset": "unknown"}, None, "unknown"),
        ({"predictions_group_uuid": "no uuid"}, None, "is no uuid of a predictions group"),
        ({"kognic_conn_id": "nobody_knows"}, None, "nobody_knows"),
    ],
)
def test_a_task_that_fails_before_the_upload_begins_leaves_what_is_known(
    run_dag: RunDag,
    dag: DAG,
    server: Emulator,
    group: str,
    write_predictions: Write,
    changed: dict[str, str],
    source: str | None,
    said: str | None,
) -> None:
    folder = str(write_predictions(2))
    given = {"predictions": folder, "predictions_group_uuid": group, "dataset": demo.DATASET_UUID, **changed}
    UploadPredictionsOperator(task_id="upload", dag=dag, **given)  # type: ignore[arg-type]

    run = run_dag(dag, connection=server)

    assert run.task_state("upload") == "failed", run.output
    summary = run.xcom("upload", "summary")
    assert set(summary) == OF_A_TASK
    assert counts(summary) == {}
    assert summary["counted"] is False
    assert summary["predictions_group_uuid"] == given["predictions_group_uuid"]
    assert summary["dataset"] == given["dataset"]
    assert str(summary["source"]).startswith(source or folder)
    assert (said or "") in summary["error"]
    # The dataset's uuid suffices: its name need not have been looked up.
    known = "predictions" in changed
    assert summary["link"] == (page(group) if known else None)
    assert "pa55word" not in json.dumps(summary)
    assert server.client_secret not in json.dumps(run.xcoms("upload"))


@needs_callbacks
def test_a_retrys_summary_takes_the_place_of_the_one_before(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str, write_predictions: Write
) -> None:
    """Also where the second try leaves none, as it does not come so far: nothing of the first is taken for it."""
    folder = write_predictions(3)
    tried: list[int] = []

    def move_away(context: Any) -> None:
        tried.append(context["exception"].summary["try_number"])
        for path in folder.iterdir():
            path.rename(folder.parent / path.name)
        folder.rmdir()

    server.set_faults(rules=[{"kind": "503_before", "match": {"method": "POST", "path": "predictions$"}}])
    UploadPredictionsOperator(
        task_id="upload",
        dag=dag,
        predictions=str(folder),
        predictions_group_uuid=group,
        max_connections=1,  # so that the outage is noticed soon
        outage_timeout=0.1,
        journal=str(folder.parent / "journal"),
        retries=1,
        retry_delay=timedelta(0),
        on_retry_callback=move_away,
    )

    run = run_dag(dag, connection=server)

    assert (run.task_state("upload"), run.tries("upload")) == ("failed", 2), run.output
    assert tried == [1]
    summary = run.xcom("upload", "summary")
    assert summary["try_number"] == 2
    assert (counts(summary), summary["counted"]) == ({}, False)
    assert "does not exist" in summary["error"]


def test_a_dry_run_leaves_the_same_and_what_would_be_sent(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str, write_predictions: Write
) -> None:
    spoil(write_predictions(4))
    write_predictions(2, write_predictions(0).parent / "more", first=4)
    upload = mapped(
        dag,
        [str(write_predictions(0)), str(write_predictions(0).parent / "more")],
        predictions_group_uuid=group,
        dry_run=True,
    )
    add_summary_task(dag, upload)

    run = run_dag(dag, connection=server)

    failed, fine = run.xcom("upload", "summary", 0), run.xcom("upload", "summary", 1)
    for summary in (failed, fine):
        assert set(summary) == {*OF_A_TASK, "dry_run", "would_send"}
        assert (summary["dry_run"], summary["link"]) == (True, page(group))
    assert failed["would_send"] == 3
    assert "would be refused" in failed["error"]
    assert fine == run.xcom("upload", map_index=1)
    total = run.xcom("total")
    assert set(total) == {*OF_SEVERAL, "dry_run", "would_send"}
    assert (total["dry_run"], total["would_send"], total["total"]) == (True, 5, 6)
    assert total["reasons"] == {"invalid": 1}
    assert total["failed_shards"] == ["upload[0]"]
    assert server.count_predictions(group) == 0


# --- the sum of a mapped upload ---


def test_the_sum_of_a_mapped_upload_has_the_shards_that_failed(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    """One shard succeeds, one is refused something, one fails early, one is skipped, and one's worker dies."""
    from airflow.providers.common.compat.sdk import AirflowSkipException

    folders = [write_predictions(4, tmp_path / str(n), first=4 * n) for n in range(5)]
    spoil(folders[1])
    folders[2] = tmp_path / "nowhere"

    def before(context: Any) -> None:
        """Stand in for whatever keeps a shard from running, or ends its worker without a word."""
        index = context["ti"].map_index
        if index == 3:
            raise AirflowSkipException("nothing to do")
        if index == 4:
            raise RuntimeError("so to say killed")

    upload = mapped(dag, [str(one) for one in folders], predictions_group_uuid=group, pre_execute=before)
    add_summary_task(dag, upload)

    run = run_dag(dag, connection=server)

    states = [run.task_state("upload", index) for index in range(5)]
    assert states == ["success", "failed", "failed", "skipped", "failed"], run.output
    assert run.task_state("total") == "success", run.output
    total = run.xcom("total")
    assert set(total) == OF_SEVERAL
    assert counts(total) == {"uploaded": 7, "refused": 1, "total": 8}
    assert total["reasons"] == {"invalid": 1}
    assert {name: total[name] for name in WHERE} == {
        "predictions_group_uuid": group,
        "predictions_group": "detector v7",
        "dataset_uuid": demo.DATASET_UUID,
        "dataset": "demo",
        "link": page(group),
        "source": None,
    }
    assert total["shards"] == 5
    assert total["failed_shards"] == ["upload[1]", "upload[2]", "upload[4]"]
    assert total["unknown_shards"] == ["upload[2]", "upload[4]"]
    assert total["skipped_shards"] == ["upload[3]"]
    assert total["counted"] is False
    said = total["error"]
    assert said.startswith("3 of 5 uploads failed; the counts of 2 are not known, or not all. upload[1]")
    assert f"upload[2] ({folders[2]}): " in said
    assert "upload[4]: left no summary, its state is failed" in said


def test_the_sum_of_what_all_went_well_says_nothing_else(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    """Also of shards that go to several groups: then there is no link that would be true for all."""
    other = server.create_group(name="another")
    folders = [str(write_predictions(2, tmp_path / str(n), first=2 * n)) for n in range(2)]
    upload = UploadPredictionsOperator.partial(task_id="upload", dag=dag, dataset="demo").expand_kwargs(
        [
            {"predictions": folders[0], "predictions_group_uuid": group},
            {"predictions": folders[1], "predictions_group_uuid": other},
        ]
    )
    add_summary_task(dag, upload)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    total = run.xcom("total")
    assert counts(total) == {"uploaded": 4, "total": 4}
    assert (total["shards"], total["counted"], total["error"]) == (2, True, None)
    assert (total["failed_shards"], total["unknown_shards"], total["skipped_shards"]) == ([], [], [])
    assert (total["dataset"], total["link"], total["predictions_group"]) == ("demo", None, None)


@pytest.mark.parametrize("shards", [0, 1])
def test_the_sum_of_none_and_of_a_single_shard(
    run_dag: RunDag,
    dag: DAG,
    server: Emulator,
    group: str,
    write_predictions: Write,
    shards: int,
) -> None:
    """What Airflow pulls is no list then."""
    folders = [str(write_predictions(2))][:shards]
    add_summary_task(dag, mapped(dag, folders, predictions_group_uuid=group))

    run = run_dag(dag, connection=server)

    total = run.xcom("total")
    assert (total["shards"], total["counted"], total["error"]) == (1, True, None)
    assert counts(total) == ({"uploaded": 2, "total": 2} if shards else {})
    assert total["skipped_shards"] == ([] if shards else ["upload"])


def test_several_tasks_are_added_up_and_one_that_there_is_not_is_named(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    """A task's name may be another's with the number of a shard behind it."""
    shard = mapped(dag, [str(write_predictions(2, tmp_path / "a"))], predictions_group_uuid=group)
    single = UploadPredictionsOperator(
        task_id="upload_0",
        dag=dag,
        predictions=str(write_predictions(3, tmp_path / "b", first=2)),
        predictions_group_uuid=group,
    )
    add_summary_task(dag, [shard, single], ["upload", "upload_0"])

    from airflow.sdk import task

    @task(trigger_rule="all_done", dag=dag)  # type: ignore[untyped-decorator, unused-ignore]
    def wrong(ti: Any = None) -> Any:
        return summarise(ti, task_ids="uplaod")

    [shard, single] >> wrong()

    run = run_dag(dag, connection=server)

    total = run.xcom("total")
    assert (total["uploaded"], total["shards"], total["error"]) == (5, 2, None)
    assert run.task_state("wrong") == "failed"
    assert "this Dag run has no task 'uplaod'" in run.output


def test_what_was_pulled_can_be_added_up_as_well(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    """The results of a mapped task as Airflow hands them over; and its summaries, pulled without their numbers."""
    from airflow.sdk import task

    folders = [str(write_predictions(2, tmp_path / str(n), first=2 * n)) for n in range(3)]
    upload = mapped(dag, folders, predictions_group_uuid=group)

    @task(dag=dag)  # type: ignore[untyped-decorator, unused-ignore]
    def total(given: Any, ti: Any = None) -> Any:
        return [summarise(given), summarise(ti.xcom_pull(task_ids="upload", key="summary"))]

    total(upload.output)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    handed, pulled = run.xcom("total")
    assert handed == pulled
    assert (handed["uploaded"], handed["shards"], handed["link"]) == (6, 3, page(group))


@needs_callbacks
def test_in_a_callback_a_shard_sees_the_sum_of_all(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    """Those that come later are not known yet, which is said."""
    folders = [spoil(write_predictions(2, tmp_path / str(n), first=2 * n)) for n in range(2)]
    seen: list[dict[str, Any]] = []
    mapped(
        dag,
        [str(folder) for folder in folders],
        predictions_group_uuid=group,
        on_failure_callback=lambda context: seen.append(summarise(context["ti"])),
    )

    run = run_dag(dag, connection=server)

    assert run.state == "failed"
    assert [one["shards"] for one in seen] == [2, 2], run.output
    first, last = seen
    assert len(first["unknown_shards"]) == 1
    assert first["unknown_shards"] != first["failed_shards"]
    assert counts(first) == {"uploaded": 1, "refused": 1, "total": 2}
    assert counts(last) == {"uploaded": 2, "refused": 2, "total": 4}
    assert last["counted"] is True


@needs_callbacks
def test_a_callback_gets_the_summary_of_an_exception_that_is_not_ours(
    run_dag: RunDag,
    dag: DAG,
    server: Emulator,
    group: str,
    write_predictions: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And of a success: from XCom."""
    known = KognicHook.get_connection

    def get_connection(conn_id: str) -> Any:
        if conn_id == "locked":  # as where the Dag's team may not have it
            raise PermissionError("Access denied for connection 'locked'")
        return known(conn_id)

    monkeypatch.setattr(KognicHook, "get_connection", staticmethod(get_connection))
    seen: list[Any] = []
    for name in ("fine", "locked"):
        UploadPredictionsOperator(
            task_id=name,
            dag=dag,
            predictions=str(write_predictions(2)),
            predictions_group_uuid=group,
            kognic_conn_id="kognic_default" if name == "fine" else name,
            on_success_callback=lambda context: seen.append(summary_of(context)),
            on_failure_callback=lambda context: seen.append(summary_of(context)),
        )

    run = run_dag(dag, connection=server)

    assert run.state == "failed"
    fine, failed = sorted(seen, key=lambda one: one["task_id"])
    assert (fine["uploaded"], fine["error"]) == (2, None)
    assert (failed["counted"], failed["source"]) == (False, str(write_predictions(0)))
    assert "Access denied for connection 'locked'" in failed["error"]


@needs_callbacks
def test_a_dags_callback_is_told_what_it_cannot_know(
    run_dag: RunDag, server: Emulator, group: str, write_predictions: Write
) -> None:
    """It runs outside of any task, where nobody may be there whom Airflow could ask for XComs."""
    from airflow.sdk import DAG

    seen: list[Any] = []

    def tell(context: Any) -> None:
        seen.append([summary_of(context), summarise(context["ti"], task_ids="upload")])

    dag = DAG("dags_callback", schedule=None, on_failure_callback=tell)
    spoilt = str(spoil(write_predictions(2)))
    UploadPredictionsOperator(
        task_id="upload", dag=dag, predictions=spoilt, predictions_group_uuid=group, retries=0
    )

    run_dag(dag, connection=server)

    ((one, total),) = seen
    if one is None:
        assert (total["counted"], total["unknown_shards"], total["total"]) == (False, ["upload"], 0)
        assert total["error"].endswith("upload: Airflow gives no XComs here, outside of a task.")
    else:
        assert one["total"] == total["total"] == 2


# --- what the docs advise ---


def recipe(start: str) -> str:
    """A recipe of the page on summaries."""
    page = (Path(__file__).parents[2] / "docs" / "summaries.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", page[page.index(start) :], re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("there", [True, False])
def test_the_recipe_for_a_mapped_upload(
    run_dag: RunDag, server: Emulator, group: str, write_predictions: Write, tmp_path: Path, *, there: bool
) -> None:
    """A run in which a shard failed is not green, though its last task always runs."""
    from airflow.sdk import DAG

    text = recipe("<!-- recipe: a mapped upload -->")
    for name, count in (("front", 2), ("rear", 3)):
        if there or name == "front":
            write_predictions(count, tmp_path / name, first=len(name))
        text = text.replace(f"s3://ml@predictions/{name}/", str(tmp_path / name))
    text = text.replace("night-drives", "demo").replace("upload_by_camera", f"upload_by_camera_{there}")
    file = tmp_path / "recipe.py"
    file.write_text(text)

    (dag,) = (one for one in runpy.run_path(str(file)).values() if isinstance(one, DAG))

    run = run_dag(dag, conf={"group": group}, connection=server)

    assert run.state == ("success" if there else "failed"), run.output
    counted = "5 of 5" if there else "2 of 2"
    assert f"{counted} uploaded, 0 refused: {page(group)}" in run.output
    if there:
        assert run.xcom("report")["shards"] == 2
    else:
        assert run.task_state("report") == "failed"
        assert "1 of 2 uploads failed; the counts of 1 are not known, or not all. upload[1]" in run.output


@needs_callbacks
def test_the_recipes_for_telling_people(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str, write_predictions: Write
) -> None:
    """A callback, and a template."""
    from jinja2 import Template

    told: list[str] = []
    names: dict[str, Any] = {"post": told.append}
    exec(recipe("<!-- recipe: a callback -->"), names)
    folder = write_predictions(1)
    spoilt = spoil(write_predictions(3, folder.parent / "spoilt"))
    template = re.search(r'text="(.*)"', recipe("Notifiers need no function"))
    assert template is not None
    rendered: list[str] = []
    for name, source in (("refused", str(spoilt)), ("early", "/nowhere")):
        UploadPredictionsOperator(
            task_id=name,
            dag=dag,
            predictions=source,
            predictions_group_uuid=group,
            dataset="demo",
            on_failure_callback=[
                names["tell"],
                lambda context: rendered.append(Template(template[1]).render(**context)),
            ],
        )

    run_dag(dag, connection=server)
    names["tell"]({"ti": SimpleNamespace(task_id="upload"), "exception": None})

    refused, early, lost = sorted(told, key=lambda text: ("lost" in text, "failed" in text))
    assert refused.startswith(f"2 of 3 predictions are in {page(group)}; 1 refused, 0 in doubt, 0 unsent. ")
    assert early.startswith("The upload of /nowhere into demo failed: ")
    fine = {**summarise([]), "counted": True, "error": None, "link": "there"}
    names["tell"]({"exception": SimpleNamespace(summary=fine)})
    assert told[-1] == "0 of 0 predictions are in there; 0 refused, 0 in doubt, 0 unsent. "
    assert lost == "The upload upload was lost; its log says more."
    assert f"refused failed. 1 refused, {page(group)}" in rendered
