"""The matrix of `promise`: whatever happens, with every journal, listing and server; then a resume."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.api import network as transport
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.journal import lease
from airflow_provider_kognic.core.journal.leases import Leases
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.upload.reconciliation import rounds
from airflow_provider_kognic.emulator.faults.settings import Settings as World
from airflow_provider_kognic.emulator.testing import Emulator, running_emulator
from tests.core.proofs.histories import FAULTS
from tests.core.proofs.promise import ALL, DOUBT, POLICIES, ROWS, Row, columns, matrix
from tests.core.proofs.simulated_attempts import KNOWN, POINTS, Attempt, Fate, Life, Story, place, trusting
from tests.core.support import free_port, settings_for

# A process that is killed leaves its sockets to the system; here it is only pretended to be one.
pytestmark = [pytest.mark.proof, pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")]

COUNT = 40
CONNECTIONS = 2
# Seconds. A late commit comes a moment after the client has given up.
GIVES_UP = 0.2
LATE = 0.23
LAG = 0.1
DOCS = Path(__file__).parents[3] / "docs" / "guarantees.md"

in_doubt: dict[str, int] = {}


@pytest.fixture(scope="module")
def tokens(shared_emulator: Emulator) -> TokenProvider:
    return TokenProvider(settings_for(shared_emulator))


@pytest.fixture(scope="module")
def restarted() -> Iterator[Emulator]:
    """An emulator that may be restarted."""
    with running_emulator() as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at a lagging listing, and at another attempt's lease, after moments."""
    monkeypatch.setattr(transport, "ssl_context", trusting)
    monkeypatch.setattr(rounds, "LOOKS_AT_A_LAGGING_LISTING", (0.01, 0.1, 0.1))
    monkeypatch.setattr(lease, "_POLL", 0.02)


def world_of(listing: str, repeated: str) -> dict[str, Any]:
    return {
        "predictions_listing": listing != "none",
        "listing_lag": LAG if listing == "lagging" else 0.0,
        "repeated_scene": repeated,
        "validate_openlabel": False,
        "page_size": 5,
    }


Scenario = Callable[[Story, dict[str, Any], pytest.MonkeyPatch], None]


def faults(*script: dict[str, Any], timeout: float | None = None) -> Scenario:
    """One attempt, whose POSTs meet these faults."""

    def scenario(story: Story, world: dict[str, Any], _patch: pytest.MonkeyPatch) -> None:
        story.emulator.set_faults(world, script=list(script))
        if timeout is not None:
            story.settings = replace(story.settings, timeout=timeout)
        story.attempt()
        stats = story.emulator.stats()
        assert all(stats["faults"].get(fault["kind"]) for fault in script)
        if timeout is None:
            assert stats["most_in_flight"] <= CONNECTIONS

    return scenario


def fates(*what: Fate, script: tuple[dict[str, Any], ...] = (), timeout: float | None = None) -> Scenario:
    """As many attempts as there are fates, each of which meets its own."""

    def scenario(story: Story, world: dict[str, Any], _patch: pytest.MonkeyPatch) -> None:
        story.emulator.set_faults(world, script=list(script))
        if timeout is not None:
            story.settings = replace(story.settings, timeout=timeout)
        for fate in what:
            story.fates = [replace(fate)]
            story.attempt()
            assert story.fates[0].struck

    return scenario


def away(story: Story, _world: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    """The host cannot be resolved at first, and then nobody listens there."""
    lookups, real, nobody = [0], socket.getaddrinfo, free_port()

    def look_up(host: Any, port: Any, *more: Any, **options: Any) -> Any:
        if port != story.emulator.port or threading.current_thread() is threading.main_thread():
            return real(host, port, *more, **options)
        lookups[0] += 1
        if lookups[0] <= 2:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(host, nobody if lookups[0] <= 4 else port, *more, **options)

    with patch.context() as patched:
        patched.setattr(socket, "getaddrinfo", look_up)
        story.attempt()
    assert lookups[0] >= 4


def wait_for_posts(emulator: Emulator, number: int) -> None:
    until = time.monotonic() + 60
    while emulator.stats()["prediction_posts"] < number and time.monotonic() < until:
        time.sleep(0.002)


def restart(story: Story, world: dict[str, Any], _patch: pytest.MonkeyPatch) -> None:
    """The server goes down in mid-run and comes back a moment later, with what it had committed."""
    emulator = story.emulator
    emulator._options = replace(emulator._options, settings=World.model_validate(world))
    emulator.restart()
    emulator.change_faults(rules=[{"kind": "latency", "seconds": 0.02}])

    in_mid_run = []

    def go_down() -> None:
        wait_for_posts(emulator, 3)
        in_mid_run.append(not story.attempts[-1].ended)
        emulator.restart()

    thread = threading.Thread(target=go_down)
    thread.start()
    story.attempt()
    thread.join()
    assert in_mid_run == [True]


class Alive(Life):
    pretended = False


def overlap(story: Story, world: dict[str, Any], _patch: pytest.MonkeyPatch) -> None:
    """The second begins while the first one is at it, in a thread and an event loop of its own."""
    story.emulator.set_faults(world, rules=[{"kind": "latency", "seconds": 0.02}])
    story.kind_of_life = Alive
    _both(story, story.journal)


def overlap_moved(story: Story, world: dict[str, Any], _patch: pytest.MonkeyPatch) -> None:
    """The same; the second one's source has another name."""
    story.emulator.set_faults(world, rules=[{"kind": "latency", "seconds": 0.02}])
    story.kind_of_life = Alive
    _both(story, partial(story.journal, source="another source"))


def _both(story: Story, journal: Callable[..., Any]) -> None:
    first = threading.Thread(target=story.attempt)
    first.start()
    wait_for_posts(story.emulator, 3)
    story.attempt(journal=journal)
    first.join()
    story.attempts.sort(key=lambda attempt: attempt.ended)
    assert len(story.attempts) == 2


def fault(name: str, times: int = 3) -> dict[str, Any]:
    return {**FAULTS[name], "times": times}


OK = {"kind": "ok"}
NEVER_ANSWERED = {"kind": "late_commit", "seconds": 0.1}

SCENARIOS: dict[str, Scenario] = {
    **{
        name: faults(OK, fault(name))
        for name in (
            "503 before",
            "503 after",
            "504 before",
            "504 after",
            "reset before",
            "reset after",
            "close before",
            "close after",
            "garbage",
        )
    },
    "429": faults(OK, {"kind": "429", "times": 12}, {"kind": "429", "retry_after": 0, "times": 4}),
    "late commit": faults(OK, {"kind": "late_commit", "seconds": LATE, "times": 2}, timeout=GIVES_UP),
    "revoked": faults(*(step for _ in range(3) for step in ({"kind": "revoke_tokens"}, {**OK, "times": 5}))),
    "away": away,
    "restarted": restart,
    "full": fates(*(Fate("full", point) for point in ("after_outcome", "after_intent", "before_intent"))),
    "stop": fates(Fate("stop", "after_send", 3, drain=3.0)),
    "timeout": fates(Fate("stop", "after_send", 3, drain=0.02), script=(OK, {**NEVER_ANSWERED, "times": 2})),
    "kill": fates(*(Fate("kill", point, 2 if point == "after_send" else 1) for point in POINTS)),
    "overlap": overlap,
    "overlap moved": overlap_moved,
}


def live(
    row: Row,
    emulator: Emulator,
    tokens: TokenProvider,
    patch: pytest.MonkeyPatch,
    folder: Path,
    backend: str,
    listing: str,
    repeated: str,
    on_ambiguous: str = "reconcile",
) -> tuple[Story, Attempt, set[str]]:
    """Let it happen, then resume with a healthy server; returns what was in doubt in between, too."""
    world = world_of(listing, repeated)
    group = emulator.create_group()
    emulator.set_faults(world)
    emulator.reset_stats()
    settle_after = 0.1 + (2 * LAG if listing == "lagging" else 0.0)
    if row.key in {"late commit", "timeout"}:
        settle_after += LATE
    calm = settings_for(emulator)
    if row.key == "away":
        calm = replace(calm, base_url=f"http://localhost:{emulator.port}")
    story = Story(
        emulator,
        calm,
        tokens,
        group,
        place(backend, folder),
        COUNT,
        connections=CONNECTIONS,
        on_ambiguous=on_ambiguous,
        settle_after=settle_after,
    )
    SCENARIOS[row.key](story, world, patch)
    story.wait_until_quiet()
    emulator.set_faults(world)
    story.settings, story.fates = calm, []
    doubtful = story.open_scenes()
    last = story.attempt()
    if row.key == "timeout":
        time.sleep(LATE)  # what was received may come late
    return story, last, doubtful


def check(story: Story) -> None:
    complaints = story.complaints()
    assert not complaints, "\n".join([*complaints, str(story)])


def test_without_a_lease_of_the_upload_it_is_doubled(
    emulator: Emulator, tokens: TokenProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug: what the matrix says of two attempts with different sources can fail."""
    begin = Leases.__init__

    def careless(
        self: Leases, folder: Any, source_key: str, _upload_key: str | None = None, **more: Any
    ) -> None:
        begin(self, folder, source_key, None, **more)

    monkeypatch.setattr(Leases, "__init__", careless)
    (row,) = [row for row in ROWS if row.key == "overlap moved"]
    story, _, _ = live(row, emulator, tokens, monkeypatch, tmp_path, "local folder", "exact", "stand_beside")
    assert story.complaints()
    assert emulator.count_predictions(story.group) > COUNT


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
@pytest.mark.parametrize(("backend", "listing", "repeated"), list(columns()))
def test_reconciled(
    request: pytest.FixtureRequest,
    emulator: Emulator,
    tokens: TokenProvider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    row: Row,
    backend: str,
    listing: str,
    repeated: str,
) -> None:
    """None is lost, none is there twice, and each is what the promise says."""
    if row.key == "restarted":
        emulator = request.getfixturevalue("restarted")
        tokens = TokenProvider(settings_for(emulator))
    story, last, doubtful = live(row, emulator, tokens, monkeypatch, tmp_path, backend, listing, repeated)
    check(story)
    assert last.report is not None
    assert last.report.stopped is None
    everything = set(story.size_of(0))
    left = last.scenes(Outcome.IN_DOUBT)
    in_doubt[row.key] = in_doubt.get(row.key, 0) + len(left)
    assert last.scenes(*KNOWN) == everything - left
    if row.promise(backend, listing) == ALL:
        assert left == set()
        assert emulator.count_predictions(story.group) == COUNT
    else:
        assert left <= doubtful


def test_no_promise_is_too_modest(request: pytest.FixtureRequest) -> None:
    """Where doubt may stay, some does."""
    if set(in_doubt) == {row.key for row in ROWS}:
        modest = {row.key for row in ROWS if DOUBT in {row.unlisted, row.unlisted_in_state_store}}
        assert {key for key, number in in_doubt.items() if number} == modest


@pytest.mark.parametrize("row", [row for row in ROWS if row.key != "restarted"], ids=lambda row: row.key)
@pytest.mark.parametrize("repeated", ["stand_beside", "replace", "conflict"])
@pytest.mark.parametrize("on_ambiguous", ["resend", "skip", "fail"])
def test_other_policies(
    emulator: Emulator,
    tokens: TokenProvider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    row: Row,
    repeated: str,
    on_ambiguous: str,
) -> None:
    """At least once, and what may be there twice is told; or at most once, and the rest stays in doubt."""
    story, last, doubtful = live(
        row, emulator, tokens, monkeypatch, tmp_path, "state store", "none", repeated, on_ambiguous
    )
    check(story)
    left = last.scenes(Outcome.IN_DOUBT)
    assert last.scenes(*KNOWN) == set(story.size_of(0)) - left
    assert left <= doubtful
    if on_ambiguous == "resend" and repeated != "conflict":
        assert left == set()
        assert {row["scene_uuid"] for row in emulator.predictions(story.group)} == set(story.size_of(0))


def test_the_docs_say_what_is_promised() -> None:
    """The tables in the docs are the data of this test."""
    tables = re.findall(r"(?:^\|.*\n)+", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    shown = [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
        for table in tables
    ]
    assert matrix() in shown
    assert [[f"`{name}`", text] for name, text in POLICIES.items()] in shown
