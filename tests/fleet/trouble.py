"""What is done to the fleet while it uploads: workers and scheduler killed with -9, the database broken off."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.figures import say
from tests.system.real_airflow import Airflow

WORKER, SCHEDULER, DATABASE = "a worker", "the scheduler", "the database"
# Of all that is to be sent, how much has been when something happens.
_FIRST, _LAST = 0.05, 0.9
# Seconds until somebody starts again what was killed.
_SHORTEST, _LONGEST = 3.0, 8.0


@dataclass(frozen=True)
class Event:
    """Something that happens when so many predictions have been sent."""

    at: int
    what: str


def plan(total: int, kills: int, chance: random.Random, *, all_of_it: bool = True) -> list[Event]:
    """Draw when what happens, the earliest first.

    Args:
        total: How many predictions will be sent.
        kills: How many workers are killed.
        chance: Draws.
        all_of_it: Whether the scheduler and the database have their turn, too.
    """
    whats = [WORKER] * kills + ([SCHEDULER, DATABASE] if all_of_it else [])
    chance.shuffle(whats)
    marks = sorted(int(total * chance.uniform(_FIRST, _LAST)) for _ in whats)
    return [Event(at, what) for at, what in zip(marks, whats, strict=True)]


@dataclass
class Killed:
    """An upload that died with its worker."""

    map_index: int
    attempt: int
    at: float


@dataclass
class Trouble:
    """Lets the events of a plan happen, each in its time, and starts again what they have ended.

    Attributes:
        total: How many predictions will be sent.
        done: What has happened.
        deaths: How many uploads died.
        costs: Seconds from each of these deaths until the upload's next try ran.
    """

    airflow: Airflow
    chance: random.Random
    total: int
    events: Sequence[Event] = ()
    done: list[str] = field(default_factory=list)
    deaths: int = 0
    costs: list[float] = field(default_factory=list)
    _again: list[tuple[float, str]] = field(default_factory=list)
    _killed: list[Killed] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether everything has happened, and everything runs again."""
        return len(self.done) == len(self.events) and not self._again

    def step(self, sent: int, uploads: Sequence[dict[str, Any]]) -> None:
        """Do what is due.

        Args:
            sent: How many predictions have been sent.
            uploads: The task instances of all shards, as Airflow's API has them.
        """
        for due, what in [row for row in self._again if row[0] <= time.monotonic()]:
            self._again.remove((due, what))
            if what == WORKER:
                self.airflow.start_worker()
            else:
                self.airflow.start_part("scheduler")
        for killed in list(self._killed):
            if _runs_again(killed, uploads):
                self._killed.remove(killed)
                self.costs.append(time.monotonic() - killed.at)
        if len(self.done) < len(self.events) and sent >= self.events[len(self.done)].at:
            self._let_happen(self.events[len(self.done)].what, sent, uploads)

    def _let_happen(self, what: str, sent: int, uploads: Sequence[dict[str, Any]]) -> None:
        at_work = {
            part: task
            for task in uploads
            if task["state"] == "running" and task["pid"] and (part := self.airflow.part_of(int(task["pid"])))
        }
        told = ""
        if what == WORKER:
            workers = sorted(at_work)
            if not workers and sent >= self.total:  # too late for an upload to die
                workers = sorted(name for name in self.airflow.processes if name.startswith("worker-"))
            if not workers:  # none has begun yet: wait for one
                return
            worker = self.chance.choice(workers)
            self.airflow.kill_part(worker)
            dead = [task for part, task in at_work.items() if part == worker]
            now = time.monotonic()
            self._killed += [Killed(task["map_index"], task["try_number"], now) for task in dead]
            self.deaths += len(dead)
            told = f" {worker}, {len(dead)} uploads with it"
        elif what == SCHEDULER:
            self.airflow.kill_part("scheduler")
        else:
            self.airflow.restart_postgres()
        if what != DATABASE:
            self._again.append((time.monotonic() + self.chance.uniform(_SHORTEST, _LONGEST), what))
        self.done.append(what)
        say(f"  !! at {sent:,} sent: {'broke off' if what == DATABASE else 'killed -9'} {what}{told}")


def _runs_again(killed: Killed, uploads: Sequence[dict[str, Any]]) -> bool:
    return any(
        task["map_index"] == killed.map_index
        and task["try_number"] > killed.attempt
        and task["state"] in {"running", "success"}
        for task in uploads
    )
