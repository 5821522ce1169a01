"""UploadPredictionsOperator and web servers whose signed URLs their libraries quote whole in errors."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow.sdk import DAG

    from airflow_provider_kognic.emulator.testing import Emulator

SECRET = "cafe0123signature"


class Refusing(BaseHTTPRequestHandler):
    """Answers with the status that the path begins with."""

    def do_GET(self) -> None:
        self.send_response(int(self.path[1:4]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 - as the server asks for it

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def web() -> Iterator[str]:
    import fsspec  # type: ignore[import-untyped, unused-ignore]
    from airflow.sdk.io import attach

    attach("http", fs=fsspec.filesystem("http"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("argument", "name", "status"),
    [
        ("predictions", "p.jsonl", 403),
        ("predictions", "p.jsonl", 500),
        ("manifest", "m.csv", 403),
        ("manifest", "m.csv", 404),
        ("manifest", "m.csv", 500),
    ],
)
def test_no_traceback_quotes_a_signed_url(
    run_dag: Callable[..., Any],
    dag: DAG,
    server: Emulator,
    web: str,
    argument: str,
    name: str,
    status: int,
) -> None:
    """What the library says stands there without the signature, as do all that raised it."""
    source: Any = {argument: f"{web}/{status}/{name}?X-Amz-Date=1&X-Amz-Signature={SECRET}"}
    UploadPredictionsOperator(
        task_id="upload",
        dag=dag,
        predictions_group_uuid=server.create_group(),
        outage_timeout=1,
        retries=0,
        **source,
    )

    run = run_dag(dag, connection=server)

    assert run.task_state("upload") == "failed"
    assert not [line for line in run.output.splitlines() if SECRET in line]
    assert re.search(rf"{name}\?X-Amz-Date=1&X-Amz-Signature=\*\*\*", run.output)


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("status", [403, 500])
def test_nor_does_that_of_a_sensor(
    run_dag: Callable[..., Any], dag: DAG, server: Emulator, web: str, status: int, *, deferrable: bool
) -> None:
    source = f"{web}/{status}/p.jsonl?X-Amz-Date=1&X-Amz-Signature={SECRET}"
    DatasetScenesSensor(
        task_id="wait",
        dag=dag,
        dataset="d",
        predictions=source,
        timeout=2,
        poke_interval=1,
        retries=0,
        mode="poke",
        deferrable=deferrable,
    )

    run = run_dag(dag, connection=server)

    assert run.task_state("wait") == "failed"
    assert not [line for line in run.output.splitlines() if SECRET in line]
    assert re.search(r"p.jsonl\?X-Amz-Date=1&X-Amz-Signature=\*\*\*", run.output)
