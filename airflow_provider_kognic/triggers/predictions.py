"""Triggers that wait for predictions groups and for annotated scenes.

They only ever read from the dataset API: a trigger may run twice, after a restart of the triggerer, and no harm
comes of it.
"""

from __future__ import annotations

import asyncio
import math
import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_kognic.core.errors import KognicError
from airflow_provider_kognic.core.groups.waiting import (
    LEAST_LOOK,
    DatasetScenesQuestion,
    Look,
    PredictionsGroupQuestion,
    in_vain,
)
from airflow_provider_kognic.core.retries import may_repeat
from airflow_provider_kognic.hooks.kognic import KognicHook
from airflow_provider_kognic.triggers.progress import TriggerProgress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from airflow_provider_kognic.core.api.client import KognicClient


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
        said = seen = ""
        hook = None
        progress = TriggerProgress(self.task_instance)
        while True:
            if self.until is not None:
                self._look_over = max(self.until, time.time() + LEAST_LOOK)
            try:
                if hook is None:  # one for all looks, so that they share a token
                    hook = await KognicHook.from_connection_id(
                        self.kognic_conn_id, stopping=self._is_to_stop, first=False
                    )
                look = await asyncio.to_thread(self._look, hook)
            except KognicError as error:
                if not may_repeat(error, idempotent=True):
                    yield TriggerEvent({"error": str(error)})
                    return
                seen, now = in_vain(error)
                self.log.warning("%s", now)
            else:
                seen = look.sentence
                if seen != said:
                    self.log.info("%s", seen)
                    said = seen
                await progress.look(look.done, look.total)
                if look.answer is not None:
                    yield TriggerEvent({"answer": look.answer})
                    return
            left = None if self.until is None else self.until - time.time()
            if left is not None and left <= 0:
                yield TriggerEvent({"timed_out": seen})
                return
            await asyncio.sleep(self.poke_interval if left is None else min(self.poke_interval, left))

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
