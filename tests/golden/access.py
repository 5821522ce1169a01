"""Where inside the package things are: the one module here that changes when they move.

Everything else goes through the classes that users import. What comes in and out of these functions is plain:
texts, numbers, dicts; and whatever is opaque to the caller (a journal, a source, a result).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from unittest import mock

from airflow_provider_kognic.core.api.dataset_api.records import (
    Annotation,
    Dataset,
    ListedPrediction,
    PredictionsGroup,
)
from airflow_provider_kognic.core.journal import parts
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.journal.format import Header
from airflow_provider_kognic.core.journal.log import ReadOnlyLog
from airflow_provider_kognic.core.models import Outcome, Result
from airflow_provider_kognic.core.openlabel.rules import RULES
from airflow_provider_kognic.core.reporting.events import Settled
from airflow_provider_kognic.core.reporting.receipts import Receipts
from airflow_provider_kognic.task.paths import source_key, to_source
from airflow_provider_kognic.task.state_store import TaskStateStoreLog

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# --- journals ---


def folder_journal(
    folder: Any,
    *,
    host: str,
    group: str,
    writer: str,
    source: str,
    upload: str | None,
    force: bool = False,
    ttl: float = 30.0,
    read_only: bool = False,
) -> Journal:
    """Make a journal in a folder; `source` is the source key."""
    log = FolderLog(
        folder, Header(host, group, writer), source_key=source, upload_key=upload, writer=writer, ttl=ttl
    )
    return Journal(ReadOnlyLog(log) if read_only else log, upload=upload, force=force)


def state_store_journal(
    store: Any, *, host: str, group: str, writer: str, upload: str | None, force: bool = False
) -> Journal:
    """Make a journal in Airflow's task state store."""
    return Journal(
        TaskStateStoreLog(store, Header(host, group, writer), writer=writer), upload=upload, force=force
    )


@contextlib.contextmanager
def parts_of(size: int) -> Iterator[None]:
    """Let the parts of a journal in an object store be full with so many bytes."""
    with mock.patch.object(parts, "PART_IS_FULL", size):
        yield


async def tell(journal: Journal, what: str, *details: Any) -> None:
    """Tell an open journal something, and wait until it is durable.

    Args:
        journal: The journal.
        what: `baseline` (with predictions by scene), `intend` (with scene and digest), `record` (with a result).
        details: What goes with it.
    """
    if what == "baseline":
        await journal.take_baseline(details[0], None)
    elif what == "intend":
        await journal.intend(*details)
    else:
        journal.record(*details)
    await journal.flush()


def known(journal: Journal, scenes: Iterable[str]) -> dict[str, Any]:
    """Return what an open journal knows, in plain values."""
    entries = {}
    for scene in scenes:
        entry = journal.entry(scene)
        if entry is None:
            continue
        entries[scene] = {
            "state": entry.state.name,
            "digest": entry.digest,
            "prediction_uuid": entry.prediction_uuid,
            "at": entry.at,
            "covered": entry.covered,
            "resent": entry.resent,
        }
    return {
        "size": journal.size,
        "created": sorted(uuid.hex() for uuid in journal.created()),
        "begun_anew": journal.begun_anew,
        "entries": entries,
        "before": {scene: sorted(found) for scene in scenes if (found := journal.before(scene))},
    }


# --- results and what is written of them ---


def result(scene: str, source: str, outcome: str, **more: Any) -> Result:
    """Make the result of a prediction."""
    return Result(scene, source, Outcome(outcome), **more)


def write_receipts(path: Any, host: str, group: str, results: Sequence[Result]) -> None:
    """Write receipts of results, in their order."""
    with Receipts(path, host=host, predictions_group_uuid=group) as receipts:
        for one in results:
            receipts.notice(Settled(one))
        receipts.write()


# --- sources ---


def key_of(predictions: Any, manifest: Any) -> str:
    """Return the source key of what an operator is given."""
    return source_key(predictions, manifest, to_source(predictions, manifest))


# --- what the API's client returns ---


def listed_prediction(uuid: str, scene: str) -> ListedPrediction:
    """Make a row of a group's listing."""
    return ListedPrediction(uuid, scene)


def dataset(row: dict[str, Any]) -> Dataset:
    """Make a dataset of the API's row."""
    return Dataset.from_api(row)


def predictions_group(row: dict[str, Any]) -> PredictionsGroup:
    """Make a predictions group of the API's row."""
    return PredictionsGroup.from_api(row)


def annotation(row: dict[str, Any]) -> Annotation:
    """Make an annotation of the API's row."""
    return Annotation.from_api(row)


# --- the rules of documents ---


def rules() -> list[dict[str, str]]:
    """Return each rule that a document has to keep, in plain values."""
    return [
        {
            "identifier": rule.identifier,
            "severity": rule.severity.value,
            "says": rule.says,
            "source": rule.source,
            "advice": rule.advice,
        }
        for rule in RULES
    ]
