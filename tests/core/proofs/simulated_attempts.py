"""Attempts that can die: uploads over real HTTP that are killed, stopped or cut off from their journal anywhere.

A kill is a wall between an attempt and the world: from that moment on nothing of what it does reaches the journal
or the server, and its results are thrown away. What the server had received by then may still be carried out.
`Story` watches all attempts of one upload, and says in the end what it was promised and did not get.
"""

import asyncio
import errno
import itertools
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from upath import UPath

from airflow_provider_kognic.core.api import network as transport
from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.dataset_api.records import ListedPrediction
from airflow_provider_kognic.core.api.exchange.leaving import Leaving
from airflow_provider_kognic.core.api.reading import Received
from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.api.switches import Switches
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.api.transports import Way
from airflow_provider_kognic.core.cancellation import CancelledBeforeSending
from airflow_provider_kognic.core.errors import KognicError, KognicJournalError
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.journal.format import Header
from airflow_provider_kognic.core.journal.log import Log
from airflow_provider_kognic.core.journal.memory import RememberedLog
from airflow_provider_kognic.core.models import Outcome, Result
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.paging import Page
from airflow_provider_kognic.core.reporting.report import Report
from airflow_provider_kognic.core.retries import Backoff, verdict
from airflow_provider_kognic.core.sources.rows import RowsSource
from airflow_provider_kognic.core.upload import upload
from airflow_provider_kognic.core.upload.stop import Stop
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.task.state_store import TaskStateStoreLog
from tests.core.journal.folders import leases_of
from tests.core.support import Results, content

POINTS = ("before_intent", "after_intent", "after_send", "after_answer", "after_outcome")
PATIENT = Backoff(first=0.001, most=0.002, attempts=5)
KNOWN = {Outcome.CREATED, Outcome.SKIPPED}
# No process of Linux has a number beyond 2 ** 22.
_NOBODY = 2**22 + 1
# Seconds that a slow disk takes before the kill strikes: time enough for whoever does not wait for it.
_SLOW_DISK = 0.01


@cache
def _context(verify: bool | str) -> Any:  # noqa: FBT001 - the signature of what it replaces
    return _make_context(verify)


_make_context = transport.ssl_context
# What a test puts in place of `transport.ssl_context`, which takes 40 ms each time.
trusting = _context


# Bytes by which a document that is to be too large is larger than all others.
PADDING = 500


def edition(count: int, number: int = 0, large: Collection[int] = ()) -> RowsSource:
    """Documents for as many scenes of the demo dataset; those of another edition differ, in their size, too.

    Those of the scenes with the numbers in `large` are larger.
    """
    rows = []
    for i in range(count):
        document = content(i)
        document["openlabel"]["metadata"]["comment"] += "!" * number + "?" * (PADDING if i in large else 0)
        rows.append({"sceneUuid": demo.scene_uuid(i), "openlabelContent": document})
    return RowsSource(rows)


@dataclass
class Fate:
    """What happens to an attempt when a transition has been passed so many times, in whichever attempt that is.

    `what`: `kill`; `stop` (as SIGTERM does); `full` (the journal can be written no more, in this attempt).
    """

    what: str
    point: str
    passes: int = 1
    struck: bool = False
    drain: float = 0.02


class Life:
    """One attempt, until its end or its death.

    Attributes:
        pretended: Whether its death is: then it says that it is a process which is none.
    """

    pretended = True

    def __init__(self, story: "Story", connections: int) -> None:
        self.story = story
        self.connections = connections
        self.stop = Stop()
        self.dead = False
        self.full = False
        self.killed = asyncio.Event()
        self.writing = threading.Lock()
        self.in_flight = 0
        self.sent: set[str] = set()
        self._loop = asyncio.get_running_loop()
        self._counting = threading.Lock()

    def reach(self, point: str) -> None:
        """Pass a transition; this may be the last thing that happens."""
        with self._counting:
            for fate in self.story.fates:
                if fate.struck or fate.point != point or self.dead:
                    continue
                fate.passes -= 1
                fate.struck = fate.passes <= 0
                if fate.struck:
                    self._meet(fate)

    def _meet(self, fate: Fate) -> None:
        if fate.what == "stop":
            self.stop.request("a signal", drain=fate.drain)
        elif fate.what == "full":
            self.full = True
        else:
            self.die()

    def die(self) -> None:
        self.dead = True
        self._loop.call_soon_threadsafe(self.killed.set)

    async def wall(self) -> None:
        """The dead get no further."""
        if self.dead:
            await asyncio.Event().wait()


class KillableLog:
    """A journal's log that the attempt's death cuts off."""

    def __init__(self, inner: Any, life: Life) -> None:
        self._inner, self._life = inner, life
        self.rhythm = inner.rhythm

    def open(self, stopping: Callable[[], bool]) -> None:
        self._inner.open(stopping)

    def read(self) -> Iterator[bytes]:
        unreadable = self._life.story.unreadable
        for number, line in enumerate(self._inner.read()):
            if unreadable is not None and number >= unreadable:
                break
            yield line
        if unreadable is not None:
            self._life.story.unreadable = None
            raise OSError(errno.EIO, "the disk cannot be read")

    def append(self, lines: Sequence[bytes]) -> None:
        life = self._life
        intents = any(line.startswith(b'["i"') for line in lines)
        outcomes = any(line[2:3] in b"crdu" for line in lines)
        if intents:
            life.reach("before_intent")
        if life.dead:
            time.sleep(_SLOW_DISK)
        with life.writing:
            self._check()
            self._inner.append(lines)
            life.story.durable(lines)
        for happened, point in ((intents, "after_intent"), (outcomes, "after_outcome")):
            if happened:
                life.reach(point)
        self._check()

    def _check(self) -> None:
        if self._life.full:
            raise OSError(errno.ENOSPC, "no space left on the device")
        if self._life.dead:
            raise OSError("the process is dead")

    def close(self) -> None:
        if not self._life.dead:
            self._inner.close()

    def leave(self) -> None:
        """Let go of what the system takes from a dead process; what it wrote stays as it is."""
        with self._life.writing:
            if (folder := in_folder(self._inner)) is not None:
                for lease in leases_of(folder):
                    lease._ended.set()
                file = getattr(folder._parts, "_file", None)
                if file is not None:
                    os.close(file)


class _Watched:
    """A way to the server that tells when a POST has left."""

    def __init__(self, inner: Way, life: Life) -> None:
        self._inner, self._life = inner, life

    async def send(self, request: Leaving) -> Received:
        if request.method == "POST":
            self._watch(request)
        try:
            answer = await self._inner.send(request)
        except KognicError:
            await self._life.wall()
            raise
        await self._life.wall()
        return answer

    def _watch(self, request: Leaving) -> None:
        left = request.left

        def tell() -> None:
            left()
            self._life.reach("after_send")

        request.left = tell  # type: ignore[method-assign]

    async def aclose(self) -> None:
        await self._inner.aclose()


class KillableClient:
    """A client that the attempt's death cuts off, and that tells the story what is sent."""

    def __init__(self, inner: AsyncKognicClient, life: Life) -> None:
        self._inner, self._life = inner, life
        inner._exchange._idle = [_Watched(one, life) for one in inner._exchange._idle or ()]

    async def create_prediction(
        self, predictions_group_uuid: str, scene_uuid: str, document: Any, **more: Any
    ) -> str:
        life = self._life
        await life.wall()
        life.in_flight += 1
        answered = life.story.sends(life, scene_uuid, document)
        try:
            uuid = await self._inner.create_prediction(predictions_group_uuid, scene_uuid, document, **more)
        except KognicError as error:
            answered(error)
            life.reach("after_answer")
            await life.wall()
            raise
        except CancelledBeforeSending as error:
            answered(error)
            raise
        finally:
            life.in_flight -= 1
        life.reach("after_answer")
        await life.wall()
        return uuid

    async def list_predictions(
        self, predictions_group_uuid: str, ask: Mapping[str, str]
    ) -> Page[ListedPrediction]:
        await self._life.wall()
        page = await self._inner.list_predictions(predictions_group_uuid, ask)
        self._life.story.between_pages()
        return page

    async def probe(self) -> None:
        await self._life.wall()
        await self._inner.probe()


class StateStore:
    """Airflow's task state store, as one attempt has it.

    The next attempt takes it from the one before: that one can set nothing any more, and finds nothing.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        values["whose"] = self

    def get(self, key: str, default: Any = None) -> Any:
        return self._values.get(key, default) if self._values["whose"] is self else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        if self._values["whose"] is not self:
            raise LookupError("the task instance is unknown")
        self._values[key] = json.loads(json.dumps(value))


_NUMBERS = itertools.count()


def place(backend: str, folder: Path) -> Callable[..., Log]:
    """Return a journal's place: it opens the same journal again for each attempt."""
    number = next(_NUMBERS)
    if backend == "state store":
        # The log hands this constant to the store; Airflow before 3.3 has neither it nor a store of its own.
        vars(import_module("airflow.sdk.execution_time.context")).setdefault("NEVER_EXPIRE", None)
        values: dict[str, Any] = {}
        return lambda header, **_: TaskStateStoreLog(StateStore(values), header, writer="a test")
    where: Any = folder / str(number) if backend == "local folder" else UPath(f"memory://proof/{number}")
    memory = Memory()

    def open_again(header: Header, *, source: str = "the source") -> Log:
        log = FolderLog(where, header, source_key=source, upload_key="the upload")
        return RememberedLog(log, memory, header, attempt="a try")

    return open_again


class Memory:
    """What Airflow's task state store remembers of a journal in a folder."""

    def __init__(self) -> None:
        self._value: Any = None

    def load(self) -> Any:
        return self._value

    def save(self, value: Mapping[str, Any]) -> None:
        self._value = value


def in_folder(log: Any) -> FolderLog | None:
    """The log in a folder that a log is, or stands before."""
    found = getattr(log, "_log", log)
    return found if isinstance(found, FolderLog) else None


@dataclass
class Attempt:
    """An attempt that is over; `report` is None where it was killed or could not begin."""

    edition: int
    count: int
    began: float
    ended: float
    results: list[Result]
    report: Report | None = None
    error: KognicError | None = None
    killed: bool = False
    sent: set[str] = field(default_factory=set)
    orderly: bool = True

    @property
    def by_scene(self) -> dict[str, Result]:
        return {result.scene_uuid: result for result in self.results}

    def scenes(self, *outcomes: Outcome) -> set[str]:
        return {result.scene_uuid for result in self.results if result.outcome in outcomes}


@dataclass
class Story:
    """All attempts of one upload, and what is to be said against them.

    Attributes:
        emulator: The server; None for a story that nobody judges.
        fates: What happens to the attempts.
        unreadable: After so many lines the next attempt cannot read its journal.
        foreign: Uuids of predictions that others made.
        taken: The scenes of those.
        gives_old_answers: Whether the server may give an answer of one POST to another.
        removals: After how many pages of listings somebody removes which predictions.
        kind_of_life: How attempts live and die.
        switches: What of the API that is optional is made use of.
        large: Numbers of scenes with larger documents.
        wrong: What was promised and not kept, as far as it shows while an attempt runs.
    """

    emulator: Any
    settings: Settings
    tokens: TokenProvider
    group: str
    journal: Callable[..., Log]
    count: int
    on_ambiguous: str = "reconcile"
    on_changed: str = "refuse"
    connections: int = 3
    settle_after: float = 0.05
    fates: list[Fate] = field(default_factory=list)
    unreadable: int | None = None
    foreign: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    gives_old_answers: bool = False
    removals: dict[int, list[str]] = field(default_factory=dict)
    name: str = "the upload"
    force: bool = False
    outage_timeout: float = 20.0
    backoff: Backoff = PATIENT
    kind_of_life: type[Life] = Life
    switches: Switches | None = None
    large: Collection[int] = ()
    wrong: list[str] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    _perhaps: set[tuple[str, int]] = field(default_factory=set)
    _durable: dict[str, str] = field(default_factory=dict)
    _doubted: set[str] = field(default_factory=set)
    _pages: int = 0
    _sizes: dict[int, dict[str, int]] = field(default_factory=dict)

    # What attempts tell while they run

    def durable(self, lines: Iterable[bytes]) -> None:
        """The journal has these lines now."""
        for line in lines:
            if (kind := line[2:3].decode()) in "icrdu":
                scene = line[6:38].decode()
                # Not sent this time, it is in doubt as it was.
                if kind == "i" and scene in self._open():
                    self._doubted.add(scene)
                elif kind in "crd":
                    self._doubted.discard(scene)
                self._durable[scene] = kind

    def sends(self, life: Life, scene: str, document: bytes) -> Callable[[BaseException], None]:
        """A prediction is being sent; returns what to call when it was not executed, or perhaps."""
        what = (scene, len(document))
        before = what in self._perhaps
        if life.in_flight > life.connections:
            self.wrong.append(f"{life.in_flight} requests in flight, not {life.connections}")
        if self._durable.get(scene.replace("-", "")) not in {"i", "d"}:
            self.wrong.append(f"{scene} was sent before its intent was durable")
        if before and self.on_ambiguous in {"skip", "fail"}:
            self.wrong.append(f"{scene} was sent twice under {self.on_ambiguous!r}")
        self._perhaps.add(what)
        life.sent.add(scene)

        def answered(error: BaseException) -> None:
            certain = isinstance(error, CancelledBeforeSending) or (
                isinstance(error, KognicError) and not verdict(error).doubts
            )
            if certain and not before:
                self._perhaps.discard(what)

        return answered

    def between_pages(self) -> None:
        """A page of a listing was answered: the next one may miss what it would have shown."""
        self._pages += 1
        for away in self.removals.pop(self._pages, ()):
            self.emulator.remove_predictions(self.group, uuid=away)

    def rows(self) -> list[Mapping[str, Any]]:
        """What the group holds."""
        return list(self.emulator.predictions(self.group))

    # Living through it

    def attempt(self, number: int = 0, **options: Any) -> Attempt:
        """Run one attempt with an edition of the documents."""
        return asyncio.run(self.live(number, **options))

    async def live(
        self,
        number: int = 0,
        *,
        count: int | None = None,
        journal: Callable[..., Log] | None = None,
        **options: Any,
    ) -> Attempt:
        """The same, in a running loop; `count` for fewer predictions, `journal` for another one."""
        count = self.count if count is None else count
        life = self.kind_of_life(self, self.connections)
        header = Header(self.settings.host, self.group, "a test")
        inner: Any = (journal or self.journal)(header)
        if (folder := in_folder(inner)) is not None and life.pretended:
            # Each attempt is a process of its own, so it says, and a dead one once anybody asks.
            for lease in leases_of(folder):
                lease._facts.update(pid=_NOBODY, started="0")
        log = KillableLog(inner, life)
        source = edition(count, number, self.large)
        results = Results(lambda _: not life.dead)
        attempt = Attempt(number, count, time.time(), 0.0, results.all, sent=life.sent)
        self.attempts.append(attempt)
        async with AsyncKognicClient(self.settings, tokens=self.tokens, switches=self.switches) as client:
            task = asyncio.create_task(
                upload(
                    source,
                    KillableClient(client, life),
                    predictions_group_uuid=self.group,
                    journal=Journal(log, upload=self.name, force=self.force),
                    observers=[results],
                    stop=life.stop,
                    switches=self.switches,
                    options=UploadOptions.of(
                        **{
                            "max_connections": self.connections,
                            "outage_timeout": self.outage_timeout,
                            "backoff": self.backoff,
                            "on_ambiguous": self.on_ambiguous,
                            "on_changed": self.on_changed,
                            "settle_after": self.settle_after,
                            **options,
                        }
                    ),
                )
            )
            death = asyncio.create_task(life.killed.wait())
            await asyncio.wait({task, death}, return_when=asyncio.FIRST_COMPLETED)
            death.cancel()
            if life.dead:
                while not task.done():
                    task.cancel()
                    await asyncio.wait({task}, timeout=0.05)
                log.leave()
            attempt.killed = life.dead
            if life.dead:
                with suppress(asyncio.CancelledError, Exception):
                    task.result()
                attempt.results.clear()
            else:
                try:
                    attempt.report = task.result()
                except KognicError as error:
                    attempt.error = error
            broken = attempt.report is not None and isinstance(attempt.report.stopped, KognicJournalError)
            # A run that ends for another reason first says that one, also when its journal fails then.
            attempt.orderly = not life.dead and not broken and not life.full
        attempt.ended = time.time()
        return attempt

    # Judging it

    def complaints(self) -> list[str]:
        """Return all that was promised and not kept, whatever the server can do."""
        said = list(self.wrong)
        rows = [row for row in self.emulator.predictions(self.group) if row["uuid"] not in self.foreign]
        for number, attempt in enumerate(self.attempts, start=1):
            said += [f"attempt {number}: {what}" for what in self._about(attempt, rows)]
        said += self._about_the_whole(rows)
        return said

    def _about(self, attempt: Attempt, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        if attempt.error is not None and attempt.sent:
            yield f"it could not begin ({attempt.error}), and sent something"
        if attempt.report is None:
            return
        scenes = [result.scene_uuid for result in attempt.results]
        if sorted(scenes) != sorted(demo.scene_uuid(i) for i in range(attempt.count)):
            yield f"{len(scenes)} results of {len(set(scenes))} scenes for {attempt.count} predictions"
        summary = attempt.report.summary
        told = (summary.uploaded, summary.skipped, summary.refused, summary.in_doubt, summary.unsent)
        tally = Counter(result.outcome for result in attempt.results)
        if told != tuple(tally[outcome] for outcome in Outcome):
            yield f"the report says {told}, the results {dict(tally)}"
        size = self.size_of(attempt.edition)
        there = {
            row["scene_uuid"]
            for row in rows
            if row["created_at"] <= attempt.ended
            and row["size"] == size[row["scene_uuid"]]
            and any(row["scene_uuid"] in one.sent for one in self.attempts if one.began <= attempt.began)
        }
        for scene, result in attempt.by_scene.items():
            if scene in there and result.outcome not in KNOWN | {Outcome.IN_DOUBT}:
                yield f"{scene} is {result.outcome.value} ({result.reason}: {result.message}), and is on the server"
            if result.outcome in KNOWN and result.prediction_uuid in self.foreign:
                yield f"{scene} was adopted, and is somebody else's"

    def _about_the_whole(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        last = self.attempts[-1]
        results = last.by_scene
        size = self.size_of(last.edition)
        for (scene, length), times in Counter((row["scene_uuid"], row["size"]) for row in rows).items():
            reason = results[scene].reason if scene in results else None
            told = self.on_ambiguous == "resend" and (
                reason == "resent" or results[scene].outcome is Outcome.IN_DOUBT
            )
            if times > 1 and not told:
                yield f"{scene} was created {times} times from one document ({length} bytes), and nothing says so"
        sizes = {row["uuid"]: (row["scene_uuid"], row["size"]) for row in rows}
        scenes = {row["scene_uuid"] for row in rows}
        replaces = self.emulator.faults()["repeated_scene"] == "replace"
        for scene, result in results.items():
            if result.outcome not in KNOWN:
                continue
            if replaces and self.on_ambiguous == "resend":
                if scene not in scenes:
                    yield f"{scene} is {result.outcome.value}, and is not on the server"
            elif result.prediction_uuid not in sizes:
                yield f"{scene} is {result.outcome.value}, and {result.prediction_uuid} is not on the server"
            elif sizes[result.prediction_uuid] != (scene, size[scene]):
                whose = sizes[result.prediction_uuid][0]
                if self.gives_old_answers and whose in results and results[whose].outcome is Outcome.IN_DOUBT:
                    continue  # the answer that was lost is given for another: nobody can tell
                yield f"{scene} is {result.outcome.value} as another: {sizes[result.prediction_uuid]}"
        yield from self._about_what_was_known()

    def _about_what_was_known(self) -> Iterator[str]:
        """What an attempt that ended in order knows as created, all later ones know, too."""
        for number, attempt in enumerate(self.attempts):
            if attempt.report is None or not attempt.orderly:
                continue
            for later in self.attempts[number + 1 :]:
                if later.report is None or later.edition != attempt.edition:
                    continue
                for scene, result in attempt.by_scene.items():
                    again = later.by_scene.get(scene)
                    if (
                        result.outcome in KNOWN
                        and result.digest is not None  # else it was not read: another document may be known
                        and again is not None
                        and (again.outcome, again.prediction_uuid)
                        != (Outcome.SKIPPED, result.prediction_uuid)
                    ):
                        yield f"{scene} was created in attempt {number + 1}, and is {again.outcome.value} later"

    def size_of(self, number: int) -> dict[str, int]:
        """The bytes of each document of an edition."""
        if number not in self._sizes:
            self._sizes[number] = {
                one.scene_uuid: len(one.read())
                for one in edition(self.count, number, self.large)
                if not isinstance(one, Result)
            }
        return self._sizes[number]

    def __str__(self) -> str:
        """What happened, for whoever has to find out why."""
        lines = [f"{self.count} predictions, {self.on_ambiguous}, {self.connections} connections"]
        for number, attempt in enumerate(self.attempts, start=1):
            ended = (
                "killed" if attempt.killed else attempt.error or (attempt.report and attempt.report.stopped)
            )
            lines.append(f"attempt {number}, edition {attempt.edition}: {ended or 'ended in order'}")
            lines += [f"  {one}" for one in attempt.results]
        rows = self.emulator.predictions(self.group)
        return "\n".join([*lines, "on the server:", *(f"  {row}" for row in rows)])

    def wait_until_quiet(self) -> None:
        """Wait until the server has carried out what it has received: on a busy machine that takes a while.

        But for late commits, which it owes to nobody who waits.
        """
        until = time.monotonic() + 60
        while time.monotonic() < until:
            stats = self.emulator.stats()
            route = "POST /v1/predictions-groups/{uuid}/predictions"
            if sum(stats["requests"].get(route, {}).values()) >= stats["prediction_posts"]:
                return
            time.sleep(0.005)

    def open_scenes(self) -> set[str]:
        """The scenes of which the journal knows an intent and no outcome."""
        return {f"{one[:8]}-{one[8:12]}-{one[12:16]}-{one[16:20]}-{one[20:]}" for one in self._open()}

    def _open(self) -> set[str]:
        return self._doubted | {one for one, kind in self._durable.items() if kind in {"i", "d"}}
