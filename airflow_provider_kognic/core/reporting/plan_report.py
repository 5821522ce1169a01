"""A plan in writing: a row of JSON for every entry of the source, and a page of Markdown for people.

Rows gather in a temporary file of this machine, so that memory does not grow with the source.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_kognic.core import files as stores
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.reporting.plan import Decision

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_kognic.core.files import StoredPath
    from airflow_provider_kognic.core.reporting.plan import Plan, Planned

_SUFFIX = ".jsonl"
# Entries that the page names; the rows have all of them.
_NAMED = 200
_LONGEST = 500


class PlanReport:
    """Gathers a plan and writes it; a context manager.

    Args:
        path: Where the rows go, `....jsonl`; `pathlib.Path` or `ObjectStoragePath`. The page goes beside it, to
            `....md`.
        host: The dataset API, as `Settings.host` names it.
        predictions_group_uuid: The group.

    Raises:
        KognicInputError: The path does not end in `.jsonl`, or nothing can be written there.
    """

    def __init__(self, path: StoredPath, *, host: str, predictions_group_uuid: str) -> None:
        name = path.name
        if not name.endswith(_SUFFIX) or name == _SUFFIX:
            raise KognicInputError(f"'report' must be the path of a file that ends in {_SUFFIX}, not {path}.")
        self.path: Any = path
        self.page_path: Any = self.path.parent / f"{name.removesuffix(_SUFFIX)}.md"
        self._of = {"predictions_group_uuid": predictions_group_uuid, "host": host}
        self._named: list[Planned] = []
        try:
            stores.check_writable(self.path, self.page_path)
        except Exception as error:  # stores raise errors of many libraries
            raise KognicInputError(
                f"'report' cannot be written to {path}: {type(error).__name__}: {error}. Is the folder there to be"
                " written for this worker?"
            ) from error
        self._rows: IO[bytes] = tempfile.TemporaryFile(prefix="kognic-plan-")  # noqa: SIM115 - see __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._rows.close()

    def add(self, planned: Planned) -> None:
        """Keep one entry."""
        row = {
            "scene_uuid": planned.scene_uuid,
            "source": planned.source,
            "digest": None if planned.digest is None else f"sha256:{planned.digest}",
            "decision": planned.decision.value,
            "prediction_uuid": planned.prediction_uuid,
            "reason": planned.reason,
            "message": planned.message,
            **self._of,
        }
        # ASCII: a path may hold what is no Unicode.
        self._rows.write(json.dumps(row).encode("ascii") + b"\n")
        if planned.decision in {Decision.REFUSED, Decision.IN_DOUBT} and len(self._named) < _NAMED:
            self._named.append(planned)

    def write(self, plan: Plan) -> None:
        """Write both files.

        Raises:
            KognicInputError: They cannot be written.
        """
        page = "".join(f"{line}\n" for line in self._page(plan))
        self._rows.seek(0)
        try:
            stores.replace(self.path, self._rows)
            stores.replace(self.page_path, io.BytesIO(page.encode("utf-8", "backslashreplace")))
        except Exception as error:  # stores raise errors of many libraries
            raise KognicInputError(
                f"the report cannot be written to {self.path}: {type(error).__name__}: {error}"
            ) from error
        finally:
            self._rows.seek(0, os.SEEK_END)

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
        if not self._named:
            return
        yield ""
        yield "## What would not be sent"
        yield ""
        yield "| scene | source | why | |"
        yield "| --- | --- | --- | --- |"
        for one in self._named:
            why = one.reason or one.decision.value
            cells = (one.scene_uuid or "unknown", one.source, why, one.message or "")
            yield f"| {' | '.join(map(_cell, cells))} |"
        counts = plan.counts
        left = counts.get(Decision.REFUSED, 0) + counts.get(Decision.IN_DOUBT, 0) - len(self._named)
        if left > 0:
            yield ""
            yield f"And {left:,} more: `{self.path.name}` has all of them."


def _cell(text: str) -> str:
    """Return text as a cell of a Markdown table can hold it: one line, and nothing in it is markup."""
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    line = " ".join(short.split())
    return "".join(f"\\{one}" if one in "\\|`*_<>[]" else one for one in line)
