"""The report of a dry run: a row about each entry of a source, what would be done about it; a page for people.

`r.jsonl` has the rows, `r.md` beside it the counts and the first of what would not be sent.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core import files as stores
from airflow_provider_kognic.core.reporting.events import Planned
from airflow_provider_kognic.core.reporting.plan import Decision
from airflow_provider_kognic.core.reporting.rows_file import (
    RowsFile,
    beside,
    check_place,
    put,
    refused_writes,
)
from airflow_provider_kognic.core.texts import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_kognic.core.files import StoredPath
    from airflow_provider_kognic.core.reporting.events import Event
    from airflow_provider_kognic.core.reporting.plan import Plan
    from airflow_provider_kognic.core.reporting.plan import Planned as PlannedEntry
    from airflow_provider_kognic.core.stores.asking import Asking

_NOT_SENT = {Decision.REFUSED, Decision.IN_DOUBT}
# Entries that the page names; the rows have all of them.
_NAMED = 200
_LONGEST = 500


class PlanReport:
    """Gathers a plan and writes it; an observer, and a context manager.

    Args:
        path: Where the rows go, `....jsonl`; `pathlib.Path` or `ObjectStoragePath`. The page goes beside it, to
            `....md`.
        host: The dataset API, as `Settings.host` names it.
        predictions_group_uuid: The group.
        asking: How an object store is asked; once, for as long as it takes, if None.

    Raises:
        KognicInputError: The path does not end in `.jsonl`, or nothing can be written there.
        KognicStoreError: The store did not answer, or its credentials have expired.
    """

    def __init__(
        self, path: StoredPath, *, host: str, predictions_group_uuid: str, asking: Asking | None = None
    ) -> None:
        self._page_path = beside(path, "md", argument="report")
        self._asking = asking
        check_place(path, self._page_path, argument="report", asking=asking)
        self._of = {"predictions_group_uuid": predictions_group_uuid, "host": host}
        self._named: list[PlannedEntry] = []
        self._rows = RowsFile(path, "report", asking)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._rows.close()

    def notice(self, event: Event) -> None:
        """Keep what was found out about an entry."""
        if isinstance(event, Planned):
            self._rows.add(self._row(event.entry))
            if event.entry.decision in _NOT_SENT and len(self._named) < _NAMED:
                self._named.append(event.entry)

    def write(self, plan: Plan, more: Iterable[str] = ()) -> int:
        """Write both files.

        Args:
            plan: What was found out.
            more: Lines that the page has at its end.

        Returns:
            How many entries have a row.

        Raises:
            KognicInputError: They cannot be written.
            KognicStoreError: The store did not answer, or its credentials have expired.
        """
        count = self._rows.write()
        page = "".join(f"{line}\n" for line in (*self._page(plan), *more)).encode("utf-8", "backslashreplace")

        def replace() -> None:
            stores.replace(self._page_path, io.BytesIO(page))

        with refused_writes("report", self._rows.path):
            put(self._page_path, replace, self._asking, size=len(page))
        return count

    def _row(self, entry: PlannedEntry) -> dict[str, Any]:
        return {
            "scene_uuid": entry.scene_uuid,
            "source": entry.source,
            "digest": None if entry.digest is None else f"sha256:{entry.digest}",
            "decision": entry.decision.value,
            "prediction_uuid": entry.prediction_uuid,
            "reason": entry.reason,
            "message": entry.message,
            **self._of,
        }

    def _page(self, plan: Plan) -> Iterator[str]:
        yield "# What the upload would do"
        yield ""
        yield f"Predictions group `{plan.predictions_group_uuid}` of `{self._of['host']}`. Nothing was sent."
        yield plan.about_the_journal()
        yield ""
        yield "| predictions | number |"
        yield "| --- | ---: |"
        for what, number in plan.rows():
            name = f"of it `{what.strip()}`" if what.startswith(" ") else what
            yield f"| {name} | {number:,} |"
        named = tuple(self._named)
        if not named:
            return
        yield ""
        yield "## What would not be sent"
        yield ""
        yield "| scene | source | why | |"
        yield "| --- | --- | --- | --- |"
        for one in named:
            why = one.reason or one.decision.value
            cells = (one.scene_uuid or "unknown", one.source, why, one.message or "")
            yield f"| {' | '.join(map(_cell, cells))} |"
        counts = plan.counts
        left = counts.get(Decision.REFUSED, 0) + counts.get(Decision.IN_DOUBT, 0) - len(named)
        if left > 0:
            yield ""
            yield f"And {left:,} more: `{self._rows.path.name}` has all of them."


def _cell(text: str) -> str:
    """Return text as a cell of a Markdown table can hold it: one line, and nothing in it is markup."""
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    line = printable(" ".join(short.split()))
    return "".join(f"\\{one}" if one in "\\|`*_<>[]" else one for one in line)
