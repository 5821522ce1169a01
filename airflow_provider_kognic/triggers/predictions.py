"""Triggers that wait for predictions groups and for annotated scenes, or watch a dataset for them.

They only ever read from the dataset API: a trigger may run twice, after a restart of the triggerer, and no harm
comes of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import math
import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent

from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.groups.waiting import (
    LEAST_LOOK,
    DatasetScenesQuestion,
    Look,
    PredictionsGroupQuestion,
    in_vain,
)
from airflow_provider_kognic.core.groups.watching import Appears, look
from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.models import is_uuid
from airflow_provider_kognic.core.retries import may_repeat
from airflow_provider_kognic.core.texts import brief
from airflow_provider_kognic.core.values import check_choice, check_seconds
from airflow_provider_kognic.hooks.kognic import KognicHook
from airflow_provider_kognic.triggers.looks import hook_for, in_thread, pause
from airflow_provider_kognic.triggers.memory import Memory
from airflow_provider_kognic.triggers.progress import TriggerProgress
from airflow_provider_kognic.triggers.saying import Said, Trouble

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from airflow_provider_kognic.core.api.client import KognicClient
    from airflow_provider_kognic.core.groups.watching import Exact, News, Seen

logger = logging.getLogger(__name__)


class _KognicTrigger(BaseTrigger):
    """Asks a question every `poke_interval` seconds until it has an answer.

    The event is `{"answer": ...}`, or `{"error": message}` for an error that asking again will not mend, or
    `{"timed_out": sentence}` with what the last look showed, when `until` has come. Transient errors are logged and
    asked over.
    """

    def __init__(self, *, poke_interval: float, kognic_conn_id: str, until: float | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow gives no types here
        self.poke_interval = poke_interval
        self.kognic_conn_id = kognic_conn_id
        self.until = until
        self._gone = False
        self._look_over = math.inf  # in seconds since the epoch

    @abstractmethod
    def ask(self, client: KognicClient) -> tuple[Any, str]:
        """Return the answer, or None, and a sentence for the log; runs in a thread."""

    def _ask(self, client: KognicClient) -> Look:
        """Return the same, and how many are there of how many, where that is known."""
        return Look(*self.ask(client), None, None)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event."""
        try:
            async for event in self._look_again_and_again():
                yield event
        finally:
            self._gone = (
                True  # a look that is under way ends, too: its thread would outlive a cancelled trigger
            )

    async def _look_again_and_again(self) -> AsyncIterator[TriggerEvent]:
        seen = ""
        said, trouble = Said(self.until), Trouble()
        hook = None
        progress = TriggerProgress(self.task_instance)
        while True:
            if self.until is not None:
                self._look_over = max(self.until, time.time() + LEAST_LOOK)
            asked_for = None
            try:
                hook = await hook_for(hook, self.kognic_conn_id, self._is_to_stop, in_vain=trouble.times)
                look = await in_thread(self._look, hook)
            except KognicError as error:
                if not may_repeat(error, idempotent=True):
                    yield TriggerEvent({"error": str(error)})
                    return
                seen, now = in_vain(error)
                asked_for = error.retry_after
                said.asked()
                self._say(trouble.line(now), logging.WARNING)
            else:
                seen = look.sentence
                said.asked()
                self._say(trouble.over())
                self._say(said.line(seen))
                await progress.look(look.done, look.total, last=look.answer is not None)
                if look.answer is not None:
                    yield TriggerEvent({"answer": look.answer})
                    return
            left = None if self.until is None else self.until - time.time()
            if left is not None and left <= 0:
                yield TriggerEvent({"timed_out": seen})
                return
            wait = pause(self.poke_interval, trouble.times, asked_for)
            await asyncio.sleep(wait if left is None else min(wait, left))

    def _say(self, line: str | None, level: int = logging.INFO) -> None:
        if line is not None:
            self.log.log(level, "%s", line)

    def _when(self) -> dict[str, Any]:
        """Return the arguments that all triggers have."""
        given: dict[str, Any] = {"poke_interval": self.poke_interval, "kognic_conn_id": self.kognic_conn_id}
        return given if self.until is None else {**given, "until": self.until}

    def _is_to_stop(self) -> bool:
        return self._gone or time.time() >= self._look_over

    def _look(self, hook: KognicHook) -> Look:
        with hook.client as client:
            return self._ask(client)


class PredictionsGroupTrigger(_KognicTrigger):
    """Fires when a predictions group exists; the answer is its uuid.

    Args:
        dataset: The dataset's uuid or exact name.
        name: The group's name, or None.
        predictions_group_uuid: The group's uuid, or None.
        poke_interval: Seconds between two looks.
        kognic_conn_id: The connection.
        until: When to give up, in seconds since the epoch; None for never.
    """

    def __init__(
        self,
        *,
        dataset: str,
        name: str | None = None,
        predictions_group_uuid: str | None = None,
        poke_interval: float = 60.0,
        kognic_conn_id: str = KognicHook.default_conn_name,
        until: float | None = None,
    ) -> None:
        super().__init__(poke_interval=poke_interval, kognic_conn_id=kognic_conn_id, until=until)
        self.question = PredictionsGroupQuestion(dataset, name, predictions_group_uuid)

    def ask(self, client: KognicClient) -> tuple[str | None, str]:
        """Return the group's uuid or None, and a sentence for the log."""
        return self.question.ask(client)

    def _ask(self, client: KognicClient) -> Look:
        return self.question.look(client)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer makes this trigger from."""
        return (
            "airflow_provider_kognic.triggers.predictions.PredictionsGroupTrigger",
            {
                "dataset": self.question.dataset,
                "name": self.question.name,
                "predictions_group_uuid": self.question.predictions_group_uuid,
                **self._when(),
            },
        )


class DatasetScenesTrigger(_KognicTrigger):
    """Fires when a dataset has annotations for scenes; the answer is their number.

    Args:
        dataset: The dataset's uuid or exact name.
        scene_uuids: The scenes waited for; empty for any.
        min_count: How many suffice; None for all that are named, or one.
        poke_interval: Seconds between two looks.
        kognic_conn_id: The connection.
        until: When to give up, in seconds since the epoch; None for never.
    """

    def __init__(
        self,
        *,
        dataset: str,
        scene_uuids: Sequence[str] = (),
        min_count: int | None = None,
        poke_interval: float = 60.0,
        kognic_conn_id: str = KognicHook.default_conn_name,
        until: float | None = None,
    ) -> None:
        super().__init__(poke_interval=poke_interval, kognic_conn_id=kognic_conn_id, until=until)
        self.question = DatasetScenesQuestion(dataset, scene_uuids, min_count)

    def ask(self, client: KognicClient) -> tuple[int | None, str]:
        """Return the number of scenes or None, and a sentence for the log."""
        return self.question.ask(client)

    def _ask(self, client: KognicClient) -> Look:
        return self.question.look(client)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer makes this trigger from."""
        return (
            "airflow_provider_kognic.triggers.predictions.DatasetScenesTrigger",
            {
                "dataset": self.question.dataset,
                "scene_uuids": list(self.question.scene_uuids),
                "min_count": self.question.min_count,
                **self._when(),
            },
        )


class DatasetEventTrigger(BaseEventTrigger):
    """Watches a dataset for an `AssetWatcher`: an event for what people and other systems do in Kognic.

    The first look fires nothing: what is there already is known. What appears from then on is told of at least
    once; an event of the same things that comes twice, as may be after a crash or with two triggerers for a moment,
    has the same `id` in its payload. From Airflow 3.3 on it remembers across restarts what it has seen; before, a
    restart begins with a first look, and what appeared meanwhile is not told of. It goes on whatever happens: what
    is wrong stands in the triggerer's log, once and then now and then.

    Args:
        dataset: The dataset's uuid or exact name. It is no template: a watcher has no run.
        event: `predictions_group_created`: a predictions group, whoever made it; an event for each. Or
            `scenes_annotated`: scenes that have annotations and had none; an event for all that a look finds.
        kognic_conn_id: The connection.
        poke_interval: Seconds between two looks, from 1 on. Each lists the groups, or all annotations, of the
            dataset.

    Raises:
        KognicInputError: An argument is wrong; where the Dag file is parsed.
    """

    def __init__(
        self,
        *,
        dataset: str,
        event: str,
        kognic_conn_id: str = KognicHook.default_conn_name,
        poke_interval: float = 300.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow gives no types here
        for name, value in (("dataset", dataset), ("kognic_conn_id", kognic_conn_id)):
            if not isinstance(value, str) or not value.strip() or "{{" in value:
                raise KognicInputError(
                    f"{name!r} of a watcher must be text that is no template, as it has no run; not {brief(value)}."
                )
        self.dataset = dataset
        self.event = check_choice(event, "event", Appears).value
        self.kognic_conn_id = kognic_conn_id
        self.poke_interval = check_seconds(poke_interval, "poke_interval")
        if self.poke_interval < _LEAST_INTERVAL:
            raise KognicInputError(
                f"poke_interval must be at least {_LEAST_INTERVAL:g} s, not {brief(poke_interval)}: each look lists"
                " all groups, or all annotations."
            )
        self._hook: KognicHook | None = None
        self._gone = False
        self._said = ""
        self._exact: Exact | None = None
        self._going = False
        self._looking = Trouble()
        self._keeping = Trouble("What has been seen is written again")
        self._asked_for: float | None = None  # seconds until the next look, by the server

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer makes this trigger from; equal watchers of several assets are one trigger."""
        return (
            "airflow_provider_kognic.triggers.predictions.DatasetEventTrigger",
            {
                "dataset": self.dataset,
                "event": self.event,
                "kognic_conn_id": self.kognic_conn_id,
                "poke_interval": self.poke_interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each thing that appears, until the watcher is gone."""
        try:
            async for event in self._watch():
                yield event
        finally:
            self._gone = True  # a look that is under way ends, too

    async def _watch(self) -> AsyncIterator[TriggerEvent]:
        memory = Memory(self, self._key)
        if not memory.lasts:
            logger.info(
                "This Airflow keeps nothing for watchers: after a restart what is there then is known."
            )
        while True:
            found = await self._find(memory)
            if found is not None:
                for payload in found.told:
                    yield TriggerEvent(payload)
                await self._remember(memory, found)
            await asyncio.sleep(pause(self.poke_interval, self._looking.times, self._asked_for))

    async def _find(self, memory: Memory) -> News | None:
        """Look once; None where that is not possible now."""
        self._asked_for = None
        try:
            earlier = await memory.load()  # first, as a look that cannot be remembered is of no use
            self._hook = await hook_for(
                self._hook, self.kognic_conn_id, lambda: self._gone, in_vain=self._looking.times
            )
            seen = await in_thread(self._look, self._hook)
            found = await in_thread(seen.against, earlier, self._exact)
            if found.told or found.first:  # another triggerer may have told it while this one listed
                found = await in_thread(seen.against, await memory.load(), self._exact)
        except KognicError as error:
            self._asked_for = error.retry_after
            passes = may_repeat(error, idempotent=True)
            if not passes:
                self._hook = None  # its connection may be mended meanwhile
            self._trouble(in_vain(error)[1], logging.WARNING if passes else logging.ERROR)
            return None
        except Exception as error:  # noqa: BLE001 - a watcher that ends would be blind, and nobody told
            self._trouble(f"It cannot be looked what has appeared now: {type(error).__name__}: {error}")
            return None
        self._say(found)
        return found

    async def _remember(self, memory: Memory, found: News) -> None:
        only_gone = found.changed and not found.told and not found.first
        self._going = only_gone and not self._going
        if not self._going:  # gone for two looks, as one may just have been shown too little
            self._exact = found.exact
            if found.changed:
                memory.keep(found.memory)
        if found.told and memory.owed:
            await memory.settle(_STORED_AFTER)
        try:
            await memory.write()
        except Exception as error:  # noqa: BLE001 - as above
            text = (
                "What has been seen cannot be written to Airflow's asset state store, trying again; a triggerer"
                f" that starts before would tell of it again: {type(error).__name__}: {error}"
            )
            _log(self._keeping.line(masked(text)), logging.WARNING)
        else:
            _log(self._keeping.over())

    def _look(self, hook: KognicHook) -> Seen:
        with hook.client as client:
            return look(client, self.dataset, Appears(self.event))

    def _say(self, found: News) -> None:
        _log(self._looking.over())
        if found.sentence != self._said:
            logger.log(logging.WARNING if found.lost else logging.INFO, "Watching: %s", found.sentence)
            self._said = found.sentence

    def _trouble(self, text: str, level: int = logging.WARNING) -> None:
        """Say what is wrong: once as long as it stays the same, and then now and then."""
        _log(self._looking.line(masked(text)), level)

    @property
    def _key(self) -> str:
        """The key of the memory: an asset may have several watchers."""
        dataset = self.dataset.strip()
        named = dataset.lower() if is_uuid(dataset) else dataset
        about = json.dumps([self.event, named, self.kognic_conn_id]).encode()
        return f"kognic.watch.{hashlib.sha256(about).hexdigest()[:24]}"


# Seconds between two looks.
_LEAST_INTERVAL = 1.0
# Seconds after which events that were yielded are in Airflow's database: the triggerer hands them over each second.
_STORED_AFTER = 5.0


def _log(line: str | None, level: int = logging.INFO) -> None:
    if line is not None:
        logger.log(level, "%s", line)
