"""What the page shows of uploads: rows of the list, and one of them with all that was recorded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.plugins.page import recorded
from airflow_provider_kognic.plugins.page.plot import Plot
from airflow_provider_kognic.plugins.page.values import (
    Progress,
    count,
    newest,
    record,
    text,
    texts,
    together,
    web_page,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from airflow_provider_kognic.plugins.page.recorded import Key, Task, Values

# States of Airflow's, of tasks that may still do something, and of several tasks the one that is shown.
LIVE = ("running", "deferred", "restarting", "queued", "scheduled", "up_for_reschedule", "up_for_retry")
_FIRST = (*LIVE, "failed", "upstream_failed", "removed", "skipped", "success")
_KINDS = {"upload": "upload", "dry_run": "dry run", "wait": "wait"}
# Shards on one page.
SHARDS = 100
_MOST_EXAMPLES = 20
_MOST_REASONS = 50
_MOST_OF_RUN = 20


@dataclass(frozen=True)
class Description:
    """What an upload or a sensor said that it is."""

    kind: str = "upload"
    dataset: str | None = None
    dataset_uuid: str | None = None
    group: str | None = None
    group_uuid: str | None = None
    host: str | None = None
    link: str | None = None
    source: str | None = None
    receipts: str | None = None
    report: str | None = None
    waits_for: str | None = None
    run: tuple[tuple[str, str], ...] = ()
    elsewhere: bool = False

    @classmethod
    def read(cls, value: Any) -> Description:
        """Return what was recorded; what is not of its form is left out."""
        found = record(value)
        if found is None:
            return cls(elsewhere=True)
        return cls(
            kind=_KINDS.get(str(found.get("kind")), "upload"),
            dataset=text(found.get("dataset")),
            dataset_uuid=text(found.get("dataset_uuid")),
            host=text(found.get("host")),
            source=text(found.get("source")),
            receipts=text(found.get("receipts")),
            report=text(found.get("report")),
            waits_for=text(found.get("waits_for")),
            group=text(found.get("predictions_group")),
            group_uuid=text(found.get("predictions_group_uuid")),
            link=web_page(found.get("link")),
            run=tuple(texts(found.get("run"), _MOST_OF_RUN)),
        )

    @property
    def model(self) -> str:
        """Which run of a model it is, in a few words."""
        named = dict(self.run)
        known = [named[name] for name in ("model", "version", "model_version") if name in named]
        return " ".join(known or [one for _, one in self.run[:2]])


@dataclass(frozen=True)
class Row:
    """An upload in a list, with all its shards; or one shard.

    Attributes:
        key: The task.
        map_index: Which of its instances; -1 for all of them.
        state: Airflow's, of the task; of several the one that matters most.
        states: How many tasks are in which state.
        description: What it is.
        progress: How far it is; the sum where it is mapped.
        began: When its first task began.
        ended: When its last one did, or None.
    """

    key: Key
    map_index: int
    state: str | None
    states: dict[str, int]
    description: Description
    progress: Progress | None
    began: Any
    ended: Any

    @property
    def is_live(self) -> bool:
        """Whether anything may still come."""
        return any(state in LIVE for state in self.states)

    @property
    def shards(self) -> int:
        """How many tasks it has where it is mapped, else 0."""
        tasks = sum(self.states.values())
        return tasks if self.map_index == -1 and tasks > 1 else 0


@dataclass(frozen=True)
class Example:
    """A prediction that was refused, or is in doubt."""

    scene: str | None
    reason: str | None
    message: str | None
    source: str | None


@dataclass(frozen=True)
class Details:
    """What went wrong with an upload, and how it went over time."""

    counts: dict[str, int] = field(default_factory=dict)
    reasons: tuple[tuple[str, str, int], ...] = ()
    refused: tuple[Example, ...] = ()
    in_doubt: tuple[Example, ...] = ()
    plot: Plot | None = None

    @classmethod
    def read(cls, value: Any, total: int | None) -> Details:
        """Return what was recorded; what is not of its form is left out."""
        found = record(value) or {}
        reasons = found.get("reasons")
        rows = [
            (outcome, reason, number)
            for outcome, several in (reasons.items() if isinstance(reasons, dict) else ())
            for reason, number in _counts(several)
        ]
        return cls(
            counts=dict(_counts(found.get("counts"))),
            reasons=tuple(rows[:_MOST_REASONS]),
            refused=_examples(found.get("refused")),
            in_doubt=_examples(found.get("in_doubt")),
            plot=Plot.of(found.get("history"), total),
        )


@dataclass(frozen=True)
class One:
    """An upload with all that was recorded of it."""

    row: Row
    details: Details
    shards: list[Row]
    pages: int
    events: list[tuple[str, Any]]


def rows_of(session: Session, keys: Sequence[Key]) -> list[Row]:
    """Return the rows of a list."""
    tasks = recorded.tasks_of(session, keys)
    descriptions = _first(recorded.descriptions_of(session, keys))
    known = _progress(session, keys)
    return [
        _row(key, tasks.get(key, []), descriptions.get((key.dag_run_id, key.task_id)), known) for key in keys
    ]


def one(session: Session, key: Key, map_index: int, page: int, *, assets: bool) -> One:
    """Return one upload; of a mapped one all shards, or the one that is asked for.

    Args:
        session: The database.
        key: The task.
        map_index: The shard; -1 for all.
        page: Which of the pages of shards, from 0.
        assets: Whether events of assets may be shown.
    """
    tasks = recorded.tasks_of(session, [key]).get(key, [])
    known = _progress(session, [key])
    mapped = [task for task in tasks if task.map_index >= 0]
    if map_index < 0 and mapped:
        description = _first(recorded.descriptions_of(session, [key])).get((key.dag_run_id, key.task_id))
        row = _row(key, mapped, description, known)
        shown = mapped[page * SHARDS : (page + 1) * SHARDS]
        shards = [_row(key, [task], description, known, task.map_index) for task in shown]
        return One(row, Details(), shards, -(-len(mapped) // SHARDS), [])
    alone = [task for task in tasks if task.map_index == map_index]
    said = recorded.descriptions_of(session, [key], map_index)
    row = _row(key, alone, said.get((key.dag_run_id, key.task_id, map_index)), known, map_index)
    total = None if row.progress is None else row.progress.total
    details = Details.read(recorded.details_of(session, key, map_index), total)
    events = recorded.asset_events_of(session, key, map_index, row.began) if assets else []
    return One(row, details, [], 1, events)


class _Known:
    """How far tasks are, by what they recorded wherever they did."""

    def __init__(self, stored: Values, xcoms: Values, summaries: Values) -> None:
        self._stored, self._xcoms, self._summaries = stored, xcoms, summaries

    def of(self, key: Key, map_index: int) -> Progress | None:
        where = (key.dag_run_id, key.task_id, map_index)
        found = newest(Progress.read(self._stored.get(where)), Progress.read(self._xcoms.get(where)))
        return found or Progress.of_summary(self._summaries.get(where))


def _progress(session: Session, keys: Sequence[Key]) -> _Known:
    stored, xcoms = recorded.progress_of(session, keys)
    # The store may be told to forget what succeeded, and then the summary is what there is.
    bare = [
        key
        for key in keys
        if not any((run, task) == (key.dag_run_id, key.task_id) for run, task, _ in (*stored, *xcoms))
    ]
    return _Known(stored, xcoms, recorded.summaries_of(session, bare))


def _row(
    key: Key, tasks: Sequence[Task], description: Any, known: _Known, map_index: int | None = None
) -> Row:
    states = Counter(task.state or "no status" for task in tasks)
    state = next((one for one in _FIRST if states[one]), next(iter(states), None))
    progress = [known.of(key, task.map_index) for task in tasks]
    begins = [task.start_date for task in tasks if task.start_date is not None]
    ends = [task.end_date for task in tasks]
    return Row(
        key=key,
        map_index=-1 if map_index is None else map_index,
        state=state,
        states=dict(states),
        description=Description.read(description),
        progress=progress[0] if len(progress) == 1 else together(progress, len(tasks)),
        began=min(begins, default=None),
        ended=max(ends) if ends and all(ends) else None,
    )


def _first(values: Values) -> dict[tuple[int, str], Any]:
    return {(run, task): value for (run, task, _), value in values.items()}


def _counts(value: Any) -> list[tuple[str, int]]:
    if not isinstance(value, dict):
        return []
    pairs = [(text(name), count(number)) for name, number in list(value.items())[:_MOST_REASONS]]
    return [(name, number) for name, number in pairs if name and number is not None]


def _examples(value: Any) -> tuple[Example, ...]:
    rows = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    return tuple(
        Example(*(text(row.get(name)) for name in ("scene", "reason", "message", "source")))
        for row in rows[:_MOST_EXAMPLES]
    )
