"""How OpenLineage names what is read and written."""

from typing import Any

import pytest

from airflow_provider_kognic.core.sources.yielded.source import YieldedSource
from airflow_provider_kognic.task.observing.lineage import group_name, source_name

GROUP = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
DATASET = "0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a01"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("s3://ml@predictions/2026-01-31/", ("s3://predictions", "2026-01-31")),
        ("s3://predictions/a/*.json", ("s3://predictions", "a/*.json")),
        ("s3://predictions", ("s3://predictions", "/")),
        ("s3://key:hunter2@predictions/x", ("s3://predictions", "x")),
        ("gs://bucket/x.jsonl", ("gs://bucket", "x.jsonl")),
        ("/data/predictions/", ("file", "/data/predictions")),
        ("file:///data/x", ("file", "/data/x")),
        ({"kognic_shard": 1, "predictions": "s3://b/x/", "first": None}, ("s3://b", "x")),
        ({"kognic_shard": 1, "manifest": "/data/m.csv"}, ("file", "/data/m.csv")),
        ([{"sceneUuid": "x"}], None),
        (YieldedSource(lambda: (), name="infer", key="dag/infer"), None),
        (None, None),
    ],
)
def test_a_source_is_named_as_openlineage_names_it(given: Any, named: tuple[str, str] | None) -> None:
    """Without the connection before the `@`, and without a password."""
    assert source_name(given) == named


def test_a_group_is_named_as_its_asset_is() -> None:
    assert "/".join(group_name("dataset.app.kognic.com", DATASET, GROUP)) == (
        f"kognic://dataset.app.kognic.com/datasets/{DATASET}/predictions-groups/{GROUP}"
    )
    assert group_name("x", None, GROUP) == ("kognic://x", f"predictions-groups/{GROUP}")
