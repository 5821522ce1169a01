"""Receipts: one row for every prediction of a source, and beside them the rows of those that failed.

They gather in a temporary file of this machine, so that memory does not grow with the upload, and are written at
its end: `r.jsonl` with all, `r.failed.jsonl` with what is neither created nor skipped. The latter is a manifest:
each row says by its `source` where its document is.
"""

from __future__ import annotations

import json
import os
import tempfile
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_kognic.core import files as stores
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Outcome

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_kognic.core.files import StoredPath
    from airflow_provider_kognic.core.models import Result

_SUFFIX = ".jsonl"
_FINE = {Outcome.CREATED, Outcome.SKIPPED}


class Receipts:
    """Gathers the results of an upload and writes them at its end; a context manager.

    Args:
        path: Where to, `....jsonl`; `pathlib.Path` or `ObjectStoragePath`. The rows of what failed go beside it, to
            `....failed.jsonl`.
        host: The dataset API, as `Settings.host` names it.
        predictions_group_uuid: The group.

    Raises:
        KognicInputError: The path does not end in `.jsonl`.
    """

    def __init__(self, path: StoredPath, *, host: str, predictions_group_uuid: str) -> None:
        name = path.name
        if not name.endswith(_SUFFIX) or name == _SUFFIX:
            raise KognicInputError(
                f"'receipts' must be the path of a file that ends in {_SUFFIX}, not {path}."
            )
        self.path: Any = path
        self.failed_path: Any = self.path.parent / f"{name.removesuffix(_SUFFIX)}.failed{_SUFFIX}"
        self._of = {"predictions_group_uuid": predictions_group_uuid, "host": host}
        self._all: IO[bytes] = tempfile.TemporaryFile(prefix="kognic-receipts-")  # noqa: SIM115 - see __exit__
        self._failed: IO[bytes] = tempfile.TemporaryFile(prefix="kognic-receipts-")  # noqa: SIM115 - see __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._all.close()
        self._failed.close()

    def check(self) -> None:
        """Try out, before anything is sent, whether receipts can be written; nothing of that stays.

        Raises:
            KognicInputError: They cannot.
        """
        try:
            stores.check_writable(self.path, self.failed_path)
        except Exception as error:  # stores raise errors of many libraries
            raise KognicInputError(
                f"'receipts' cannot be written to {self.path}: {type(error).__name__}: {error}. Is the folder there"
                " to be written for this worker? Nothing was sent."
            ) from error

    def add(self, result: Result) -> None:
        """Keep one result."""
        row = {
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
        # ASCII: a path may hold what is no Unicode.
        line = json.dumps(row).encode("ascii") + b"\n"
        self._all.write(line)
        if result.outcome not in _FINE:
            self._failed.write(line)

    def write(self) -> None:
        """Write both files; one without rows, too, as it may replace one of an earlier attempt.

        Raises:
            KognicInputError: They cannot be written.
        """
        for rows, path in ((self._all, self.path), (self._failed, self.failed_path)):
            rows.seek(0)
            try:
                stores.replace(path, rows)
            except Exception as error:  # stores raise errors of many libraries
                raise KognicInputError(
                    f"the receipts cannot be written to {path}: {type(error).__name__}: {error}"
                ) from error
            finally:
                rows.seek(0, os.SEEK_END)
