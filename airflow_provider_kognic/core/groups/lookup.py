"""Which of a dataset's predictions groups is meant: by its uuid there is one, by its name there may be several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_kognic.core.api.dataset_api.records import PredictionsGroup


class ListsGroups(Protocol):
    """Lists a dataset's predictions groups; the client and the hook do."""

    def list_predictions_groups(self, dataset_uuid: str) -> list[PredictionsGroup]:
        """Return them all; raises KognicError."""


def find_group(client: ListsGroups, dataset_uuid: str, group_uuid: str) -> PredictionsGroup | None:
    """Return a dataset's predictions group, or None where the dataset has none of that uuid.

    Args:
        client: Lists the dataset's groups; blocks.
        dataset_uuid: The dataset's uuid.
        group_uuid: The group's uuid, in any case.

    Raises:
        KognicNotFoundError: The dataset is unknown.
        KognicError: They cannot be listed, which does not mean that there is none.
    """
    return of_uuid(client.list_predictions_groups(dataset_uuid), group_uuid)


def of_uuid(groups: Iterable[PredictionsGroup], uuid: str) -> PredictionsGroup | None:
    """Return the group of that uuid, in any case; None where there is none."""
    return next((group for group in groups if group.uuid.lower() == uuid.lower()), None)


def of_name(groups: Iterable[PredictionsGroup], name: str) -> list[PredictionsGroup]:
    """Return the groups of exactly that name."""
    return [group for group in groups if group.name == name]


def uuids_of(groups: Iterable[PredictionsGroup]) -> str:
    """Return the groups' uuids for a message."""
    return ", ".join(sorted(group.uuid for group in groups))
