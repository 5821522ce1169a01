"""Documents in memory, as rows of a scene and its document: such as the results of mapped tasks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.base import Format, Named, as_scenes, refusal
from airflow_provider_kognic.core.sources.bounded import check_size
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_kognic.core.models import Prediction, Result
    from airflow_provider_kognic.core.sources.base import Find, Given, Resolve, Source

_IN_MEMORY = re.compile(r"predictions\[\d+\]")


@dataclass(frozen=True)
class RowsSource:
    """Rows in memory, `{"sceneUuid": ..., "openlabelContent": {"openlabel": ...}}`: for a few small ones.

    Args:
        rows: The rows.
        max_bytes: Larger documents are refused.
    """

    rows: Sequence[Any]
    max_bytes: int = MOST_DOCUMENT_BYTES

    @property
    def total(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @property
    def nothing(self) -> str:
        """What is there where there is no row, as a sentence."""
        return "'predictions' is a list without rows."

    def __iter__(self) -> Iterator[Prediction | Result]:
        return as_scenes(self.named())

    def named(self) -> Iterator[Named | Result]:
        """Yield each row by its `sceneUuid`."""
        for number, row in enumerate(self.rows):
            where = f"predictions[{number}]"
            if not isinstance(row, Mapping) or "sceneUuid" not in row or "openlabelContent" not in row:
                why = Refused(Reason.BAD_ROW, "not a row with 'sceneUuid' and 'openlabelContent'.")
                yield refusal("", where, why)
                continue
            content = row["openlabelContent"]
            yield Named(row["sceneUuid"], where, partial(_encode, content, self.max_bytes), "'sceneUuid'")


def _recognises(given: Given) -> bool:
    return given.rows is not None


def _open(given: Given) -> Source:
    rows = given.rows or ()
    if rows and isinstance(rows[0], str):
        raise KognicInputError(
            "'predictions' is a list of text; expected rows {'sceneUuid', 'openlabelContent'}. For a list of"
            " files, write a manifest, or map the task over folders or globs."
        )
    return RowsSource(rows, given.max_bytes)


def _finder(_resolve: Resolve, _max_bytes: int) -> Find:
    """Recognise rows by their numbers; they were in the memory of a task that has ended."""

    def find(source: str, _scene: object) -> None:
        if _IN_MEMORY.fullmatch(source):
            raise Refused(
                Reason.UNREADABLE,
                f"{source} was a row in memory, of which only the receipt is left. Run the task that made the rows"
                " again, or hand them over as a .jsonl file, whose rows can be found again.",
            )

    return find


ROWS = Format(_recognises, _open, _finder)


def _encode(content: object, most: int) -> bytes:
    try:
        # Not msgspec, which makes null of NaN.
        document = json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Refused(Reason.NOT_JSON, f"cannot be written as JSON: {error}") from None
    check_size(len(document), most)
    return document
