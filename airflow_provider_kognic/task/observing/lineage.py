"""What OpenLineage is told of a task: where its predictions came from, and the predictions group they went to.

Airflow's provider for OpenLineage asks each operator for this by the names of these methods. Datasets are named as
OpenLineage's naming conventions say: a store's bucket and the path in it, `file` for a disk.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_kognic.core.masking import masked

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

KOGNIC = "kognic"


class TellsLineage:
    """Gives an operator what the OpenLineage provider asks for; its `execute` says what it has found."""

    _found: dict[str, Any] | None = None

    def lineage_is(
        self, host: str | None, summary: dict[str, Any], *, sent: bool, sources: tuple[Any, ...] = ()
    ) -> None:
        """Note what became of the task.

        Args:
            host: The API's host; None where it is not known.
            summary: What the task left.
            sent: Whether anything may have been sent; a dry run has inputs only.
            sources: Where the predictions came from.
        """
        self._found = {"host": host, "summary": summary, "sent": sent, "sources": sources}

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage | None:  # noqa: ARG002
        """Return the source as the input, and the predictions group as the output."""
        if self._found is None:
            return None
        return lineage_of(**self._found)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> OperatorLineage | None:
        """Return the same of a task that failed: some may be there all the same."""
        return self.get_openlineage_facets_on_complete(task_instance)


def lineage_of(
    host: str | None, summary: dict[str, Any], *, sent: bool, sources: tuple[Any, ...]
) -> OperatorLineage:
    """Return what a task read and where it put it.

    Args:
        host: The API's host.
        summary: What the task left.
        sent: Whether anything may have been sent.
        sources: Paths and URLs, or whatever was given in their place.
    """
    from airflow.providers.common.compat.openlineage.facet import (
        Dataset,
        DocumentationDatasetFacet,
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )
    from airflow.providers.openlineage.extractors import OperatorLineage

    inputs = [Dataset(namespace, name) for namespace, name in filter(None, map(source_name, sources))]
    outputs = []
    group = summary.get("predictions_group_uuid")
    if sent and host and group:
        namespace, name = group_name(host, summary.get("dataset_uuid"), group)
        about = summary.get("predictions_group")
        outputs.append(
            OutputDataset(
                namespace,
                name,
                facets={"documentation": DocumentationDatasetFacet(description=about)} if about else {},
                outputFacets={
                    "outputStatistics": OutputStatisticsOutputDatasetFacet(
                        rowCount=summary.get("uploaded", 0)
                    )
                },
            )
        )
    return OperatorLineage(inputs=inputs, outputs=outputs)


def group_name(host: str, dataset_uuid: str | None, group: str) -> tuple[str, str]:
    """Return namespace and name of a predictions group: together they are its asset's URI, where that is known."""
    within = f"datasets/{dataset_uuid}/" if dataset_uuid else ""
    return f"{KOGNIC}://{host}", f"{within}predictions-groups/{group}"


def source_name(given: Any) -> tuple[str, str] | None:
    """Return namespace and name of where predictions come from; None for rows in memory.

    Args:
        given: A path, a URL with or without an Airflow connection before the `@`, or a shard of one.
    """
    if isinstance(given, dict):
        given = given.get("predictions") or given.get("manifest")
    if given is None or isinstance(given, (list, tuple)):
        return None
    text = masked(str(given))
    if "://" not in text:
        return "file", posixpath.normpath(text)
    parts = urlsplit(text)
    bucket = parts.netloc.rpartition("@")[2]
    if parts.scheme == "file":
        return "file", posixpath.normpath(f"{bucket}{parts.path}" or "/")
    return f"{parts.scheme}://{bucket}", parts.path.strip("/") or "/"
