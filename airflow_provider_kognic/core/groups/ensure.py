"""Making sure of a predictions group, without ever making two out of one intent.

Creating a group is a POST without a key. Within one attempt a lost answer is settled by listing the groups by name.
An attempt that dies is settled by the next one, where a `GroupMemory` outlives it: the intent is durable before the
POST leaves, the outcome before the uuid is returned.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_kognic.core.errors import KognicError, KognicInputError, KognicStoppedError
from airflow_provider_kognic.core.groups.if_exists import IfExists
from airflow_provider_kognic.core.groups.intent import Forgets, Intent
from airflow_provider_kognic.core.groups.lookup import find_group, uuids_of
from airflow_provider_kognic.core.identity.run_manifest import described, differing
from airflow_provider_kognic.core.retries import Verdict, verdict
from airflow_provider_kognic.core.texts import brief, printable
from airflow_provider_kognic.core.values import check_choice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_kognic.core.api.client import KognicClient
    from airflow_provider_kognic.core.api.dataset_api.records import PredictionsGroup
    from airflow_provider_kognic.core.groups.intent import GroupMemory

logger = logging.getLogger(__name__)

# After an answer was lost, the group is looked for after these pauses (s): a slow server may still make it.
_LOOK_AFTER = (0.0, 1.0, 2.0, 5.0, 10.0)
_POSTS = 3


def ensure_predictions_group(
    client: KognicClient,
    dataset_uuid: str,
    name: str,
    *,
    description: str | None = None,
    class_mapping: Sequence[Mapping[str, str]] | None = None,
    if_exists: IfExists | str = IfExists.REUSE,
    run_manifest: Mapping[str, Any] | None = None,
    memory: GroupMemory | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> str:
    """Return the uuid of the dataset's predictions group of that name, creating it where asked to.

    A create whose answer was lost is settled by listing the groups by name; only when the group has not shown up
    for a while is it created again. What an earlier attempt with the same memory created is returned as long as it
    is there, whatever `if_exists` says.

    Args:
        client: The API.
        dataset_uuid: The dataset's uuid.
        name: The group's name; names need not be unique in Kognic.
        description: Text for people, where the group is created.
        class_mapping: The API's rows, where the group is created.
        if_exists: What to do about groups of that name: `reuse` the one there is, `fail`, or `create` another.
        run_manifest: Who makes the predictions, see `identity.run_manifest`: it goes below the description, and is
            held against that of a group that is there. None for nothing of it.
        memory: Remembers across attempts; None for no memory.
        sleep: Waits that many seconds; a test may shorten it.

    Raises:
        KognicInputError: `fail` and there is one; `reuse` and there are several.
        KognicJournalError: The memory does not serve, or holds something else: nothing was created.
        KognicError: The API cannot be reached or refuses.
    """
    policy = check_choice(if_exists, "if_exists", IfExists)
    if not name.strip():
        raise KognicInputError("the name of the predictions group is empty.")
    intent = Intent(memory or Forgets(), client.settings.host, dataset_uuid, name)
    wanted = _Wanted(name, class_mapping, run_manifest)
    if (made := _made_earlier(client, intent, wanted, sleep)) is not None:
        return made
    if not intent.open:
        before = client.find_predictions_groups(dataset_uuid, name)
        if before and policy.fails:
            raise KognicInputError(f"there already is a predictions group {brief(name)}: {uuids_of(before)}.")
        if before and policy.takes_what_is_there:
            return _the_only(before, wanted)
        intent.begin(group.uuid for group in before)
    return _create(client, intent, described(description, run_manifest), wanted, sleep)


class _Wanted(NamedTuple):
    """What a group is to be: that of one that is there is looked at, and never changed."""

    name: str
    class_mapping: Sequence[Mapping[str, str]] | None
    run_manifest: Mapping[str, Any] | None


def _made_earlier(
    client: KognicClient,
    intent: Intent,
    wanted: _Wanted,
    sleep: Callable[[float], object],
) -> str | None:
    """Return the group that an earlier attempt created, or None where it created none or it is gone."""
    if intent.created is not None:
        if (kept := find_group(client, intent.dataset_uuid, intent.created)) is not None:
            logger.info("An earlier attempt of this task created the predictions group.")
            return _the_only([kept], wanted)
        logger.warning(
            "The predictions group %s, which an earlier attempt of this task created, is gone: somebody deleted it."
            " Starting anew.",
            intent.created,
        )
    if intent.open:
        logger.warning(
            "An earlier attempt was about to create the group %r, and what came of it is unknown; looking for it.",
            intent.name,
        )
        # Not being able to look is an error here: it does not mean that there is none.
        new, _ = _appeared(
            lambda: client.find_predictions_groups(intent.dataset_uuid, intent.name), intent.before, sleep
        )
        if new:
            return intent.succeed(_the_only(new, wanted))
    return None


def _create(
    client: KognicClient,
    intent: Intent,
    description: str | None,
    wanted: _Wanted,
    sleep: Callable[[float], object],
) -> str:
    """Create a group whose intent is noted, and return its uuid."""
    dataset_uuid, name = intent.dataset_uuid, intent.name
    for post in range(1, _POSTS + 1):
        try:
            uuid = client.create_predictions_group(dataset_uuid, name, description, wanted.class_mapping)
        except KognicError as error:
            decided = verdict(error)
            if not decided.doubts:
                # Certainly not executed; but an earlier POST of the same intent may have been.
                if post == 1 and not intent.open:
                    intent.withdraw()
                raise
            logger.warning("Whether the group %r was created is unknown (%s); looking for it.", name, error)
            new, listed = _appeared(lambda: _look(client, dataset_uuid, name), intent.before, sleep)
            if new:
                return intent.succeed(_the_only(new, wanted))
            if post == _POSTS or not listed or decided is Verdict.STOP_IN_DOUBT:
                raise
        else:
            logger.info("Created predictions group %r: %s", name, uuid)
            return intent.succeed(uuid)
    raise AssertionError("the last round returns or raises")


def _appeared(
    look: Callable[[], Sequence[PredictionsGroup] | None],
    before: frozenset[str],
    sleep: Callable[[float], object],
) -> tuple[list[PredictionsGroup], bool]:
    """Look for groups that were not there before, for a while.

    Returns:
        Those that have appeared, and whether the last look was possible.
    """
    seen: Sequence[PredictionsGroup] | None = None
    for pause in _LOOK_AFTER:
        sleep(pause)
        seen = look()
        if new := [group for group in seen or () if group.uuid not in before]:
            return new, True
    return [], seen is not None


def _look(client: KognicClient, dataset_uuid: str, name: str) -> list[PredictionsGroup] | None:
    """Return the groups of that name; None where they cannot be listed, which does not mean that there is none."""
    try:
        return client.find_predictions_groups(dataset_uuid, name)
    except KognicStoppedError:
        raise
    except KognicError as error:
        logger.warning("The predictions groups cannot be listed now: %s", error)
        return None


def _the_only(groups: Sequence[PredictionsGroup], wanted: _Wanted) -> str:
    name, mapping = wanted.name, wanted.class_mapping
    if len(groups) > 1:
        raise KognicInputError(
            f"{len(groups)} predictions groups are named {brief(name)}: {uuids_of(groups)}. Name the one you mean"
            " by its uuid (UploadPredictionsOperator takes it directly), or delete the others in the app."
        )
    group = groups[0]
    shown = group.raw.get("classMapping")
    if mapping is not None and shown is not None and list(shown) != list(mapping):
        logger.warning(
            "Predictions group %s has another class mapping than the one given, which is not applied: %s",
            group.uuid,
            shown,
        )
    if wanted.run_manifest is not None:
        _hold_against(wanted.run_manifest, group)
    logger.info("Using predictions group %r: %s", name, group.uuid)
    return group.uuid


def _hold_against(manifest: Mapping[str, Any], group: PredictionsGroup) -> None:
    """Say in which fields a manifest is another than that in the description of a group."""
    names = differing(manifest, group.description)
    if names is None:
        logger.info("Predictions group %s shows no run manifest in its description.", group.uuid)
    elif names:
        logger.warning(
            "Predictions group %s was made with another run manifest, which it keeps. What differs: %s. Predictions"
            " of two runs in one group cannot be told apart in Kognic.",
            group.uuid,
            ", ".join(map(printable, names)),
        )
