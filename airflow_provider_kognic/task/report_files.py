"""The files in which one try of a task says what became of each prediction, where it was given a path for them.

Receipts are about what an upload did, a dry run's report about what would be done. Both are observers.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.files import is_local
from airflow_provider_kognic.core.masking import presentable
from airflow_provider_kognic.core.preview.beside_report import PlanPreview
from airflow_provider_kognic.core.reporting.plan_report import PlanReport
from airflow_provider_kognic.core.reporting.receipts import Receipts
from airflow_provider_kognic.core.reporting.rows_file import beside
from airflow_provider_kognic.core.texts import many
from airflow_provider_kognic.task.paths import to_path, to_shard

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_kognic.core.reporting.events import Event
    from airflow_provider_kognic.core.reporting.plan import Plan
    from airflow_provider_kognic.core.sources.base import Source
    from airflow_provider_kognic.core.sources.ranges.shard import Shard
    from airflow_provider_kognic.core.stores.asking import Asking

logger = logging.getLogger(__name__)

_File = TypeVar("_File", Receipts, PlanReport)


class _TaskFile(Generic[_File]):
    """Gathers rows, if they are wanted, and keeps the first thing that goes wrong with them; a context manager.

    Args:
        file: What gathers them; None where nobody wants them.
        what: What they are, for messages.
        during: What goes on without them.
    """

    def __init__(self, file: _File | None, what: str, during: str) -> None:
        self._file: _File | None = file
        self._what = what
        self._during = during
        self._problem: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.__exit__(kind, error, trace)

    def notice(self, event: Event) -> None:
        """Take note of what happens."""
        file = self._file
        if file is None or self._problem is not None:
            return
        try:
            file.notice(event)
        except Exception as error:
            logger.exception(
                "The %s cannot be kept; the %s goes on.",
                self._what,
                self._during,
                exc_info=presentable(error),
            )
            self._problem = error

    def _incomplete(self, written: int, expected: int) -> str | None:
        """Say how many rows are missing; None where none is."""
        if written >= expected:
            return None
        return (
            f"{expected - written:,} of {many(expected, 'prediction')} have no row in the {self._what}: writing"
            " them fell too far behind."
        )

    def _said(self, problem: Exception) -> str:
        if isinstance(problem, KognicError):
            return str(problem)
        return f"the {self._what} could not be written: {type(problem).__name__}: {problem}"


class TaskReceipts(_TaskFile[Receipts]):
    """Gathers the results of an upload and writes them when it is over, if they are wanted; a context manager.

    What goes wrong with them never ends an upload, nor hides how it ended.

    Args:
        path: As given to the operator, rendered; None where nobody wants them.
        host: The dataset API, as `Settings.host` names it.
        group: The predictions group's uuid.
        asking: How an object store is asked; once, for as long as it takes, if None.
        shard: Of which shard they are; None of all of a source.

    Raises:
        KognicInputError: Nothing can be written there.
        KognicStoreError: The store did not answer, or its credentials have expired.
    """

    def __init__(
        self, path: Any, host: str, group: str, asking: Asking | None = None, shard: Shard | None = None
    ) -> None:
        file = None
        if path is not None:
            place = _of_shard(to_path(path, "'receipts'"), shard, "receipts")
            file = Receipts(place, host=host, predictions_group_uuid=group, asking=asking)
            self._local = is_local(place)
        super().__init__(file, "receipts", "upload")

    @property
    def path(self) -> str | None:
        """Where all rows are, for people; None where nobody wants them."""
        return None if self._file is None else str(self._file.path)

    @property
    def failed(self) -> str | None:
        """Where the rows of what failed are, for people; None where nobody wants them."""
        return None if self._file is None else str(self._file.failed_path)

    @property
    def for_good(self) -> bool:
        """Whether they could not be written for what no other try will mend: an object store that says no."""
        return isinstance(self._problem, KognicInputError) and not self._local

    def write(self, expected: int, manifest: Mapping[str, Any] | None = None) -> str | None:
        """Write them.

        Args:
            expected: How many predictions have a result, and so should have a row.
            manifest: The run manifest that stands in their head; None for no head.

        Returns:
            What they are lacking, or why they could not be written; None where all is well.
        """
        if self._file is None:
            return None
        if self._problem is None:
            try:
                return self._incomplete(self._file.write(manifest), expected)
            except Exception as error:
                logger.exception("The receipts could not be written.", exc_info=presentable(error))
                self._problem = error
        return self._said(self._problem)


class TaskPlanReport(_TaskFile[PlanReport]):
    """Gathers what a dry run finds and writes it, if that is wanted; a context manager.

    Args:
        path: As given to the operator, rendered; None where nobody wants it.
        host: The dataset API, as `Settings.host` names it.
        group: The predictions group's uuid.
        asking: How an object store is asked; once, for as long as it takes, if None.
        shard: Of which shard it is; None of all of a source.

    Raises:
        KognicInputError: Nothing can be written there.
        KognicStoreError: The store did not answer, or its credentials have expired.
    """

    def __init__(
        self, path: Any, host: str, group: str, asking: Asking | None = None, shard: Shard | None = None
    ) -> None:
        file = None
        self._preview: PlanPreview | None = None
        if path is not None:
            place = _of_shard(to_path(path, "'report'"), shard, "report")
            file = PlanReport(place, host=host, predictions_group_uuid=group, asking=asking)
            self._preview = PlanPreview(place, asking)
        super().__init__(file, "report", "dry run")

    def watched(self, source: Source, given: object) -> Source:
        """Return a source whose documents the preview sees as they are read; the same if nobody wants it.

        Args:
            source: The predictions.
            given: What the operator was given as these.
        """
        if self._preview is None:
            return source
        return self._preview.watched(source, "rows" if isinstance(given, (list, tuple)) else str(given))

    def write(self, plan: Plan, more: Iterable[str] = ()) -> None:
        """Write it, with the preview; what goes wrong with that is logged. See `PlanReport.write`.

        Raises:
            KognicInputError: It cannot be written, or lacks rows.
            KognicStoreError: The store did not answer, or its credentials have expired.
        """
        if self._file is None:
            return
        if self._problem is not None:  # of this machine
            raise KognicInputError(self._said(self._problem)) from self._problem
        if (lacking := self._incomplete(self._file.write(plan, more), plan.total)) is not None:
            raise KognicInputError(lacking)
        if self._preview is not None:
            self._preview.write()


def _of_shard(path: Any, shard: Shard | None, argument: str) -> Any:
    """Return where a shard's own rows go: all shards of a source are given the same path, and none is to lose its.

    Raises:
        KognicInputError: The path does not end in `.jsonl`.
    """
    return path if shard is None else beside(path, _suffix(shard), argument=argument)


def own_rows(path: str, predictions: object) -> str:
    """Return as text where an upload's own rows go: beside the path that all shards were given.

    Args:
        path: That path, for people.
        predictions: What the operator was given as these.
    """
    try:
        shard = to_shard(predictions)
    except KognicInputError:  # the upload itself says so
        return path
    return path if shard is None else f"{path.removesuffix('.jsonl')}.{_suffix(shard)}"


def _suffix(shard: Shard) -> str:
    return f"shard-{shard.index:04d}-of-{shard.of:04d}.jsonl"
