"""What the parts of a run share: the server, an Airflow that starts when it is wanted, documents, and figures."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from .documents import make_folder

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from .processes import Server
    from .sizes import Sizes
    from .tasks.running import Tasks


class Finished(NamedTuple):
    """An upload that has come to its end, with a journal in a folder."""

    group: str
    journal: Path


class Bench:
    """One run of the benchmarks.

    Args:
        server: The server.
        work: A folder for all that is made; it goes away at the end.
        sizes: How much work.
        runs: Number of rounds.
        quick: Whether this only finds out that everything runs.
        raw: Gets the figures of every round.
        stack: Ends at the end of the run what parts have started.
    """

    def __init__(
        self,
        server: Server,
        work: Path,
        sizes: Sizes,
        runs: int,
        *,
        quick: bool,
        raw: dict[str, Any],
        stack: ExitStack,
    ) -> None:
        self.server = server
        self.work = work
        self.sizes = sizes
        self.runs = runs
        self.quick = quick
        self.raw = raw
        self.stack = stack
        # That of as many predictions as memory is measured with, if it has been measured.
        self.finished: Finished | None = None
        self._folders: dict[tuple[int, int], Path] = {}

    @property
    def fewer_runs(self) -> int:
        """Rounds of what takes minutes and moves little."""
        return max(1, self.runs // 2)

    @cached_property
    def tasks(self) -> Tasks:
        """An Airflow that runs uploads as tasks."""
        from .tasks.running import running_tasks  # brings an Airflow

        return self.stack.enter_context(running_tasks(self.server, self.work))

    def folder(self, count: int, size: int) -> Path:
        """Return a folder of so many documents of so many bytes; the same one each time."""
        key = (count, size)
        if key not in self._folders:
            self._folders[key] = make_folder(self.work / f"{count}-of-{size}", count, size)
        return self._folders[key]
