"""The pod template of `example_kubernetes.py`, by the Kubernetes provider's own means, and the example itself."""

import importlib.util
import json
import os
import runpy
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.stores import asking, limited
from airflow_provider_kognic.core.upload.stop import DRAIN
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.task.uploading import job

EXAMPLE = Path(__file__).parents[2] / "example_dags" / "example_kubernetes.py"
MIB = 1 << 20
# What stops last of an upload: its last lines, its part, and two leases; all rows and those that failed.
JOURNAL_CALLS, RECEIPT_FILES = 4, 2


def why_no_kubernetes() -> str | None:
    """What is missing to look at pods, or None; never in CI on the newest Airflow (TESTS_NEED_KUBERNETES=1)."""
    missing = None
    if importlib.util.find_spec("kubernetes") is None:
        missing = "apache-airflow-providers-cncf-kubernetes is not installed"
    assert missing is None or os.environ.get("TESTS_NEED_KUBERNETES", "0") == "0", missing
    return missing


needs_kubernetes = pytest.mark.skipif(why_no_kubernetes() is not None, reason=str(why_no_kubernetes()))


def example() -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLE))


def upload_task(defined: dict[str, Any]) -> Any:
    return defined["kognic_kubernetes"]().get_task("upload_shard")


def made_pod(override: Any) -> dict[str, Any]:
    """The pod that the executor asks Kubernetes for, as the JSON that it sends."""
    import airflow.providers.cncf.kubernetes as provider
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
    from kubernetes.client import ApiClient

    (template,) = Path(provider.__path__[0]).rglob("basic_template.yaml")
    base = PodGenerator.deserialize_model_file(str(template))
    pod = PodGenerator.construct_pod(
        dag_id="kognic_kubernetes",
        task_id="upload_shard",
        pod_id="kognic-kubernetes-upload-shard",
        try_number=1,
        kube_image="apache/airflow:3.3.2",
        date=datetime(2026, 3, 1, tzinfo=timezone.utc),
        args=["python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-string", "{}"],
        pod_override_object=override,
        base_worker_pod=base,
        namespace="airflow",
        scheduler_job_id="1",
        run_id="manual",
        map_index=3,
    )
    return json.loads(json.dumps(ApiClient().sanitize_for_serialization(pod)))  # type: ignore[no-any-return]


@needs_kubernetes
def test_the_template_is_laid_over_airflows_own_pod(airflow_database: Path) -> None:
    override = upload_task(example()).partial_kwargs["executor_config"]["pod_override"]

    pod = made_pod(override)

    (container,) = pod["spec"]["containers"]
    assert container["name"] == "base"
    assert container["image"] == "apache/airflow:3.3.2"
    assert container["args"][:3] == ["python", "-m", "airflow.sdk.execution_time.execute_workload"]
    environment = {row["name"]: row.get("value") for row in container["env"]}
    assert environment["MALLOC_MMAP_THRESHOLD_"] == str(MIB)
    assert environment["AIRFLOW_IS_K8S_EXECUTOR_POD"] == "True"
    annotations = pod["metadata"]["annotations"]
    assert annotations["map_index"] == "3"
    assert annotations["karpenter.sh/do-not-disrupt"] == "true"
    assert annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"
    assert pod["spec"]["restartPolicy"] == "Never"
    assert "limits" not in made_pod(None)["spec"]["containers"][0].get("resources", {})


@needs_kubernetes
def test_the_page_about_it_shows_the_same_template(airflow_database: Path) -> None:
    page = (EXAMPLE.parents[1] / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    shown = page.partition("```python\n")[2].partition("UploadPredictionsOperator")[0]
    defined: dict[str, Any] = {}
    exec(shown, defined)

    assert made_pod(defined["upload_pod"]["pod_override"]) == made_pod(
        example()["upload_pod"]()["pod_override"]
    )
    assert defined["MAX_MEMORY_BYTES"] == example()["MAX_MEMORY_BYTES"]


@needs_kubernetes
def test_the_grace_period_is_longer_than_an_upload_takes_to_end(airflow_database: Path) -> None:
    """With every store that hangs; what Airflow does after the task has the rest."""
    override = upload_task(example()).partial_kwargs["executor_config"]["pod_override"]

    granted = made_pod(override)["spec"]["terminationGracePeriodSeconds"]

    hanging = JOURNAL_CALLS * max(asking._GRACE, limited._GRACE) + RECEIPT_FILES * job._LAST_WRITE
    assert 2 * (DRAIN + hanging) <= granted == example()["GRACE_SECONDS"]


@needs_kubernetes
def test_memory_is_requested_for_the_documents_that_the_upload_may_hold(airflow_database: Path) -> None:
    from kubernetes.utils.quantity import parse_quantity

    task = upload_task(example())
    most = task.partial_kwargs["max_memory_bytes"]

    resources = made_pod(task.partial_kwargs["executor_config"]["pod_override"])["spec"]["containers"][0][
        "resources"
    ]

    assert task.partial_kwargs["max_document_bytes"] == most
    assert resources["requests"]["memory"] == resources["limits"]["memory"]
    assert parse_quantity(resources["limits"]["memory"]) >= 512 * MIB + 4 * most
    assert 0 < parse_quantity(resources["requests"]["cpu"]) <= 1
    assert "cpu" not in resources["limits"]
    smaller = made_pod(example()["upload_pod"](32 * MIB)["pod_override"])["spec"]["containers"][0]
    assert parse_quantity(smaller["resources"]["limits"]["memory"]) == 640 * MIB


@needs_kubernetes
def test_airflow_keeps_the_template_in_the_dag_and_in_its_database(airflow_database: Path) -> None:
    import pickle

    from airflow.serialization.serialized_objects import BaseSerialization
    from kubernetes.client import ApiClient

    given = upload_task(example()).partial_kwargs["executor_config"]
    plain = ApiClient().sanitize_for_serialization

    sent = json.loads(json.dumps(BaseSerialization.serialize(given)))
    read = BaseSerialization.deserialize(sent)
    stored = pickle.loads(pickle.dumps(given))

    assert plain(read["pod_override"]) == plain(given["pod_override"]) == plain(stored["pod_override"])


def test_without_kubernetes_the_example_is_parsed_and_its_tasks_have_no_template(
    airflow_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "kubernetes"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "kubernetes", None)

    assert upload_task(example()).partial_kwargs["executor_config"] == {}


def test_shards_are_uploaded_whatever_the_executor_makes_of_the_template(
    run_dag: Any, write_predictions: Callable[..., Path], server: Emulator, tmp_path: Path
) -> None:
    from airflow.models.pool import Pool

    Pool.create_or_update_pool("kognic", slots=10, description="", include_deferred=False)
    conf = {"predictions": str(write_predictions(10)), "shards": 2, "journal": str(tmp_path / "journal")}

    result = run_dag(example()["kognic_kubernetes"](), connection=server, conf=conf)

    assert result.state == "success", result.output
    assert [result.xcom("upload_shard", map_index=index)["uploaded"] for index in range(2)] == [5, 5]
