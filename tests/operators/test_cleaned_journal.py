"""A task whose journal was cleaned since: it sends nothing twice, or says that it cannot know."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.journal.retention.cleaning import What
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.journal.retention.journals import REMOVE_AT_ONCE, clean_one
from tests.operators.test_lost_journal import before_try
from tests.operators.test_upload_journal import counts, group, posts, upload

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
Write = Callable[..., Path]
__all__ = ["group"]


def fail_at_first(context: Any, result: Any = None) -> None:
    if context["ti"].try_number == 1:
        raise RuntimeError("of something else")


def test_a_compacted_one_serves_retries_and_other_runs(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    upload(
        dag,
        group,
        predictions=str(write_predictions(5)),
        journal=str(journal),
        retries=1,
        pre_execute=before_try(2, lambda: clean_one(journal)),
        post_execute=fail_at_first,
    )
    for _ in range(2):
        run = run_dag(dag, connection=server)
        assert (run.state, run.tries("upload")) == ("success", 2), run.output
        assert counts(run) == {"skipped": 5, "total": 5}
    assert posts(server) == 5
    assert clean_one(journal).what is What.COMPACTED  # the second run's leases


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_removed_one_stops_the_task_until_somebody_says_how_to_go_on(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    tmp_path: Path,
    *,
    dry_run: bool,
) -> None:
    """At once, with no retry; a dry run says the same."""
    journal = tmp_path / "journal"
    upload(
        dag,
        group,
        predictions=str(write_predictions(5)),
        journal=str(journal),
        retries=1,
        dry_run="{{ dag_run.conf.get('dry_run', False) }}",
        on_lost_journal="{{ dag_run.conf.get('lost', 'fail') }}",
    )
    assert run_dag(dag, connection=server).state == "success"
    assert clean_one(journal, REMOVE_AT_ONCE).what is What.REMOVED
    run = run_dag(dag, connection=server, conf={"dry_run": dry_run})
    assert (run.state, run.tries("upload")) == ("failed", 1), run.output
    assert f"The journal of predictions group {group} was removed on" in run.output
    assert "it knew 5 predictions as created" in run.output
    assert "go on with on_lost_journal='start_over'" in run.output
    assert posts(server) == 5
    run = run_dag(dag, connection=server, conf={"lost": "start_over", "dry_run": dry_run})
    assert run.state == "success", run.output
    assert "Starting over, as on_lost_journal or force says" in run.output
    if not dry_run:
        assert counts(run) == {"uploaded": 5, "total": 5}
        run = run_dag(dag, connection=server)
        assert counts(run) == {"skipped": 5, "total": 5}, run.output
        assert "was removed on" not in run.output
    assert posts(server) == (5 if dry_run else 10)
