"""The intent to create one predictions group, kept from one attempt of a task to the next.

    (nothing) ── begin ──> intended ── succeed ──> created
                               └────── withdraw ─> withdrawn

An attempt that finds `intended` has to look for the group; `withdrawn` means that no POST was executed.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_kognic.core.errors import KognicJournalError, KognicJournalFormatError
from airflow_provider_kognic.core.hosts import is_same_host

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_STATES = ("intended", "created", "withdrawn")


class GroupMemory(Protocol):
    """Remembers one intent to create a group, from one attempt of a task to the next; its methods block."""

    def load(self) -> Any:
        """Return what was saved last, or None; raises KognicJournalError where that cannot be told."""

    def save(self, intent: Mapping[str, Any]) -> None:
        """Keep an object of JSON in place of the last one; durable on return. Raises KognicJournalError."""


class Forgets:
    """The memory of whoever has none."""

    def load(self) -> Any:
        """Return None."""

    def save(self, intent: Mapping[str, Any]) -> None:
        """Keep nothing."""


class Intent:
    """The intent to create one group, as the memory has it.

    Attributes:
        dataset_uuid: The dataset.
        name: The name of the group.
        created: The uuid of the group that came of it, or None.
        open: Whether an earlier attempt may have sent a POST whose outcome is unknown.
        before: The groups of the name that were there before the first POST.
    """

    def __init__(self, memory: GroupMemory, host: str, dataset_uuid: str, name: str) -> None:
        self._memory = memory
        self._about = {"host": host, "dataset_uuid": dataset_uuid, "name": name}
        self.dataset_uuid, self.name = dataset_uuid, name
        self.created: str | None = None
        self.open = False
        self.before: frozenset[str] = frozenset()
        found = memory.load()
        if found is None:
            return
        fields = found if isinstance(found, dict) else {}
        state, before, uuid = (fields.get(key) for key in ("state", "before", "uuid"))
        if (
            state not in _STATES
            or not isinstance(before, list)
            or (state == "created") != isinstance(uuid, str)
        ):
            raise KognicJournalFormatError(
                f"what this task remembers of its predictions group cannot be understood: {str(found)[:200]}. Look"
                " whether the group is there, and start over in a new run; nothing was created now."
            )
        about = {key: fields.get(key) for key in self._about}
        if {**about, "host": host} == self._about and is_same_host(about["host"], host):
            self.created, self.open, self.before = uuid, state == "intended", frozenset(map(str, before))

    def begin(self, before: Iterable[str]) -> None:
        """Note that a POST is about to be sent; durable when it returns."""
        self.before = frozenset(before)
        self._save("intended")

    def succeed(self, uuid: str) -> str:
        """Note what came of it, and return it."""
        self._save("created", uuid)
        return uuid

    def withdraw(self) -> None:
        """Note that it was certainly not executed; if that cannot be noted, the next attempt has to look."""
        with contextlib.suppress(KognicJournalError):
            self._save("withdrawn")

    def _save(self, state: str, uuid: str | None = None) -> None:
        self._memory.save(
            {
                **self._about,
                "state": state,
                "before": sorted(self.before),
                "uuid": uuid,
                "at": round(time.time(), 3),
            }
        )
