"""UploadPredictionsOperator and URLs that carry a password or a signature: nobody reads them who was not told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator

if TYPE_CHECKING:
    from airflow.sdk import DAG

SECRETS = ("hunter2-in-a-url", "cafe0123signature")
URLS = (
    f"https://user:{SECRETS[0]}@127.0.0.1:9/a.json",
    f"nostore://key:{SECRETS[0]}@bucket/b.json",
    f"https://127.0.0.1:9/c.json?X-Amz-Date=1&X-Amz-Signature={SECRETS[1]}",
    f"abfs://container@account.dfs.core.windows.net/d.json?sv=1&sig={SECRETS[1]}",
    f"az://127.0.0.1:9/e.json?sig={SECRETS[1]}",
)


@pytest.mark.parametrize("more", [{}, {"dry_run": True}])
def test_what_a_manifests_urls_hide_is_written_nowhere(
    run_dag: Callable[..., Any],
    dag: "DAG",
    server: Emulator,
    write_predictions: Callable[..., Path],
    tmp_path: Path,
    more: dict[str, Any],
) -> None:
    """Not in the log, in receipts, reports, the journal or XComs; the rows themselves stay told apart."""
    document = write_predictions(1) / f"{demo.scene_uuid(0)}.json"
    manifest, out = tmp_path / "manifest.jsonl", tmp_path / "out"
    out.mkdir()
    named = [str(document), *URLS]
    manifest.write_text(
        "".join(
            json.dumps({"scene_uuid": demo.scene_uuid(number), "path": path}) + "\n"
            for number, path in enumerate(named)
        )
    )
    files: dict[str, Any] = (
        {"report": str(out / "report.jsonl")} if more else {"receipts": str(out / "receipts.jsonl")}
    )
    UploadPredictionsOperator(
        task_id="upload",
        dag=dag,
        predictions_group_uuid=server.create_group(),
        manifest=str(manifest),
        journal=str(out / "journal"),
        max_failures="100%",
        outage_timeout=1,
        retries=0,
        **files,
        **more,
    )

    run = run_dag(dag, connection=server)

    kept = {path: path.read_text(errors="replace") for path in out.rglob("*") if path.is_file()}
    assert kept
    shown = run.output + json.dumps(run.xcoms("upload"), default=str) + "".join(kept.values())
    assert not [secret for secret in SECRETS if secret in shown]
    assert "nostore://***@bucket/" in shown
    assert "X-Amz-Signature=***" in shown


def test_a_source_whose_url_has_a_password(
    run_dag: Callable[..., Any], dag: "DAG", server: Emulator, write_predictions: Callable[..., Path]
) -> None:
    """Nor is what a library quotes of it the cause of what is told."""
    UploadPredictionsOperator(
        task_id="upload",
        dag=dag,
        predictions_group_uuid=server.create_group(),
        predictions="{{ dag_run.conf.url }}",
        outage_timeout=1,
        retries=0,
    )

    run = run_dag(dag, connection=server, conf={"url": URLS[1]})

    assert run.task_state("upload") == "failed"
    said = [line for line in run.output.splitlines() if "MaskSecret" not in line]
    assert not [line for line in said if SECRETS[0] in line]
    assert "cannot be opened" in run.output
    assert "nostore://***@bucket/b.json" in run.output
