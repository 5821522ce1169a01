"""Reads from Airflow's database in which states the task instances of uploads are."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.models.taskinstance import TaskInstance
from sqlalchemy import and_, func, or_, select

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

# Tasks, such as shards of mapped uploads, of which a page counts progress; of more, it says that it does not.
MOST_TASKS = 10_000
# States of Airflow's, of tasks that work or wait for something just now.
WORKING = ("running", "deferred", "restarting")


@dataclass(frozen=True)
class Key:
    """Names an upload: a task of a Dag run, with all its mapped instances."""

    dag_run_id: int
    dag_id: str
    run_id: str
    task_id: str


@dataclass(frozen=True)
class Task:
    """A task instance; one of several where it is mapped."""

    map_index: int
    state: str | None
    start_date: Any
    end_date: Any


@dataclass(frozen=True)
class Tasks:
    """All task instances of an upload together.

    Attributes:
        states: How many are in which state; None is a state, too.
        mapped: Whether they are shards.
        began: When the first one began.
        ended: When the last one did; None while one has not.
    """

    states: dict[str | None, int]
    mapped: bool
    began: Any
    ended: Any

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.states.values())


def may_record(session: Session, dag_id: str, run_id: str, task_id: str, live: Sequence[str]) -> bool:
    """Tell whether a task is still to do something: between two tries, nothing is recorded of it, either."""
    of = TaskInstance
    where = (of.dag_id == dag_id, of.run_id == run_id, of.task_id == task_id)
    found = select(of.task_id).where(*where, or_(of.state.is_(None), of.state.in_(live))).limit(1)
    return session.execute(found).first() is not None


def tasks_of(session: Session, keys: Sequence[Key]) -> dict[Key, Tasks]:
    """Return the task instances of uploads, counted by the database: those that have not begun, too."""
    found: dict[Key, list[Any]] = defaultdict(list)
    if not keys:
        return {}
    by_name = {(key.dag_id, key.run_id, key.task_id): key for key in keys}
    of = TaskInstance
    rows = session.execute(
        select(
            of.dag_id,
            of.run_id,
            of.task_id,
            of.state,
            func.count(),
            func.max(of.map_index),
            func.min(of.start_date),
            func.count(of.end_date),
            func.max(of.end_date),
        )
        .where(_are_instances_of(keys))
        .group_by(of.dag_id, of.run_id, of.task_id, of.state)
    )
    for row in rows:
        found[by_name[row[0], row[1], row[2]]].append(row[3:])
    return {key: _tasks(several) for key, several in found.items()}


def _tasks(rows: list[Any]) -> Tasks:
    begins = [row[3] for row in rows if row[3] is not None]
    ends = [row[5] for row in rows if row[5] is not None]
    return Tasks(
        states={_state(row[0]): row[1] for row in rows},
        mapped=max(row[2] for row in rows) >= 0,
        began=min(begins, default=None),
        ended=max(ends) if all(row[1] == row[4] for row in rows) else None,
    )


def some_of(session: Session, key: Key, *, first: int, most: int) -> list[Task]:
    """Return some shards of a mapped upload, in order."""
    of = TaskInstance
    return _instances(session, [key], of.map_index >= 0, order=of.map_index, first=first, most=most)


def one_of(session: Session, key: Key, map_index: int) -> Task | None:
    """Return a task instance of an upload; None where there is no such one."""
    found = _instances(session, [key], TaskInstance.map_index == map_index)
    return found[0] if found else None


def running_of(session: Session, keys: Sequence[Key]) -> set[tuple[int, str, int]]:
    """Return those task instances that work just now, by Dag run, task and map index."""
    if not keys:
        return set()
    by_name = {(key.dag_id, key.run_id, key.task_id): key.dag_run_id for key in keys}
    of = TaskInstance
    rows = session.execute(
        select(of.dag_id, of.run_id, of.task_id, of.map_index)
        .where(_are_instances_of(keys), of.state.in_(WORKING))
        .limit(MOST_TASKS)
    )
    return {(by_name[dag, run, task], task, index) for dag, run, task, index in rows}


def _instances(
    session: Session, keys: Sequence[Key], *where: Any, order: Any = None, first: int = 0, most: int = 1
) -> list[Task]:
    of = TaskInstance
    rows = session.execute(
        select(of.map_index, of.state, of.start_date, of.end_date)
        .where(_are_instances_of(keys), *where)
        .order_by(order)
        .limit(most)
        .offset(first)
    )
    return [Task(index, _state(state), start, end) for index, state, start, end in rows]


def _state(state: Any) -> str | None:
    return None if state is None else str(getattr(state, "value", state))


def _are_instances_of(keys: Sequence[Key]) -> Any:
    """Return the condition that a task instance is of one of these uploads."""
    runs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for key in keys:
        runs[key.dag_id, key.task_id].append(key.run_id)
    of = TaskInstance
    return or_(
        *(and_(of.dag_id == dag, of.task_id == task, of.run_id.in_(ids)) for (dag, task), ids in runs.items())
    )
