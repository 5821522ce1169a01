"""What OpenLineage is told."""

from typing import Any

import pytest

from airflow_provider_kognic.task.observing.lineage import TellsLineage, group_name, source_name

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


def test_inputs_and_outputs() -> None:
    """A dry run reads and writes nothing; what is not known yet is not told."""
    pytest.importorskip("airflow.providers.openlineage")
    task = TellsLineage()
    assert task.get_openlineage_facets_on_complete(None) is None
    summary = {
        "predictions_group_uuid": GROUP,
        "dataset_uuid": DATASET,
        "predictions_group": "detector v7",
        "uploaded": 41,
    }
    task.lineage_is("dataset.app.kognic.com", summary, sent=True, sources=("s3://ml@p/x/",))
    told = task.get_openlineage_facets_on_failure(None)
    assert told is not None
    assert [(one.namespace, one.name) for one in told.inputs] == [("s3://p", "x")]
    (group,) = told.outputs
    assert (group.namespace, group.name) == group_name("dataset.app.kognic.com", DATASET, GROUP)
    assert group.outputFacets["outputStatistics"].rowCount == 41
    assert group.facets["documentation"].description == "detector v7"

    task.lineage_is("dataset.app.kognic.com", summary, sent=False, sources=("s3://ml@p/x/",))
    told = task.get_openlineage_facets_on_complete(None)
    assert told is not None
    assert (len(told.inputs), told.outputs) == (1, [])
