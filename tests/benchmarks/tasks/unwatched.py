"""An upload that nobody can watch, to tell what being watched costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from airflow_provider_kognic.task.live import live
from tests.benchmarks.tasks.measuring import begin

if TYPE_CHECKING:
    from collections.abc import Mapping


class Unwatched:
    """Stands where `Live` does, as its own account, and does nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        self.account = self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def begin(self, total: int | None, *, dry_run: bool) -> None:
        """Take no note of it."""

    def notice(self, event: object) -> None:
        """Take no note of it."""

    def end(self, ended: object) -> None:
        """Take no note of it."""


def begin_unwatched(context: Mapping[str, Any]) -> None:
    """As `begin`, with nobody watching; the process is the task's own, so no other task is meant."""
    live.Live = Unwatched  # type: ignore[assignment,misc]
    begin(context)
