"""`[kognic] journal`: where the tasks of an installation remember what they sent, across runs."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from tests.operators.test_lost_journal import before_try
from tests.operators.test_upload_journal import (
    REMEMBERS,
    counts,
    each_once,
    group,
    killed_at,
    posts,
    stored_values,
    upload,
)

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
Write = Callable[..., Path]
__all__ = ["group"]
VARIABLE = "AIRFLOW__KOGNIC__JOURNAL"
needs_state_store = pytest.mark.skipif(not REMEMBERS, reason="Airflow before 3.3 has no task state store")
# What is said where nothing else is asked for.
CONSEQUENCE = (
    "a retry or a clear of this task sends nothing twice; a new run of the Dag into the same predictions"
)


def test_a_second_run_sends_nothing(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On every version of Airflow, for a task that says nothing of a journal."""
    monkeypatch.setenv(VARIABLE, f"{tmp_path}/journals/")
    upload(dag, group, predictions=str(write_predictions(5)))
    first = run_dag(dag, connection=server)
    assert counts(first) == {"uploaded": 5, "total": 5}, first.output
    again = run_dag(dag, connection=server)
    assert counts(again) == {"skipped": 5, "total": 5}, again.output
    assert posts(server) == 5
    assert list((tmp_path / "journals").glob(f"*/{group}/*.jsonl"))
    assert CONSEQUENCE not in first.output + again.output


def test_the_argument_comes_before_the_setting(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And the setting is not even looked at; what a template makes of None is no argument."""
    folder = str(write_predictions(3))
    monkeypatch.setenv(VARIABLE, "no folder at all")
    upload(dag, group, task_id="own", predictions=folder, journal=str(tmp_path / "own"))
    upload(dag, group, task_id="none", predictions=folder, journal="{{ False }}")
    upload(dag, group, task_id="nothing", predictions=folder, journal="{{ none }}", retries=0)
    run = run_dag(dag, connection=server)
    assert [run.task_state(name) for name in ("own", "none", "nothing")] == ["success", "success", "failed"]
    assert list((tmp_path / "own").glob(f"*/{group}/*.jsonl"))
    assert posts(server) == 6


@pytest.mark.parametrize("way", ["the argument", "the setting"])
def test_the_state_store_has_a_name(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    """Who asks for it need not be told what it does not remember; before Airflow 3.3 there is none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "task" if way == "the setting" else str(tmp_path / "journals"))
    upload(
        dag, group, predictions=str(write_predictions(3)), journal="task" if way == "the argument" else None
    )
    run = run_dag(dag, connection=server)
    assert counts(run) == {"uploaded": 3, "total": 3}, run.output
    assert not (tmp_path / "journals").exists()
    assert not (tmp_path / "task").exists()
    assert CONSEQUENCE not in run.output
    assert ("There is no journal: this Airflow has no task state store" in run.output) is not REMEMBERS


WRONG = {
    "blank": (" ", "not ' '"),
    "empty": ("", "not ''"),
    "a name": ("journals", "not 'journals'"),
    "in quotation marks": ('"s3://ml@preds/j"', "not '\"s3://ml@preds/j\"'"),
    "none": ("None", "not 'None'"),
    "an unknown scheme": ("nosuchscheme://bucket/j", "is nosuchscheme://bucket/j, which is no folder"),
    "an unknown connection": ("s3://nobody@bucket/j", "is s3://nobody@bucket/j, which is no folder"),
    "a password": ("s3://someone:hunter2hunter2@bucket/j", "is s3://***@bucket/j"),
    "a signature": ("abfss://c@a/j?sv=1&sig=hunter2hunter2", "is abfss://c@a/j?sv=1&sig=***"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_value_is_named_before_anything_is_sent(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    """The setting, the variable, and the value, but for what nobody should read; and no retry helps."""
    value, said = WRONG[what]
    monkeypatch.setenv(VARIABLE, value)
    upload(dag, group, predictions=str(write_predictions(2)), retries=1)
    run = run_dag(dag, connection=server)
    assert (run.state, run.tries("upload")) == ("failed", 1), run.output
    assert "[kognic] journal (AIRFLOW__KOGNIC__JOURNAL)" in run.output
    assert said in run.output
    assert "Nothing was sent." in run.output
    assert posts(server) == 0
    kept = [run.output, repr(run.xcoms("upload")), *stored_values(run)]
    assert not [text for text in kept if "hunter2" in text]


# What the setting is for the first try, and for the second.
CHANGES = {
    "it was set": (None, "{tmp}/new"),
    "it was changed": ("{tmp}/old", "{tmp}/new"),
    "it was removed": ("{tmp}/old", None),
    "it names the state store now": ("{tmp}/old", "task"),
}


@needs_state_store
@pytest.mark.parametrize("how", CHANGES)
def test_a_run_goes_on_with_the_journal_that_it_began_under(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    """The next run has what is set by then."""
    first, second = (value and value.format(tmp=tmp_path) for value in CHANGES[how])

    def configure(value: str | None) -> None:
        if value is None:
            monkeypatch.delenv(VARIABLE, raising=False)
        else:
            monkeypatch.setenv(VARIABLE, value)

    configure(first)
    server.set_faults(rules=[{"kind": "latency", "seconds": 0.1}])
    upload(
        dag,
        group,
        predictions=str(write_predictions(24)),
        max_connections=2,
        retries=1,
        pre_execute=before_try(2, lambda: configure(second)),
    )
    with killed_at(server, 8):
        run = run_dag(dag, connection=server)
    assert (run.state, run.tries("upload")) == ("success", 2), run.output
    assert "now another one is asked for" in run.output
    assert posts(server) == 24
    assert each_once(server, group, 24)
    assert not (tmp_path / "new").exists()
    server.clear_faults()
    server.reset_stats()
    run = run_dag(dag, connection=server)
    assert run.state == "success"
    assert "now another one is asked for" not in run.output
    assert posts(server) == 24  # by another journal, which knows nothing of the first run


@needs_state_store
def test_what_an_attempt_that_sent_nothing_knew_counts_as_well(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It skipped all that its journal knew, and wrote no line; its retry must not ask one that knows nothing."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "old"))
    fails = {"at": 0}

    def fail(context: Any, result: Any = None) -> None:
        if context["ti"].try_number == fails["at"]:
            raise RuntimeError("of something else")

    upload(
        dag,
        group,
        predictions=str(write_predictions(4)),
        retries=1,
        post_execute=fail,
        pre_execute=before_try(2, lambda: monkeypatch.setenv(VARIABLE, str(tmp_path / "new"))),
    )
    assert run_dag(dag, connection=server).state == "success"
    fails["at"] = 1
    run = run_dag(dag, connection=server)
    assert (run.state, run.tries("upload")) == ("success", 2), run.output
    assert counts(run) == {"skipped": 4, "total": 4}
    assert posts(server) == 4


@needs_state_store
def test_a_journal_that_cannot_be_had_any_more(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It fails as it would without another one, and says how to go over to that; which then is the task's."""
    old, new = tmp_path / "old", tmp_path / "new"
    monkeypatch.setenv(VARIABLE, str(old))

    def change(context: Any) -> None:
        number = context["ti"].try_number
        if number == 2:
            monkeypatch.setenv(VARIABLE, str(new))
            old.rename(tmp_path / "aside")
        if number == 3:
            old.write_text("a file where the folder was")

    def fail_at_first(context: Any, result: Any = None) -> None:
        if context["ti"].try_number in {1, 4}:
            raise RuntimeError("of something else")

    upload(
        dag,
        group,
        predictions=str(write_predictions(4)),
        retries=4,
        on_lost_journal="{{ 'start_over' if ti.try_number == 4 else 'fail' }}",
        pre_execute=change,
        post_execute=fail_at_first,
    )
    run = run_dag(dag, connection=server)
    assert (run.state, run.tries("upload")) == ("success", 5), run.output
    assert f"{old} is not there: removed, or not mounted on this worker." in run.output
    assert run.output.count("clear the task with on_lost_journal='start_over'") >= 2
    assert (
        "Earlier tries of this task have had their journal there, since try 1; by the setting" in run.output
    )
    assert f"it would be the folder {new} now" in run.output
    assert "Going over to that, as on_lost_journal says" in run.output
    assert counts(run) == {"skipped": 4, "total": 4}
    assert posts(server) == 8
    assert list(new.glob(f"*/{group}/*.jsonl"))


@needs_state_store
def test_mapped_tasks_have_one_each(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of them begins before the setting is changed, and goes on as it began; the other has the new one.

    Which one begins is Airflow's to choose.
    """
    folders = [str(write_predictions(3, tmp_path / str(n), first=3 * n)) for n in range(2)]
    monkeypatch.setenv(VARIABLE, str(tmp_path / "old"))

    begun: list[int] = []

    def change(context: Any) -> None:
        begun.append(context["ti"].map_index)
        if len(begun) > 1:
            monkeypatch.setenv(VARIABLE, str(tmp_path / "new"))

    def fail_once(context: Any, result: Any = None) -> None:
        if len(begun) == 1:
            raise RuntimeError("of something else")

    with dag:
        UploadPredictionsOperator.partial(
            task_id="upload",
            predictions_group_uuid=group,
            retries=1,
            retry_delay=0,
            pre_execute=change,
            post_execute=fail_once,
        ).expand(predictions=folders)
    run = run_dag(dag, connection=server)
    assert run.state == "success", run.output
    assert each_once(server, group, 6)
    assert posts(server) == 6
    for name in ("old", "new"):
        (part,) = (tmp_path / name).glob(f"*/{group}/*.jsonl")
        assert part.read_text().count('["c"') == 3


@pytest.mark.parametrize("dry_run", [False, True])
def test_what_is_not_remembered_is_said_once(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    monkeypatch: pytest.MonkeyPatch,
    *,
    dry_run: bool,
) -> None:
    """In words of consequence, and what to do about it; not again by each retry."""
    monkeypatch.delenv(VARIABLE, raising=False)

    def fail_once(context: Any, result: Any = None) -> None:
        if context["ti"].try_number == 1:
            raise RuntimeError("of something else")

    upload(
        dag,
        group,
        predictions=str(write_predictions(3)),
        retries=1,
        post_execute=None if dry_run else fail_once,
        dry_run=dry_run,
    )
    run = run_dag(dag, connection=server)
    assert run.state == "success", run.output
    if not REMEMBERS:
        assert "There is no journal: this Airflow has no task state store" in run.output
    elif dry_run:
        assert run.output.count("What other runs of the Dag have sent is not known here") == 1
    else:
        assert run.output.count(CONSEQUENCE) == 1
    assert "[kognic] journal (AIRFLOW__KOGNIC__JOURNAL)" in run.output or (dry_run and not REMEMBERS)


def test_airflow_lists_it(airflow_database: Path) -> None:
    """With its description, and the value that a task has."""
    environment = {**os.environ, VARIABLE: "s3://ml@bucket/journals"}
    command = (sys.executable, "-m", "airflow", "config")
    listed = subprocess.run(
        (*command, "list", "--section", "kognic", "--include-descriptions"),
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
        env=environment,
    )
    assert "[kognic]" in listed.stdout
    assert "Where tasks that upload predictions remember what they sent" in listed.stdout
    got = subprocess.run(
        (*command, "get-value", "kognic", "journal"),
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
        env=environment,
    )
    assert got.stdout.strip().splitlines()[-1] == "s3://ml@bucket/journals"
