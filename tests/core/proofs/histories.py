"""What may happen to an upload: faults, deaths and a past, drawn at random; and whether the promise was kept."""

import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from airflow_provider_kognic.core.api.switches import Switches
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.models import Outcome, Prediction
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.proofs.simulated_attempts import KNOWN, POINTS, Fate, Story, edition, place
from tests.core.support import settings_for

# Seconds. A late commit comes a little after the client has given up, and within what `settle_after` is then.
_GIVES_UP = 0.2
_LATE = 0.22
_LAG = 0.03
_FOR_EVER = 1e6
_SETTLE_AFTER = 0.06

FAULTS: Mapping[str, Mapping[str, Any]] = {
    "429": {"kind": "429"},
    "503 before": {"kind": "503_before"},
    "503 after": {"kind": "503_after"},
    "504 before": {"kind": "504_before"},
    "504 after": {"kind": "504_after"},
    "close before": {"kind": "drop_before"},
    "close after": {"kind": "drop_after"},
    "reset before": {"kind": "drop_before", "reset": True},
    "reset after": {"kind": "drop_after", "reset": True},
    "hang": {"kind": "hang", "seconds": 5},
    "late commit": {"kind": "late_commit", "seconds": _LATE},
    "HTML before": {"kind": "html_error"},
    "HTML after": {"kind": "html_error", "commit": True},
    "garbage": {"kind": "garbage"},
    "no data": {"kind": "no_data"},
    "revoked": {"kind": "revoke_tokens"},
    "303 after": {"kind": "redirect", "status": 303, "commit": True, "location": "/elsewhere"},
    "307": {"kind": "redirect", "status": 307, "location": "/elsewhere"},
    "one uuid": {"kind": "same_uuid"},
    "surplus": {"kind": "surplus"},
}
PAIRS = tuple(product(FAULTS, POINTS))
_SLOW = {"hang", "late commit"}

_FURTHER: tuple[Mapping[str, Any], ...] = (
    {"kind": "ok"},
    {"kind": "429", "retry_after": 0},
    {"kind": "503_after"},
    {"kind": "503_before"},
    {"kind": "drop_after"},
    {"kind": "garbage"},
    {"kind": "revoke_tokens"},
    {"kind": "status", "status": 404},
    {"kind": "status", "status": 408},
    {"kind": "status", "status": 422},
    {"kind": "status", "status": 403},
    {"kind": "redirect", "location": "/elsewhere"},
)
_OF_THE_LISTING: tuple[Mapping[str, Any], ...] = tuple(
    {**fault, "match": {"method": "GET", "path": "/predictions$"}}
    for fault in (
        {"kind": "503_before"},
        {"kind": "drop_before"},
        {"kind": "garbage"},
        {"kind": "no_data"},
        {"kind": "429"},
        {"kind": "status", "status": 404},
    )
)


@dataclass(frozen=True)
class History:
    """What happens to an upload from its first attempt to the last one, which nothing befalls.

    Attributes:
        fault: What befalls the first `strikes` POSTs.
        point: Where an attempt is killed, when that was passed `passes` times.
        backend: Where the journal is.
        listing: What the server lists: `none`, `exact`, `cursors` (page by page with cursors), `lagging`, `stuck`
            (nothing newer for ever).
        repeated: What it does with a repeated scene.
        on_ambiguous: As for `upload`.
        connections: As for `upload`.
        count: Number of predictions.
        further: Faults of the POSTs after those.
        of_the_listing: Faults of the first listings.
        second: What else happens to an attempt, where, and when that was passed how often.
        past: What was there before: `none`; `foreign` (somebody else's prediction of the first scene); `edition`
            (another upload sent other documents); `edited` (so did this one); `forced` (another did, and this one
            forgets it).
        unreadable: The second attempt cannot read its journal after so many lines.
        grows: So many scenes enter the source after the first attempt.
        strangers: Somebody else's predictions in the group, all along: `none`; `newcomers` (of the scenes that
            enter the source later); `adding` (a person adds one by hand, before each attempt, of a scene that is
            not in doubt then); `removing` (of scenes of no concern, and a person removes two of them between two
            pages of a listing, see `removals`).
        removals: After so many pages of listings.
        respelled: From the second attempt on the host is spelled in another way.
        vanishes: The second attempt does not find the folder of the journal; it is back for the third.
    """

    fault: str
    point: str
    strikes: int
    passes: int
    backend: str
    listing: str
    repeated: str
    on_ambiguous: str
    connections: int
    count: int
    further: tuple[Mapping[str, Any], ...]
    of_the_listing: tuple[Mapping[str, Any], ...]
    second: tuple[str, str, int] | None
    past: str
    unreadable: int | None
    grows: int = 0
    strangers: str = "none"
    removals: tuple[int, ...] = ()
    respelled: bool = False
    vanishes: bool = False


def histories(
    pairs: st.SearchStrategy[tuple[str, str]], narrowed: Mapping[str, Any] | None = None
) -> st.SearchStrategy[History]:
    """Draw histories with these faults and kill points; what is `narrowed` has that value in each."""
    seldom = st.sampled_from([False, False, True])
    second = st.tuples(
        st.sampled_from(["kill", "stop", "full"]),
        st.sampled_from(POINTS),
        st.integers(1, 3),
    ).map(lambda one: ("full", "after_intent", one[2]) if one[:2] == ("full", "after_send") else one)
    return st.builds(
        lambda pair, **more: History(*pair, **{**more, **(narrowed or {})}),
        pairs,
        strikes=st.integers(1, 3),
        passes=st.sampled_from([1, 1, 1, 2]),
        backend=st.sampled_from(["local folder", "object store", "state store"]),
        listing=st.sampled_from(["none", "exact", "exact", "cursors", "lagging", "stuck"]),
        repeated=st.sampled_from(["stand_beside", "stand_beside", "replace", "conflict"]),
        on_ambiguous=st.sampled_from(["reconcile"] * 5 + ["resend", "resend", "skip", "fail"]),
        connections=st.sampled_from([1, 1, 1, 2, 2, 3, 4]),
        count=st.integers(4, 7),
        further=seldom.flatmap(
            lambda some: st.lists(st.sampled_from(_FURTHER), max_size=4 if some else 0).map(tuple)
        ),
        of_the_listing=seldom.flatmap(
            lambda some: st.lists(st.sampled_from(_OF_THE_LISTING), max_size=4 if some else 0).map(tuple)
        ),
        second=st.none() | second,
        past=st.sampled_from(["none", "none", "foreign", "edition", "edited", "forced"]),
        unreadable=seldom.flatmap(lambda some: st.integers(0, 4) if some else st.none()),
        grows=st.sampled_from([0, 0, 1, 2]),
        strangers=st.sampled_from(["none", "none", "newcomers", "adding", "removing"]),
        removals=st.lists(st.integers(1, 12), max_size=3, unique=True).map(tuple),
        respelled=seldom,
        vanishes=seldom,
    )


@dataclass(frozen=True)
class Lived:
    """A history that has been lived through.

    Attributes:
        story: Its attempts.
        struck: Whether the fault struck and the kill happened.
        complaints: What was promised and not kept.
    """

    story: Story
    struck: bool
    complaints: list[str]


@dataclass(frozen=True)
class Mode:
    """What of the API that is optional is made use of, and what the server has of it.

    Attributes:
        switches: What is made use of.
        server: Switches of the emulator.
        listing: Whether what the server lists settles doubt.
        refused: The scenes of predictions that are too large, by their numbers.
    """

    switches: Switches | None = None
    server: Mapping[str, Any] = field(default_factory=dict)
    listing: bool = True
    refused: tuple[int, ...] = ()


AS_DOCUMENTED = Mode()


def live(
    history: History,
    emulator: Emulator,
    tokens: TokenProvider,
    folder: Path,
    mode: Mode = AS_DOCUMENTED,
) -> Lived:
    """Live through a history, against a real server."""
    world: dict[str, Any] = {
        "predictions_listing": history.listing != "none",
        "listing_lag": {"lagging": _LAG, "stuck": _FOR_EVER}.get(history.listing, 0.0),
        "repeated_scene": history.repeated,
        "validate_openlabel": False,
        "page_size": 2,
        "paging": "cursor" if history.listing == "cursors" else "offset",
        **mode.server,
    }
    group = emulator.create_group()
    emulator.set_faults(world)
    emulator.reset_stats()
    calm = settings_for(emulator)
    lagging = 2 * _LAG if history.listing == "lagging" else 0.0
    story = Story(
        emulator,
        calm,
        tokens,
        group,
        place(history.backend, folder),
        history.count,
        on_ambiguous=history.on_ambiguous,
        on_changed="send"
        if history.past in {"edition", "edited"} and history.listing != "stuck"
        else "refuse",
        connections=history.connections,
        switches=mode.switches,
        large=mode.refused,
        gives_old_answers=history.fault == "one uuid",
        settle_after=_SETTLE_AFTER + lagging + (_LATE if history.fault in _SLOW else 0.0),
    )
    documents = _live_the_past(history, story)
    strangers = Strangers(history, story)
    script = [{**FAULTS[history.fault], "times": history.strikes}, *history.further, *history.of_the_listing]
    emulator.set_faults(world, script=script)
    kill = Fate("kill", history.point, history.passes)
    story.fates = [kill]
    if history.second is not None:
        story.fates.append(Fate(*history.second))
    if history.fault in _SLOW:
        story.settings = replace(calm, timeout=_GIVES_UP)
    for number in range(4):
        if number == 1:
            story.unreadable = history.unreadable
        if number == 1 and history.respelled:
            story.settings = replace(story.settings, base_url=_respelled(emulator.url))
        strangers.act()
        with _away(folder, story) if number == 1 and history.vanishes else nullcontext():
            story.attempt(documents, count=history.count - (0 if number else history.grows))
        story.wait_until_quiet()
        if all(fate.struck for fate in story.fates) and story.unreadable is None and number > 0:
            break
    story.fates, story.unreadable, story.settings = [], None, calm
    emulator.set_faults(world)
    strangers.act()
    doubtful = story.open_scenes()
    story.attempt(documents)
    faults = Counter(emulator.stats()["faults"])
    complaints = story.complaints() + _about_the_end(history, story, doubtful, mode)
    return Lived(story, kill.struck and faults[FAULTS[history.fault]["kind"]] > 0, complaints)


def _respelled(url: str) -> str:
    """The same host and port, typed by somebody else."""
    scheme, host, port = url.split(":")
    return f"{scheme.upper()}:{host}:00{port}/"


@contextmanager
def _away(folder: Path, story: Story) -> Iterator[None]:
    """Let the journals on the disk be gone, as after an unmount, until an attempt has seen that; else for good."""
    away = folder.with_name(f"{folder.name} away")
    before = len(story.attempts)
    folder.rename(away)
    folder.mkdir()
    yield
    if any(attempt.error is not None for attempt in story.attempts[before:]):
        shutil.rmtree(folder)
        away.rename(folder)
    else:
        shutil.rmtree(away)


class Strangers:
    """Others who change the group between two attempts, and while it is listed."""

    def __init__(self, history: History, story: Story) -> None:
        self._story = story
        self._kind = "none" if history.listing == "stuck" else history.strangers
        self._lag = 2 * _LAG if history.listing == "lagging" else 0.0
        self._scenes = [demo.scene_uuid(i) for i in range(history.count)]
        if self._kind == "newcomers":
            there = {row["scene_uuid"] for row in story.rows()}
            for scene in self._scenes[history.count - history.grows :]:
                if scene not in there:
                    self._add(scene)
        elif self._kind == "removing":
            # Two at a time: where pages overlap by a row, one less skips none.
            story.removals = {
                page: [self._add(demo.scene_uuid(20 + 2 * page + i)) for i in range(2)]
                for page in history.removals
            }

    def act(self) -> None:
        """Do what is done before an attempt."""
        if self._kind == "adding":
            open_, there = self._story.open_scenes(), {row["scene_uuid"] for row in self._story.rows()}
            free = [scene for scene in self._scenes if scene not in open_ and scene not in there]
            if free:
                self._add(free[-1])
        if self._kind != "none" and self._lag:
            time.sleep(self._lag)

    def _add(self, scene: str) -> str:
        uuid = self._story.emulator.add_prediction(self._story.group, scene)
        self._story.foreign.add(uuid)
        self._story.taken.add(scene)
        return str(uuid)


def _live_the_past(history: History, story: Story) -> int:
    """Do what was done before the upload; returns the edition of its documents."""
    if history.listing == "stuck":  # something is known as created that the listing does not show
        story.attempt(count=1)
    if history.past == "foreign" and history.listing != "stuck":
        (document,) = (one.read() for one in edition(1) if isinstance(one, Prediction))
        story.foreign.add(_post(story, demo.scene_uuid(0), document))
        story.taken.add(demo.scene_uuid(0))
        if history.listing == "lagging":
            time.sleep(2 * _LAG)
    # What older documents became may have been removed by hand, so that nothing known may be left to be missed.
    if history.past not in {"edition", "edited", "forced"} or history.listing == "stuck":
        return 0
    name = story.name
    if history.past != "edited":
        story.name = "an earlier upload"
    story.attempt()
    story.name, story.force = name, history.past == "forced"
    return 1


def _post(story: Story, scene: str, document: bytes) -> str:
    from airflow_provider_kognic.core.api.client import KognicClient

    with KognicClient(story.settings) as client:
        return client.create_prediction(story.group, scene, document)


def _about_the_end(history: History, story: Story, doubtful: set[str], mode: Mode) -> list[str]:
    """Return what the last attempt, which nothing befell, should have settled and has not."""
    last = story.attempts[-1]
    if last.report is None:
        return [f"the last attempt could not begin: {last.error}"]
    said = []
    if last.report.stopped is not None:
        said.append(f"the last attempt ended early: {last.report.stopped}")
    twice = last.edition > 0
    settles = mode.listing and history.listing in {"exact", "cursors", "lagging"}
    settles = settles and not history.of_the_listing
    too_large = {demo.scene_uuid(number) for number in mode.refused}
    for result in last.results:
        scene, outcome = result.scene_uuid, result.outcome
        taken = twice or scene in story.taken
        fine = (
            outcome in KNOWN
            or (scene in too_large and outcome is Outcome.REFUSED and result.reason == "body_limit")
            or (
                outcome is Outcome.REFUSED
                and history.repeated == "conflict"
                and taken
                and result.status == 409
            )
            or (outcome is Outcome.IN_DOUBT and scene in doubtful and _may_stay(history, settles=settles))
        )
        if not fine:
            said.append(f"in the end {scene} is {outcome.value}: {result.reason}, {result.message}")
    return said


def _may_stay(history: History, *, settles: bool) -> bool:
    """Whether doubt may stay doubt."""
    if history.on_ambiguous == "resend":
        return history.repeated == "conflict"
    return history.on_ambiguous in {"skip", "fail"} or not settles
