"""Uploading in pods: what an upload asks of Kubernetes, for the KubernetesExecutor.

Each shard is a mapped task, and so a pod of its own. An Airflow pool bounds the connections of all of them; make it
once:

    airflow-provider-kognic pool create

`upload_pod` is the template. What it says is laid over Airflow's own pod template, and other executors take no
notice of it:

- **Time to end.** A pod that is evicted, or deleted as its task is marked or cleared, gets SIGTERM. The upload then
  sends nothing more, gives what is in flight a moment to come back, and writes its journal and its receipts. After
  `terminationGracePeriodSeconds` comes SIGKILL, which leaves what is in flight in doubt.
- **Memory.** What a task takes before it has read anything, and four times `max_memory_bytes`: a document on its
  way takes up to three times its size beside itself. No document may be larger than that, as such a one would go
  alone. Request and limit are the same, so that no neighbour has the pod killed. `MALLOC_MMAP_THRESHOLD_` has the C
  library give large documents back at once.
- **CPU** is requested and not limited: an upload waits most of its time, and a throttled one misses heartbeats.
- **Annotations**, so that autoscalers leave a pod that uploads where it is: moving it costs a try.

What else it needs: the connection `kognic_default`, the provider `apache-airflow-providers-cncf-kubernetes` (where
it is not installed, the tasks run without the template), and predictions and a journal where every pod reaches
them: the params `predictions` and `journal`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag

from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.operators.sharding import ShardPredictionsOperator

try:
    from kubernetes.client import models as k8s
except ImportError:
    k8s = None

POOL = "kognic"
CONNECTIONS = 5
MIB = 1 << 20
# Of documents that are in memory at a time, and so of each.
MAX_MEMORY_BYTES = 128 * MIB
# Airflow's part of a pod: its supervisor and the task, each with the libraries, before anything is read.
BASE_MEMORY_MIB = 512
# An upload that is asked to end needs some 3 s, and 17 s where its stores hang; then Airflow stores the task's log.
GRACE_SECONDS = 60


def upload_pod(max_memory_bytes: int = MAX_MEMORY_BYTES) -> dict[str, Any]:
    """Return the `executor_config` of an upload.

    Args:
        max_memory_bytes: What the upload is given as that, and as `max_document_bytes`.
    """
    if k8s is None:
        return {}
    memory = f"{BASE_MEMORY_MIB + 4 * max_memory_bytes // MIB}Mi"
    upload = k8s.V1Container(
        name="base",  # as Airflow calls the container that runs the task
        env=[k8s.V1EnvVar(name="MALLOC_MMAP_THRESHOLD_", value=str(MIB))],
        resources=k8s.V1ResourceRequirements(
            requests={"cpu": "500m", "memory": memory},
            limits={"memory": memory},
        ),
    )
    annotations = {
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
        "karpenter.sh/do-not-disrupt": "true",
    }
    return {
        "pod_override": k8s.V1Pod(
            metadata=k8s.V1ObjectMeta(annotations=annotations),
            spec=k8s.V1PodSpec(containers=[upload], termination_grace_period_seconds=GRACE_SECONDS),
        )
    }


@dag(
    schedule=None,
    catchup=False,
    doc_md=__doc__,
    tags=["kognic", "example"],
    params={
        "dataset": Param("demo", type="string", description="The dataset's name or uuid."),
        "predictions": Param("s3://ml@predictions/", type="string", description="Where they are."),
        "shards": Param(8, type="integer", minimum=1, description="How many pods upload them."),
        "journal": Param(
            None, type=["null", "string"], description="Where uploads remember what they sent, such as s3://…"
        ),
    },
)
def kognic_kubernetes() -> None:
    """Cut predictions into shards, and upload each in a pod of its own."""
    group = CreatePredictionsGroupOperator(
        task_id="create_group", dataset="{{ params.dataset }}", name="pods, {{ run_id }}"
    )
    shards = ShardPredictionsOperator(
        task_id="shards", predictions="{{ params.predictions }}", shards="{{ params.shards }}"
    )
    UploadPredictionsOperator.partial(
        task_id="upload_shard",
        predictions_group_uuid=group.output,
        dataset="{{ params.dataset }}",
        max_connections=CONNECTIONS,
        max_memory_bytes=MAX_MEMORY_BYTES,
        max_document_bytes=MAX_MEMORY_BYTES,
        journal="{{ params.journal }}",
        pool=POOL,
        pool_slots=CONNECTIONS,
        executor_config=upload_pod(),
        retries=5,
        retry_delay=timedelta(minutes=1),
    ).expand(predictions=shards.output)


kognic_kubernetes()
