"""Receipts: a row about each prediction of a source, what an upload did about it; and the rows of what failed.

`r.jsonl` has all, `r.failed.jsonl` beside it what is neither created nor skipped. The latter is a manifest: each
row says by its `source` where its document is. Where there is a run manifest, it is the first line of both.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.identity.run_manifest import common, head, head_of, is_head
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.reporting.events import Settled
from airflow_provider_kognic.core.reporting.rows_file import RowsFile, beside, check_place
from airflow_provider_kognic.core.sources.pinned import Pinned
from airflow_provider_kognic.core.stores.asking import Asking
from airflow_provider_kognic.core.stores.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_kognic.core.files import StoredPath
    from airflow_provider_kognic.core.models import Result
    from airflow_provider_kognic.core.reporting.events import Event

_FINE = {Outcome.CREATED, Outcome.SKIPPED}
_FINE_TEXTS = {outcome.value for outcome in _FINE}


class Receipts:
    """Gathers what an upload settles and writes it at its end; an observer, and a context manager.

    Args:
        path: Where to, `....jsonl`; `pathlib.Path` or `ObjectStoragePath`. The rows of what failed go beside it, to
            `....failed.jsonl`.
        host: The dataset API, as `Settings.host` names it.
        predictions_group_uuid: The group.
        asking: How an object store is asked; once, for as long as it takes, if None.

    Attributes:
        path: Where all rows go.
        failed_path: Where the rows of what failed go.

    Raises:
        KognicInputError: The path does not end in `.jsonl`, or nothing can be written there.
        KognicStoreError: The store did not answer, or its credentials have expired.
    """

    def __init__(
        self, path: StoredPath, *, host: str, predictions_group_uuid: str, asking: Asking | None = None
    ) -> None:
        self.path = path
        self.failed_path = beside(path, "failed.jsonl", argument="receipts")
        check_place(path, self.failed_path, argument="receipts", note=" Nothing was sent.", asking=asking)
        self._of = {"predictions_group_uuid": predictions_group_uuid, "host": host}
        self._all = RowsFile(path, "receipts", asking)
        self._failed = RowsFile(self.failed_path, "receipts", asking)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._all.close()
        self._failed.close()

    def notice(self, event: Event) -> None:
        """Keep what was settled."""
        if isinstance(event, Settled):
            row = self._row(event.result)
            self._all.add(row)
            if event.result.outcome not in _FINE:
                self._failed.add(row)

    def write(self, manifest: Mapping[str, Any] | None = None) -> int:
        """Write both files; one without rows, too, as it may replace one of an earlier attempt.

        Args:
            manifest: The run manifest that stands in their head; None for no head.

        Returns:
            How many predictions have a row.

        Raises:
            KognicInputError: They cannot be written.
            KognicStoreError: The store did not answer, or its credentials have expired.
        """
        count = self._all.write(head(manifest))
        self._failed.write(head(manifest))
        return count

    def _row(self, result: Result) -> dict[str, Any]:
        return {
            "scene_uuid": result.scene_uuid,
            "source": result.source,
            "digest": None if result.digest is None else f"sha256:{result.digest}",
            "outcome": result.outcome.value,
            "prediction_uuid": result.prediction_uuid,
            "status": result.status,
            "message": result.message,
            "attempts": result.attempts,
            **self._of,
            "reason": result.reason,
        }


def join(parts: Sequence[StoredPath], path: StoredPath, *, outage_timeout: float = 0.0) -> int:
    """Write the receipts of several uploads into one file, and beside it the rows of what failed in any.

    What their run manifests agree on, where all have one, is the run manifest of all.

    Args:
        parts: The files of receipts, in the order in which their rows are to stand.
        path: Where to, `....jsonl`.
        outage_timeout: Seconds for which a store that does not answer is asked again.

    Returns:
        How many rows it has.

    Raises:
        KognicInputError: A part is not there or no receipts, or nothing can be written.
        KognicStoreError: A store did not answer, or its credentials have expired.
    """
    asking, patience = Asking(outage_timeout), Patience(outage_timeout)
    whole = RowsFile(path, "receipts", asking)
    failed = RowsFile(beside(path, "failed.jsonl", argument="receipts"), "receipts", asking)
    manifests: list[dict[str, Any]] = []
    try:
        for part in parts:
            for row in _rows_of(part, patience, manifests.append):
                whole.add(row)
                if row["outcome"] not in _FINE_TEXTS:
                    failed.add(row)
        line = head(common(manifests)) if len(manifests) == len(parts) > 0 else b""
        count = whole.write(line)
        failed.write(line)
    finally:
        whole.close()
        failed.close()
    return count


def _rows_of(
    part: StoredPath, patience: Patience, with_manifest: Callable[[dict[str, Any]], None]
) -> Iterator[dict[str, Any]]:
    readable: Any = part
    with Pinned(readable, patience).opened() as file:
        for number, line in enumerate(file, start=1):
            try:
                if number == 1 and is_head(line):
                    with_manifest(head_of(line))
                    continue
                row = json.loads(line)
                _ = row["outcome"]
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise KognicInputError(f"line {number} of {part} is no receipt: {line[:80]!r}") from error
            yield row
