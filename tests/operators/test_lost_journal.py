"""A try that should find the journal of earlier ones and does not stops; Airflow's state store remembers that."""

import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.emulator.testing import Emulator
from tests.operators.test_upload_journal import each_once, group, killed_at, posts, scenes, upload

if TYPE_CHECKING:
    from airflow.sdk import DAG

pytestmark = pytest.mark.skipif(
    find_spec("airflow.models.task_state_store") is None, reason="Airflow before 3.3 remembers nothing"
)
RunDag = Callable[..., Any]
Write = Callable[..., Path]
__all__ = ["group"]
COUNT = 24


def part_of(folder: Path) -> Path:
    (part,) = folder.rglob("*.jsonl")
    return part


LOSSES: dict[str, Callable[[Path], Any]] = {
    "removed": shutil.rmtree,
    "not mounted": lambda folder: folder.rename(folder.with_name("elsewhere")),
    "a part removed": lambda folder: part_of(folder).unlink(),
    "a part renamed": lambda folder: part_of(folder).rename(folder / "aside"),
}
STORE = "Airflow's task state store"
# What the first try is given, and what the second, and what they are called.
OTHERS = {
    "another folder": ("{tmp}/journal", "{tmp}/other", "the folder {tmp}/journal", "the folder {tmp}/other"),
    "a folder after the state store": ("None", "{tmp}/journal", STORE, "the folder {tmp}/journal"),
    "the state store after a folder": ("{tmp}/journal", "None", "the folder {tmp}/journal", STORE),
    "the state store by its name": ("{tmp}/journal", "task", "the folder {tmp}/journal", STORE),
}


def before_try(number: int, do: Callable[[], Any]) -> Callable[[Any], None]:
    """Something happens before a try of the task."""

    def hook(context: Any) -> None:
        if context["ti"].try_number == number:
            do()

    return hook


@pytest.mark.parametrize("how", LOSSES)
def test_a_journal_that_is_gone_is_not_an_empty_one(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    tmp_path: Path,
    how: str,
) -> None:
    """Airflow's own retry stops, and says what it misses, where, and since when."""
    server.set_faults(rules=[{"kind": "latency", "seconds": 0.1}])
    journal = tmp_path / "journal"
    upload(
        dag,
        group,
        predictions=str(write_predictions(COUNT)),
        journal=str(journal),
        max_connections=2,
        retries=1,
        pre_execute=before_try(2, lambda: LOSSES[how](journal)),
    )
    with killed_at(server, 8):
        run = run_dag(dag, connection=server)
    assert (run.state, run.tries("upload")) == ("failed", 2), run.output
    assert "The journal of earlier tries of this task is not there" in run.output
    assert "lacks 000001-" in run.output
    assert " of try 1." in run.output
    assert "on_lost_journal='start_over'" in run.output
    assert posts(server) < COUNT
    assert set(scenes(server, group).values()) == {1}


@pytest.mark.parametrize("how", OTHERS)
def test_a_try_that_is_given_another_journal(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    tmp_path: Path,
    how: str,
) -> None:
    """By a template, or by whoever changed the Dag meanwhile: it goes on with the first one, and says so."""
    first, second, was, now = (text.replace("{tmp}", str(tmp_path)) for text in OTHERS[how])
    server.set_faults(rules=[{"kind": "latency", "seconds": 0.1}])
    upload(
        dag,
        group,
        predictions=str(write_predictions(COUNT)),
        journal=f"{{{{ '{first}' if ti.try_number == 1 else '{second}' }}}}",
        max_connections=2,
        retries=1,
    )
    with killed_at(server, 8):
        run = run_dag(dag, connection=server)
    assert (run.state, run.tries("upload")) == ("success", 2), run.output
    assert (
        f"The journal of this task is {was}, since try 1, and now another one is asked for: {now}"
        in run.output
    )
    assert "Going on with the first one" in run.output
    assert posts(server) == COUNT
    assert each_once(server, group, COUNT)


@pytest.mark.parametrize("journals", [("folder", "other"), ("None", "folder"), ("folder", "None")])
def test_to_go_on_without_it_is_to_be_asked_for(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    tmp_path: Path,
    journals: tuple[str, str],
) -> None:
    """Then it is said what may be doubled, and the tries after that one go on where it was."""
    server.set_faults(rules=[{"kind": "latency", "seconds": 0.1}])
    first, second = (name if name == "None" else f"{tmp_path}/{name}" for name in journals)
    upload(
        dag,
        group,
        predictions=str(write_predictions(COUNT)),
        journal=f"{{{{ '{first}' if ti.try_number == 1 else '{second}' }}}}",
        max_connections=2,
        retries=2,
        on_lost_journal="{{ 'start_over' }}",
    )
    with killed_at(server, 8):
        run = run_dag(dag, connection=server)
    assert (run.state, run.tries("upload")) == ("success", 2), run.output
    assert "Going over to that, as on_lost_journal says" in run.output
    assert "Look for duplicates" in run.output
    assert posts(server) > COUNT
    assert len(scenes(server, group)) == COUNT


def test_force_forgets_other_runs_and_not_which_journal_this_one_has(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    """Or its second try would send again what its first one has sent."""
    server.set_faults(rules=[{"kind": "latency", "seconds": 0.1}])
    upload(
        dag,
        group,
        predictions=str(write_predictions(COUNT)),
        journal=f"{tmp_path}/{{{{ ti.try_number }}}}",
        max_connections=2,
        retries=1,
        force=True,
    )
    with killed_at(server, 8):
        run = run_dag(dag, connection=server)
    assert (run.state, run.tries("upload")) == ("success", 2), run.output
    assert "Going on with the first one" in run.output
    assert posts(server) == COUNT
    assert each_once(server, group, COUNT)


def test_a_folder_that_is_mounted_again(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    """The next try after that finds it, and nothing is doubled."""
    server.set_faults(rules=[{"kind": "latency", "seconds": 0.1}])
    journal, elsewhere = tmp_path / "journal", tmp_path / "elsewhere"

    def mount(context: Any) -> None:
        if context["ti"].try_number == 2:
            journal.rename(elsewhere)
        elif context["ti"].try_number == 3:
            shutil.rmtree(journal)
            elsewhere.rename(journal)

    upload(
        dag,
        group,
        predictions=str(write_predictions(COUNT)),
        journal=str(journal),
        max_connections=2,
        retries=2,
        pre_execute=mount,
    )
    with killed_at(server, 8):
        run = run_dag(dag, connection=server)
    assert (run.state, run.tries("upload")) == ("success", 3), run.output
    assert "is not mounted on this worker" in run.output
    assert each_once(server, group, COUNT)
    assert posts(server) == COUNT


def test_a_task_that_runs_again_after_its_journal_was_tidied_away(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    """An upload that had finished is not sent a second time either; another run is another matter."""
    journal = tmp_path / "journal"

    def fail_once(context: Any, result: Any = None) -> None:
        if context["ti"].try_number == 1:
            raise RuntimeError("of something else")

    upload(
        dag,
        group,
        predictions=str(write_predictions(5)),
        journal=str(journal),
        retries=1,
        post_execute=fail_once,
        pre_execute=before_try(2, lambda: shutil.rmtree(journal)),
    )
    run = run_dag(dag, connection=server)
    assert (run.state, run.tries("upload")) == ("failed", 2), run.output
    assert "The journal of earlier tries of this task is not there" in run.output
    assert posts(server) == 5
    run = run_dag(dag, connection=server)
    assert run.state == "failed"
    assert posts(server) == 10
