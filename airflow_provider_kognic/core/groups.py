"""Making sure of a predictions group, without ever making two out of one lost answer."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Literal, get_args

from airflow_provider_kognic.core.errors import KognicAmbiguousError, KognicError, KognicInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_kognic.core.client import KognicClient
    from airflow_provider_kognic.core.models import PredictionsGroup

logger = logging.getLogger(__name__)

IfExists = Literal["reuse", "fail", "create"]
IF_EXISTS: tuple[str, ...] = get_args(IfExists)

# After an answer was lost, the group is looked for after these pauses (s): a slow server may still make it.
_LOOK_AFTER = (0.0, 1.0, 2.0, 5.0, 10.0)
_POSTS = 3


def check_if_exists(value: str) -> str:
    """Return `value`; raises KognicInputError if it is none of `reuse`, `fail`, `create`."""
    if value not in IF_EXISTS:
        raise KognicInputError(f"if_exists must be one of {', '.join(map(repr, IF_EXISTS))}, not {value!r}.")
    return value


def ensure_predictions_group(
    client: KognicClient,
    dataset_uuid: str,
    name: str,
    *,
    description: str | None = None,
    class_mapping: Sequence[Mapping[str, str]] | None = None,
    if_exists: str = "reuse",
    sleep: Callable[[float], object] = time.sleep,
) -> str:
    """Return the uuid of the dataset's predictions group of that name, creating it where asked to.

    A create whose answer was lost is settled by listing the groups by name; only when the group has not shown up
    for a while is it created again.

    Args:
        client: The API.
        dataset_uuid: The dataset's uuid.
        name: The group's name; names need not be unique in Kognic.
        description: Text for people, where the group is created.
        class_mapping: The API's rows, where the group is created.
        if_exists: What to do about groups of that name: `reuse` the one there is, `fail`, or `create` another.
        sleep: Waits that many seconds; a test may shorten it.

    Raises:
        KognicInputError: `fail` and there is one; `reuse` and there are several.
        KognicError: The API cannot be reached or refuses.
    """
    check_if_exists(if_exists)
    if not name.strip():
        raise KognicInputError("the name of the predictions group is empty.")
    before = client.find_predictions_groups(dataset_uuid, name)
    if before and if_exists == "fail":
        raise KognicInputError(f"there already is a predictions group {name!r}: {_listed(before)}.")
    if before and if_exists == "reuse":
        return _the_only(before, name, class_mapping)
    known = {group.uuid for group in before}
    for post in range(1, _POSTS + 1):
        try:
            uuid = client.create_predictions_group(dataset_uuid, name, description, class_mapping)
        except KognicAmbiguousError as error:
            logger.warning("Whether the group %r was created is unknown (%s); looking for it.", name, error)
            seen = None
            for pause in _LOOK_AFTER:
                sleep(pause)
                seen = _look(client, dataset_uuid, name)
                if new := [group for group in seen or () if group.uuid not in known]:
                    return _the_only(new, name, class_mapping)
            if post == _POSTS or seen is None:
                raise
        else:
            logger.info("Created predictions group %r: %s", name, uuid)
            return uuid
    raise AssertionError("the last round returns or raises")


def _look(client: KognicClient, dataset_uuid: str, name: str) -> list[PredictionsGroup] | None:
    """Return the groups of that name; None where they cannot be listed, which does not mean that there is none."""
    try:
        return client.find_predictions_groups(dataset_uuid, name)
    except KognicError as error:
        logger.warning("The predictions groups cannot be listed now: %s", error)
        return None


def _the_only(
    groups: Sequence[PredictionsGroup], name: str, mapping: Sequence[Mapping[str, str]] | None
) -> str:
    if len(groups) > 1:
        raise KognicInputError(
            f"{len(groups)} predictions groups are named {name!r}: {_listed(groups)}. Name the one you mean by its"
            " uuid (UploadPredictionsOperator takes it directly), or delete the others in the app."
        )
    group = groups[0]
    shown = group.raw.get("classMapping")
    if mapping is not None and shown is not None and list(shown) != list(mapping):
        logger.warning(
            "Predictions group %s has another class mapping than the one given, which is not applied: %s",
            group.uuid,
            shown,
        )
    logger.info("Using predictions group %r: %s", name, group.uuid)
    return group.uuid


def _listed(groups: Sequence[PredictionsGroup]) -> str:
    return ", ".join(sorted(group.uuid for group in groups))
