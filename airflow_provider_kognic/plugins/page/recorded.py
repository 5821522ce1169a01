"""Reads from Airflow's database what tasks recorded: few queries, each along an index, each with a limit.

An upload is found by its XCom `kognic.upload` (XComs have an index on their key; the task state store has none),
and the rest by the Dag run and the task that it names.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import Text, and_, cast, func, or_, select

from airflow_provider_kognic.plugins.page import instances
from airflow_provider_kognic.plugins.page.instances import Key
from airflow_provider_kognic.plugins.page.values import record, text
from airflow_provider_kognic.records import DETAILS, PROGRESS, UPLOAD
from airflow_provider_kognic.summaries import KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy.orm import Session

# Uploads on one page.
PAGE = 50
# Rows that a search goes through, newest first: what it looks at is inside the values.
MOST_SEARCHED = 5_000
# Other rows of one answer.
_MOST_ROWS = 5_000
# Characters of a value that is looked at; what this package writes is far below, each character escaped or not.
_MOST_VALUE = 200_000
_MOST_DESCRIPTION = 32_000
# Characters of what went wrong with the shards of an upload that are read for one page.
_MOST_DETAILS = 16_000_000
_SEARCHED = ("dataset", "dataset_uuid", "predictions_group", "predictions_group_uuid", "source", "waits_for")


def _task_state_store() -> Any:
    try:
        return import_module("airflow.models.task_state_store").TaskStateStoreModel
    except ImportError:  # Airflow < 3.3
        return None


_STORE: Any = _task_state_store()


@dataclass(frozen=True)
class Found:
    """A page of uploads.

    Attributes:
        keys: Them, the newest first.
        more: Whether there are older ones.
        cut: Whether a search left out what is older than it goes.
    """

    keys: list[Key]
    more: bool
    cut: bool = False


Values = dict[tuple[int, str, int], Any]
"""By Dag run, task and map index."""


def dag_ids(session: Session) -> set[str]:
    """Return the Dags in which anything was recorded."""
    return set(session.scalars(select(XComModel.dag_id).where(XComModel.key == UPLOAD).distinct()))


def find(session: Session, dags: Iterable[str], *, state: str = "", search: str = "", page: int = 0) -> Found:
    """Return a page of the uploads of some Dags.

    Args:
        session: The database.
        dags: Those to look at.
        state: That some task of it is in, or nothing for any.
        search: What its dataset, group or source contains, or nothing.
        page: Which one, from 0.
    """
    key = (XComModel.dag_run_id, XComModel.dag_id, XComModel.run_id, XComModel.task_id)
    wanted = [XComModel.key == UPLOAD, XComModel.dag_id.in_(sorted(dags))]
    query: Any = select(*key)
    if state:
        query = query.join(
            TaskInstance,
            and_(
                TaskInstance.dag_id == XComModel.dag_id,
                TaskInstance.task_id == XComModel.task_id,
                TaskInstance.run_id == XComModel.run_id,
                TaskInstance.map_index == XComModel.map_index,
            ),
        )
        wanted.append(TaskInstance.state == state)
    begin = page * PAGE
    if search:
        rows = session.execute(
            query.add_columns(_said(XComModel))
            .where(*wanted, _is_small(XComModel, UPLOAD))
            .order_by(XComModel.timestamp.desc(), XComModel.dag_run_id.desc())
            .limit(MOST_SEARCHED)
        ).all()
        all_keys = list(dict.fromkeys(Key(*row[:4]) for row in rows if _contains(row[4], search.lower())))
        cut = len(rows) == MOST_SEARCHED
        return Found(all_keys[begin : begin + PAGE], len(all_keys) > begin + PAGE, cut)
    rows = session.execute(
        query.where(*wanted)
        .group_by(*key)
        .order_by(func.max(XComModel.timestamp).desc(), XComModel.dag_run_id.desc(), XComModel.task_id)
        .limit(PAGE + 1)
        .offset(begin)
    ).all()
    return Found([Key(*row) for row in rows[:PAGE]], len(rows) > PAGE)


def find_one(session: Session, dag_id: str, run_id: str, task_id: str) -> Key | None:
    """Return the upload of one task; None where it recorded none."""
    row = session.execute(
        select(XComModel.dag_run_id)
        .where(
            XComModel.dag_id == dag_id,
            XComModel.task_id == task_id,
            XComModel.run_id == run_id,
            XComModel.key == UPLOAD,
        )
        .limit(1)
    ).first()
    return None if row is None else Key(row[0], dag_id, run_id, task_id)


def progress_of(
    session: Session, keys: Sequence[Key], indexes: Sequence[int] | None = None
) -> tuple[Values, Values]:
    """Return what is recorded of how far uploads are: in the task state store, and as XComs.

    Args:
        session: The database.
        keys: The uploads.
        indexes: Of which of their instances; None for all.
    """
    stored = {} if _STORE is None else _values(session, _STORE, PROGRESS, keys, indexes)
    return stored, _values(session, XComModel, PROGRESS, keys, indexes)


def summaries_of(session: Session, keys: Sequence[Key], indexes: Sequence[int] | None = None) -> Values:
    """Return the summaries that uploads have left, of all their instances or of some."""
    return _values(session, XComModel, KEY, keys, indexes)


def descriptions_of(session: Session, keys: Sequence[Key], map_index: int | None = None) -> Values:
    """Return what uploads are; of mapped ones what the first shard of each says, or the given one."""
    if not keys:
        return {}
    if map_index is not None:
        return _values(session, XComModel, UPLOAD, keys, [map_index])
    of = XComModel
    first = (
        select(of.dag_run_id, of.task_id, func.min(of.map_index).label("map_index"))
        .where(of.key == UPLOAD, _are_of(of, keys))
        .group_by(of.dag_run_id, of.task_id)
        .subquery()
    )
    rows = session.execute(
        select(of.dag_run_id, of.task_id, of.map_index, _said(of))
        .join(
            first,
            and_(
                of.dag_run_id == first.c.dag_run_id,
                of.task_id == first.c.task_id,
                of.map_index == first.c.map_index,
            ),
        )
        .where(of.key == UPLOAD, _is_small(of, UPLOAD))
        .limit(_MOST_ROWS)
    )
    return {(run, task, index): value for run, task, index, value in rows}


def details_of(session: Session, key: Key, map_index: int) -> Any:
    """Return what went wrong with an upload, and how it went over time, or None."""
    for model in (_STORE, XComModel):
        if model is not None and (found := _values(session, model, DETAILS, [key], [map_index])):
            return next(iter(found.values()))
    return None


def details_of_shards(session: Session, key: Key, indexes: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield what went wrong with some shards of an upload, each with its index, until they are very much."""
    left, wanted = _MOST_DETAILS, list(indexes)
    for model in (_STORE, XComModel):
        if model is None or not wanted:
            continue
        found = set()
        for index, value in session.execute(
            select(_index_of(model), _said(model))
            .where(
                model.key == DETAILS,
                _are_of(model, [key]),
                _is_small(model, DETAILS),
                _index_of(model).in_(wanted),
            )
            .order_by(_index_of(model))
            .execution_options(yield_per=50)
        ):
            left -= len(value)
            if left < 0:
                return
            found.add(index)
            yield index, value
        wanted = [index for index in wanted if index not in found]


def asset_events_of(session: Session, key: Key, map_index: int, since: Any) -> list[tuple[str, Any]]:
    """Return the events of assets of Kognic that a task emitted: which asset, and when.

    Args:
        session: The database.
        key: The task.
        map_index: Which of its instances.
        since: When it began: the table has no index on the task, but one on assets and times.
    """
    assets = import_module("airflow.models.asset")
    event, asset = assets.AssetEvent, assets.AssetModel
    if since is None:
        return []
    rows = session.execute(select(asset.id, asset.uri).where(asset.uri.like("kognic:%")).limit(_MOST_ROWS))
    ours: dict[int, str] = {row[0]: row[1] for row in rows}
    if not ours:
        return []
    events = session.execute(
        select(event.asset_id, event.timestamp)
        .where(
            event.asset_id.in_(ours),
            event.timestamp >= since,
            event.source_dag_id == key.dag_id,
            event.source_run_id == key.run_id,
            event.source_task_id == key.task_id,
            event.source_map_index == map_index,
        )
        .order_by(event.timestamp)
        .limit(PAGE)
    )
    return [(ours[asset_id], when) for asset_id, when in events]


def _values(
    session: Session, model: Any, name: str, keys: Sequence[Key], indexes: Sequence[int] | None = None
) -> Values:
    if not keys:
        return {}
    index_of = _index_of(model)
    wanted = [model.key == name, _are_of(model, keys), _is_small(model, name)]
    if indexes is not None:
        wanted.append(index_of.in_(indexes))
    rows = session.execute(
        select(model.dag_run_id, model.task_id, index_of, _said(model))
        .where(*wanted)
        .limit(
            2 * instances.MOST_TASKS
        )  # an earlier run of the task may have had more shards than it has now
    )
    return {(run, task, index): value for run, task, index, value in rows}


def _index_of(model: Any) -> Any:
    # The task state store of Airflow 3.4 has another name for it.
    return model.map_index if hasattr(model, "map_index") else model.region_index


def _are_of(model: Any, keys: Sequence[Key]) -> Any:
    """Return the condition that a row is of one of these uploads."""
    runs: dict[str, list[int]] = defaultdict(list)
    for key in keys:
        runs[key.task_id].append(key.dag_run_id)
    return or_(*(and_(model.task_id == task, model.dag_run_id.in_(ids)) for task, ids in runs.items()))


def _said(model: Any) -> Any:
    """Return a value as its text: what is no JSON to Python would end the whole query, for whoever asks."""
    return cast(model.value, Text)


def _is_small(model: Any, name: str) -> Any:
    most = _MOST_DESCRIPTION if name in {UPLOAD, PROGRESS} else _MOST_VALUE
    return func.length(_said(model)) <= most


def _contains(value: Any, search: str) -> bool:
    found = record(value) or {}
    return any(search in (text(found.get(name)) or "").lower() for name in _SEARCHED)
