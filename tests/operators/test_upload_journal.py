"""UploadPredictionsOperator from one try to the next: journal, receipts, doubt, and what it says without them."""

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
Write = Callable[..., Path]
COUNTS = ("uploaded", "skipped", "refused", "in_doubt", "unsent")
# Airflow 3.3 and later remember what a task tells them from one try to the next.
REMEMBERS = find_spec("airflow.models.task_state_store") is not None
OUTCOMES = {"created", "skipped", "refused", "in_doubt", "unsent"}


@pytest.fixture
def group(server: Emulator) -> str:
    made = server.create_group()
    server.reset_stats()
    return made


def upload(dag: "DAG", group: str, **kwargs: Any) -> UploadPredictionsOperator:
    given = {"task_id": "upload", "dag": dag, "predictions_group_uuid": group, "retry_delay": timedelta(0)}
    return UploadPredictionsOperator(**{**given, **kwargs})


def counts(run: Any, key: str = "return_value") -> dict[str, int]:
    """The counts that are not zero."""
    summary = run.xcom("upload", key)
    assert summary is not None, run.output
    assert sum(summary[name] for name in COUNTS) == summary["total"]
    return {name: summary[name] for name in (*COUNTS, "total") if summary[name]}


def scenes(server: Emulator, group: str) -> Counter[str]:
    return Counter(row["scene_uuid"] for row in server.predictions(group))


def each_once(server: Emulator, group: str, count: int) -> bool:
    """Tell whether the first scenes of the demo dataset have one prediction each, and no other has any."""
    return scenes(server, group) == Counter(demo.scene_uuid(number) for number in range(count))


def posts(server: Emulator) -> int:
    return int(server.stats()["prediction_posts"])


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(params=["state store", "folder", "file://", "object store"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str | None]:
    """Each kind of journal."""
    if request.param == "state store":
        if not REMEMBERS:
            pytest.skip("Airflow before 3.3 has no task state store")
        yield None
    elif request.param == "object store":
        from importlib import import_module

        from airflow.sdk.io import attach

        store = import_module("fsspec").filesystem("memory")
        attach(protocol="memory", fs=store)  # Airflow 3.0 knows only the schemes of installed providers
        yield "memory:///journal"
        if store.exists("/journal"):
            store.rm("/journal", recursive=True)
    else:
        yield f"{'file://' if request.param == 'file://' else ''}{tmp_path}/journal"


@contextmanager
def killed_at(server: Emulator, sent: int) -> Iterator[None]:
    """Send this process SIGTERM, as Airflow's supervisor does, once so many predictions have arrived."""
    done = threading.Event()

    def kill() -> None:
        while posts(server) < sent:
            if done.wait(0.02):
                return
        os.kill(os.getpid(), signal.SIGTERM)

    previous = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        done.set()
        killer.join()
        signal.signal(signal.SIGTERM, previous)


# --- from one try to the next ---


def test_after_a_sigterm_a_retry_sends_only_the_rest(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    journal: str | None,
    tmp_path: Path,
) -> None:
    server.set_faults(rules=[{"kind": "latency", "seconds": 0.1}])
    folder, receipts = str(write_predictions(60)), tmp_path / "r.jsonl"
    upload(
        dag, group, predictions=folder, journal=journal, receipts=str(receipts), max_connections=2, retries=1
    )

    with killed_at(server, 10):
        run = run_dag(dag, connection=server)

    assert (run.state, run.tries("upload")) == ("success", 2), run.output
    assert "the task was asked to end" in run.output
    assert each_once(server, group, 60)
    assert posts(server) == 60
    summary = run.xcom("upload")
    assert summary["skipped"] >= 10
    assert summary["skipped"] + summary["uploaded"] == 60
    by_outcome = Counter(row["outcome"] for row in rows(receipts))
    assert by_outcome == {"skipped": summary["skipped"], "created": summary["uploaded"]}
    assert {row["prediction_uuid"] for row in rows(receipts)} == {
        row["uuid"] for row in server.predictions(group)
    }


def test_a_prediction_whose_answer_was_lost_is_found_by_the_next_try(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, journal: str | None
) -> None:
    """The first try is killed before it asks what became of them; some were executed, some were not."""
    server.set_faults(
        predictions_listing=True,
        script=[{"kind": "drop_after", "times": 2}, {"kind": "drop_before", "times": 2}],
        rules=[{"kind": "latency", "seconds": 0.1}],
    )
    upload(
        dag,
        group,
        predictions=str(write_predictions(30)),
        journal=journal,
        settle_after=0.5,
        max_connections=2,
        retries=1,
    )

    with killed_at(server, 12):
        run = run_dag(dag, connection=server)

    assert (run.state, run.tries("upload")) == ("success", 2), run.output
    assert "4 in doubt" in run.output
    assert each_once(server, group, 30)
    assert posts(server) == 32


def test_a_second_run_with_the_same_folder_sends_nothing(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    """On every version of Airflow; and where one run's predictions are part of the other's, only the others."""
    folder, journal = write_predictions(30), tmp_path / "journal"
    receipts = tmp_path / "{{ run_id | replace(':', '') }}.jsonl"
    upload(dag, group, predictions=str(folder), journal=str(journal), receipts=str(receipts))

    first = run_dag(dag, connection=server)
    second = run_dag(dag, connection=server)
    write_predictions(5, first=30)
    third = run_dag(dag, connection=server)

    assert counts(first) == {"uploaded": 30, "total": 30}, first.output
    assert counts(second) == {"skipped": 30, "total": 30}, second.output
    assert counts(third) == {"uploaded": 5, "skipped": 30, "total": 35}
    assert posts(server) == 35
    assert each_once(server, group, 35)
    written = [rows(tmp_path / f"{run.run_id.replace(':', '')}.jsonl") for run in (first, second, third)]
    assert [len(one) for one in written] == [30, 30, 35]
    uuids = {row["uuid"] for row in server.predictions(group)}
    assert {row["prediction_uuid"] for row in written[2]} == uuids
    assert {row["prediction_uuid"] for row in written[1]} <= uuids


def test_mapped_tasks_share_a_folder_at_the_same_time(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    folders = [str(write_predictions(5, tmp_path / str(n), first=5 * n)) for n in range(3)]
    with dag:
        UploadPredictionsOperator.partial(
            task_id="upload", predictions_group_uuid=group, journal=str(tmp_path / "journal")
        ).expand(predictions=folders)

    runs = [run_dag(dag, connection=server) for _ in range(2)]

    assert [run.state for run in runs] == ["success", "success"], runs[0].output
    assert each_once(server, group, 15)
    assert posts(server) == 15


def test_airflows_state_store_knows_one_run_only(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write
) -> None:
    """That is what a folder is for; the docs say so."""
    upload(dag, group, predictions=str(write_predictions(3)))

    for _ in range(2):
        assert counts(run_dag(dag, connection=server)) == {"uploaded": 3, "total": 3}
    assert set(scenes(server, group).values()) == {2}


@pytest.mark.parametrize("journal_is", ["False", "too old"])
def test_without_a_journal_it_says_what_is_not_guaranteed(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, journal_is: str
) -> None:
    if journal_is == "too old" and REMEMBERS:
        pytest.skip("this Airflow has a task state store")
    server.set_faults(script=[{"kind": "ok", "times": 2}, {"kind": "429", "times": 40}])
    upload(
        dag,
        group,
        predictions=str(write_predictions(4)),
        journal=False if journal_is == "False" else None,
        outage_timeout=0.5,
        max_connections=1,
        retries=1,
    )

    run = run_dag(dag, connection=server)

    why = "journal=False" if journal_is == "False" else "this Airflow has no task state store"
    assert f"There is no journal: {why}" in run.output
    assert "a retry, a clear or another run sends it again" in run.output
    assert run.tries("upload") == 2, run.output
    assert "This is try 2: what an earlier try created is sent again" in run.output


@pytest.mark.skipif(not REMEMBERS, reason="Airflow before 3.3 has no task state store")
def test_with_a_journal_it_says_nothing_of_the_kind(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write
) -> None:
    upload(dag, group, predictions=str(write_predictions(2)))

    run = run_dag(dag, connection=server)

    assert run.state == "success"
    assert "no journal" not in run.output
    assert "sent again" not in run.output


def test_force_forgets_what_was_sent_but_not_what_its_own_first_try_sent(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    upload(
        dag,
        group,
        predictions=str(write_predictions(20)),
        journal=str(tmp_path / "journal"),
        force="{{ dag_run.conf.force }}",
        max_connections=2,
        retries=1,
    )

    plain = run_dag(dag, connection=server, conf={"force": False})
    server.set_faults(rules=[{"kind": "latency", "seconds": 0.1}])
    with killed_at(server, 20 + 8):
        forced = run_dag(dag, connection=server, conf={"force": "yes"})
    server.clear_faults()
    after = run_dag(dag, connection=server, conf={"force": 0})
    wrong = run_dag(dag, connection=server, conf={"force": "perhaps"})

    assert counts(plain) == {"uploaded": 20, "total": 20}
    assert (forced.state, forced.tries("upload")) == ("success", 2), forced.output
    assert set(scenes(server, group).values()) == {2}
    assert counts(after) == {"skipped": 20, "total": 20}
    assert "force must be true or false, not 'perhaps'" in wrong.output


@pytest.mark.parametrize("on_changed", ["refuse", "send"])
def test_a_document_that_changed_is_refused_or_sent_as_asked(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    tmp_path: Path,
    on_changed: str,
) -> None:
    folder = write_predictions(3)
    receipts = tmp_path / "r.jsonl"
    upload(
        dag,
        group,
        predictions=str(folder),
        journal=str(tmp_path / "journal"),
        receipts=str(receipts),
        on_changed=on_changed,
        retries=1,
    )
    changed = demo.scene_uuid(1)

    run_dag(dag, connection=server)
    other = json.loads((folder / f"{changed}.json").read_text())
    other["openlabel"]["metadata"]["comment"] = "another model"
    (folder / f"{changed}.json").write_text(json.dumps(other))
    run = run_dag(dag, connection=server)

    row = next(row for row in rows(receipts) if row["scene_uuid"] == changed)
    if on_changed == "refuse":
        assert (run.state, run.tries("upload")) == ("failed", 1), run.output
        assert counts(run, "summary") == {"skipped": 2, "refused": 1, "total": 3}
        assert "changed" in run.output
        assert row["outcome"] == "refused"
        assert scenes(server, group)[changed] == 1
    else:
        assert counts(run) == {"uploaded": 1, "skipped": 2, "total": 3}
        assert row["outcome"] == "created"
        assert scenes(server, group)[changed] == 2


# --- doubt ---


@pytest.mark.parametrize(
    ("on_ambiguous", "listing", "state", "expected"),
    [
        ("reconcile", True, "success", {"uploaded": 8, "total": 8}),
        ("reconcile", False, "failed", {"uploaded": 7, "in_doubt": 1, "total": 8}),
        ("fail", True, "failed", {"uploaded": 7, "in_doubt": 1, "total": 8}),
        ("skip", True, "success", {"uploaded": 7, "in_doubt": 1, "total": 8}),
        ("resend", True, "success", {"uploaded": 8, "total": 8}),
    ],
)
def test_a_lost_answer_is_dealt_with_as_asked(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    on_ambiguous: str,
    *,
    listing: bool,
    state: str,
    expected: dict[str, int],
) -> None:
    lost = demo.scene_uuid(3)
    server.set_faults(
        predictions_listing=listing, rules=[{"kind": "drop_after", "match": {"scene": lost}, "times": 1}]
    )
    upload(
        dag,
        group,
        predictions=str(write_predictions(8)),
        on_ambiguous=on_ambiguous,
        settle_after=0,
        retries=2,
    )

    run = run_dag(dag, connection=server)

    assert (run.state, run.tries("upload")) == (state, 1), run.output
    assert counts(run, "return_value" if state == "success" else "summary") == expected
    assert scenes(server, group)[lost] == (2 if on_ambiguous == "resend" else 1)
    if state == "failed":
        assert lost in run.output


# --- receipts ---


def check_receipts(path: Path, server: Emulator, group: str, total: int) -> Counter[str]:
    """Every prediction has one row with what is known of it, and the failed ones stand in the file beside."""
    written = rows(path)
    assert len(written) == total
    assert len({row["source"] for row in written}) == total
    for row in written:
        assert set(row) >= {"scene_uuid", "source", "digest", "outcome", "prediction_uuid", "status"}
        assert set(row) >= {"message", "attempts", "predictions_group_uuid", "host"}
        assert row["outcome"] in OUTCOMES
        assert (row["predictions_group_uuid"], row["host"]) == (group, server.url.partition("://")[2])
    stored = {row["uuid"] for row in server.predictions(group)}
    created = {row["prediction_uuid"] for row in written if row["outcome"] in {"created", "skipped"}}
    assert None not in created
    assert created <= stored
    failed = [row for row in written if row["outcome"] not in {"created", "skipped"}]
    assert rows(path.with_suffix(".failed.jsonl")) == failed
    assert server.client_secret not in path.read_text()
    return Counter(row["outcome"] for row in written)


def test_receipts_are_complete_after_success_and_after_failure(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    folder, receipts = write_predictions(6), tmp_path / "deep" / "r.jsonl"
    receipts.parent.mkdir()
    upload(
        dag,
        group,
        predictions=str(folder),
        receipts="{{ dag_run.conf.receipts }}",
        journal="{{ dag_run.conf.journal }}",
        retries=1,
    )
    conf = {"receipts": str(receipts), "journal": str(tmp_path / "journal")}

    good = run_dag(dag, connection=server, conf=conf)
    assert good.state == "success", good.output
    assert check_receipts(receipts, server, group, 6) == {"created": 6}
    (folder / "not-a-uuid.json").write_text("{}")
    (folder / f"{demo.scene_uuid(10)}.json").write_text("{")
    write_predictions(2, first=20)
    bad = run_dag(dag, connection=server, conf=conf)

    assert (bad.state, bad.tries("upload")) == ("failed", 1)
    assert check_receipts(receipts, server, group, 10) == {"created": 2, "skipped": 6, "refused": 2}
    assert bad.rendered("upload")["receipts"] == str(receipts)


def test_receipts_are_complete_after_sigterm_and_after_an_outage(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    receipts = tmp_path / "r.jsonl"
    upload(
        dag,
        group,
        predictions=str(write_predictions(40)),
        receipts=str(receipts),
        journal=str(tmp_path / "journal"),
        outage_timeout=0.5,
        max_connections=2,
        retries=0,
    )

    server.set_faults(rules=[{"kind": "latency", "seconds": 0.1}])
    with killed_at(server, 6):
        killed = run_dag(dag, connection=server)
    after_kill = check_receipts(receipts, server, group, 40)
    server.set_faults(script=[{"kind": "ok", "times": 5}], rules=[{"kind": "429"}])
    outage = run_dag(dag, connection=server)
    after_outage = check_receipts(receipts, server, group, 40)

    assert (killed.state, outage.state) == ("failed", "failed")
    assert set(after_kill) == {"created", "unsent"}
    assert after_outage == {
        "skipped": after_kill["created"],
        "created": 5,
        "unsent": 35 - after_kill["created"],
    }


def test_receipts_are_complete_before_the_execution_timeout(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    receipts = tmp_path / "r.jsonl"
    server.set_faults(script=[{"kind": "ok", "times": 5}], rules=[{"kind": "hang", "seconds": 20}])
    upload(
        dag,
        group,
        predictions=str(write_predictions(50)),
        receipts=str(receipts),
        journal=str(tmp_path / "journal"),
        max_connections=4,
        execution_timeout=timedelta(seconds=4),
        retries=0,
    )

    run = run_dag(dag, connection=server)

    assert run.state == "failed"
    assert "the task's execution_timeout is nearly over" in run.output
    assert check_receipts(receipts, server, group, 50) == {"created": 5, "in_doubt": 4, "unsent": 41}
    assert f"All that is neither created nor skipped: {tmp_path / 'r.failed.jsonl'}" in run.output


def test_the_failed_rows_are_a_manifest_for_another_try(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    """Once what was wrong is mended, only what failed is sent; and never into another group."""
    folder, receipts = write_predictions(6), tmp_path / "r.jsonl"
    for number in (2, 4):
        (folder / f"{demo.scene_uuid(number)}.json").write_text("{")
    upload(dag, group, predictions=str(folder), receipts=str(receipts), max_failures=2)
    other = server.create_group()
    for task_id, to in (("again", group), ("elsewhere", other)):
        upload(dag, to, task_id=task_id, manifest=str(tmp_path / "r.failed.jsonl"), trigger_rule="all_done")
    dag.task_dict["upload"] >> [dag.task_dict["again"], dag.task_dict["elsewhere"]]

    def mend(context: Any) -> None:
        write_predictions(6)

    dag.task_dict["upload"].on_success_callback = [mend]

    run = run_dag(dag, connection=server)

    assert counts(run) == {"uploaded": 4, "refused": 2, "total": 6}
    summary = run.xcom("again")
    assert summary is not None, run.output
    assert (summary["uploaded"], summary["total"]) == (2, 2)
    assert each_once(server, group, 6)
    assert run.task_state("elsewhere") == "failed"
    assert f"this row is a receipt of predictions group '{group}'" in run.output
    assert server.count_predictions(other) == 0


def test_receipts_that_can_never_be_written_are_known_before_anything_is_sent(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    folder, blocked = write_predictions(3), tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    upload(dag, group, predictions=str(folder), receipts=str(blocked / "r.jsonl"), retries=1)

    run = run_dag(dag, connection=server)

    assert (run.state, run.tries("upload")) == ("failed", 1), run.output
    assert "'receipts' cannot be written to" in run.output
    assert posts(server) == 0


@pytest.mark.parametrize("bad", [True, False])
def test_receipts_that_cannot_be_written_in_the_end_fail_the_task_and_hide_nothing(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    tmp_path: Path,
    *,
    bad: bool,
) -> None:
    folder, blocked = write_predictions(10), tmp_path / "blocked"
    if bad:
        (folder / "not-a-uuid.json").write_text("{}")
    server.set_faults(rules=[{"kind": "latency", "seconds": 0.1}])
    upload(
        dag,
        group,
        predictions=str(folder),
        journal=str(tmp_path / "journal"),
        receipts=str(blocked / "r.jsonl"),
        max_connections=2,
        retries=1,
    )
    done = threading.Event()

    def block() -> None:
        while posts(server) < 1 and not done.wait(0.01):
            pass
        blocked.write_text("a file where the folder should be made")

    blocker = threading.Thread(target=block)
    blocker.start()
    try:
        run = run_dag(dag, connection=server)
    finally:
        done.set()
        blocker.join()

    assert run.state == "failed", run.output
    assert "the receipts cannot be written to" in run.output
    assert each_once(server, group, 10)
    assert posts(server) == 10
    if bad:
        assert run.tries("upload") == 1
        assert counts(run, "summary") == {"uploaded": 10, "refused": 1, "total": 11}
        assert "The upload is incomplete: 1 refused (allowed: 0), 10 created, of 11." in run.output
        assert "All that is neither created nor skipped" not in run.output
    else:
        assert run.tries("upload") == 2
        assert "The upload succeeded, but the receipts cannot be written to" in run.output


def test_a_journal_that_cannot_be_opened_leaves_the_receipts_alone(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    receipts, journal = tmp_path / "r.jsonl", tmp_path / "journal"
    upload(
        dag,
        group,
        predictions=str(write_predictions(3)),
        journal=str(journal),
        receipts=str(receipts),
        retries=1,
    )
    run_dag(dag, connection=server)
    before = receipts.read_text()
    (part,) = journal.glob(f"*/{group}/*.jsonl")
    kept = part.read_text()

    part.write_text(kept + "no line of a journal\n")
    corrupt = run_dag(dag, connection=server)
    part.write_text(kept)
    journal.rename(tmp_path / "aside")
    journal.write_text("a file where the folder should be")
    unusable = run_dag(dag, connection=server)

    assert (corrupt.state, corrupt.tries("upload")) == ("failed", 1), corrupt.output
    assert "cannot be understood" in corrupt.output
    assert (unusable.state, unusable.tries("upload")) == ("failed", 2), unusable.output
    assert "cannot be used" in unusable.output
    assert receipts.read_text() == before
    assert posts(server) == 3


# --- arguments ---


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"journal": True},
            "journal must be a folder, 'task' for Airflow's state store, None for what the installation says, or",
        ),
        ({"journal": 3}, "journal must be a folder"),
        ({"receipts": "/data/r.json"}, "receipts must be the path of a .jsonl file"),
        ({"receipts": False}, "receipts must be the path of a .jsonl file"),
        ({"on_ambiguous": "guess"}, "on_ambiguous must be one of 'reconcile', 'resend', 'skip', 'fail'"),
        ({"on_changed": "skip"}, "on_changed must be one of 'refuse', 'send'"),
        ({"settle_after": -1}, "settle_after must be a number of seconds"),
        ({"settle_after": "soon"}, "settle_after must be a number of seconds"),
        ({"force": "perhaps"}, "force must be true or false, not 'perhaps'"),
        ({"force": None}, "force must be true or false, not None"),
    ],
)
def test_wrong_values_are_errors_when_the_dag_is_parsed(
    dag: "DAG", given: dict[str, Any], message: str
) -> None:
    with pytest.raises(KognicInputError, match=message):
        upload(dag, "x", predictions="/a", **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"journal": "{{ 3 }}"}, None),
        ({"journal": "{{ '' }}"}, "'journal' is empty"),
        ({"journal": "nosuchscheme://bucket/{{ ds }}"}, "nosuchscheme"),
        ({"receipts": "{{ 'r.csv' }}"}, "receipts must be the path of a .jsonl file, not 'r.csv'"),
        ({"force": "{{ dag_run.conf.get('force') }}"}, "force must be true or false, not 'None'"),
    ],
)
def test_wrong_values_of_templates_fail_at_once_and_send_nothing(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, Any],
    message: str | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    upload(dag, group, predictions=str(write_predictions(2)), retries=1, **given)

    run = run_dag(dag, connection=server)

    if message is None:  # a folder may be called so
        assert run.state == "success", run.output
        assert (tmp_path / "3").is_dir()
        return
    assert (run.state, run.tries("upload")) == ("failed", 1), run.output
    assert message in run.output
    assert posts(server) == 0


@pytest.mark.parametrize("native", [True, False])
def test_templates_may_render_to_none_and_false(
    run_dag: RunDag, server: Emulator, group: str, write_predictions: Write, *, native: bool
) -> None:
    from airflow.sdk import DAG

    with DAG(f"none_{native}", schedule=None, render_template_as_native_obj=native) as dag:
        upload(
            dag,
            group,
            predictions=str(write_predictions(2)),
            journal="{{ False }}",
            receipts="{{ none }}",
            retries=0,
        )

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert "There is no journal: journal=False" in run.output


def test_paths_may_be_objects(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    from airflow.sdk import ObjectStoragePath

    upload(
        dag,
        group,
        predictions=str(write_predictions(2)),
        journal=ObjectStoragePath(f"file://{tmp_path}/journal"),
        receipts=ObjectStoragePath(f"file://{tmp_path}/r.jsonl"),
    )

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert list((tmp_path / "journal").glob(f"*/{group}/*.jsonl"))
    assert check_receipts(tmp_path / "r.jsonl", server, group, 2) == {"created": 2}


def test_no_secret_reaches_journal_or_receipts(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    """Also where the server itself repeats one in what it says."""
    said = f"you sent {server.client_secret}"
    server.set_faults(script=[{"kind": "429", "message": said}], rules=[])
    journal = tmp_path / "journal"
    for task_id, given in (("folder", str(journal)), ("store", None)):
        upload(
            dag,
            group,
            task_id=task_id,
            predictions=str(write_predictions(3)),
            journal=given,
            receipts=str(tmp_path / f"{task_id}.jsonl"),
        )

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    kept = [path.read_text() for path in journal.rglob("*") if path.is_file()]
    kept += [path.read_text() for path in tmp_path.glob("*.jsonl")]
    kept += [json.dumps(run.rendered(task_id)) for task_id in ("folder", "store")]
    kept += stored_values(run)
    assert len(kept) >= (8 if REMEMBERS else 6)
    assert not [text for text in kept if server.client_secret in text]


def stored_values(run: Any) -> list[str]:
    if not REMEMBERS:
        return []
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(TaskStateStoreModel).where(TaskStateStoreModel.dag_id == run.dag_id)
        return [row.value for row in session.scalars(query).all()]
