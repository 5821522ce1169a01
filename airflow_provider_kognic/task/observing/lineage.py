"""What OpenLineage is told of a task: where its predictions came from, and the predictions group they went to.

Airflow's provider for OpenLineage asks each operator for this by the names of these methods. Datasets are named as
OpenLineage's naming conventions say: a store's bucket and the path in it, `file` for a disk.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.task.arguments.kinds import is_yielded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.openlineage.extractors import OperatorLineage

KOGNIC = "kognic"


class TellsLineage:
    """Gives an operator what the OpenLineage provider asks for; its `execute` says what it has found."""

    _lineage: tuple[str, dict[str, Any], Sequence[Any]] | None = None

    def lineage_is(self, host: str, told: dict[str, Any], sources: Sequence[Any] = ()) -> None:
        """Note what became of the task.

        Args:
            host: The API's host.
            told: The group and its dataset, and as in a summary what was uploaded; that of a dry run has no output.
            sources: Where predictions came from: paths and URLs, or whatever was given in their place.
        """
        self._lineage = (host, told, sources)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage | None:  # noqa: ARG002
        """Return the source as the input, and the predictions group as the output."""
        if self._lineage is None:
            return None
        from airflow.providers.common.compat.openlineage.facet import Dataset
        from airflow.providers.openlineage.extractors import OperatorLineage

        host, told, sources = self._lineage
        names = filter(None, map(source_name, sources))
        inputs = [Dataset(namespace=namespace, name=name) for namespace, name in names]
        return OperatorLineage(inputs=inputs, outputs=_outputs(host, told))

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> OperatorLineage | None:
        """Return the same of a task that failed: some may be there all the same."""
        return self.get_openlineage_facets_on_complete(task_instance)


def _outputs(host: str, told: dict[str, Any]) -> list[Any]:
    from airflow.providers.common.compat.openlineage.facet import (
        DocumentationDatasetFacet,
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )

    group = told.get("predictions_group_uuid")
    if told.get("dry_run") or not group:
        return []
    namespace, name = group_name(host, told.get("dataset_uuid"), group)
    about, created = told.get("predictions_group"), told.get("uploaded")
    facets = {"documentation": DocumentationDatasetFacet(description=about)} if about else {}
    counts = (
        {} if created is None else {"outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=created)}
    )
    return [OutputDataset(namespace=namespace, name=name, facets=facets, outputFacets=counts)]


def group_name(host: str, dataset_uuid: str | None, group: str) -> tuple[str, str]:
    """Return namespace and name of a predictions group: together they are its asset's URI, where that is known."""
    within = f"datasets/{dataset_uuid}/" if dataset_uuid else ""
    return f"{KOGNIC}://{host}", f"{within}predictions-groups/{group}"


def source_name(given: Any) -> tuple[str, str] | None:
    """Return namespace and name of where predictions come from; None for what is nowhere: rows, a function.

    Args:
        given: A path, a URL with or without an Airflow connection before the `@`, or a shard of one.
    """
    if isinstance(given, dict):
        given = given.get("predictions") or given.get("manifest")
    if given is None or isinstance(given, (list, tuple)) or is_yielded(given):
        return None
    text = masked(str(given))
    if "://" not in text:
        return "file", posixpath.normpath(text)
    parts = urlsplit(text)
    bucket = parts.netloc.rpartition("@")[2]
    if parts.scheme == "file":
        return "file", posixpath.normpath(f"{bucket}{parts.path}" or "/")
    return f"{parts.scheme}://{bucket}", parts.path.strip("/") or "/"
