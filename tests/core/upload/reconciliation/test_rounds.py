"""Rounds of asking about what is in doubt, with a scripted listing: no server."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicCredentialsError, KognicError
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.models import Outcome, Prediction, Result
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.reporting.events import Event, Held
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.upload.ending import Ending
from airflow_provider_kognic.core.upload.reconciliation import rounds as module
from airflow_provider_kognic.core.upload.reconciliation.listing import Listing, Look
from airflow_provider_kognic.core.upload.reconciliation.rounds import Reconciler, Round
from airflow_provider_kognic.core.upload.records import Doubt
from airflow_provider_kognic.core.upload.stop import Stop

SCENE, MADE = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10", "0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a01"
DIGEST = "d" * 64


class Scripted(Listing):
    """A listing that shows one look after the other, the last one for ever."""

    def __init__(self, looks: Sequence[Look | KognicError | None]) -> None:
        self.unusable = None
        self.looked = 0
        self._looks = looks

    async def take_baseline(self) -> None:
        raise AssertionError("not asked for here")

    async def look(self, scenes: Any) -> Look | None:
        look = self._looks[min(self.looked, len(self._looks) - 1)]
        self.looked += 1
        if isinstance(look, KognicError):
            raise look
        return look


def doubt(*, digest: str | None = DIGEST, attempts: int = 1) -> Doubt:
    lost = Result(SCENE, "a source", Outcome.IN_DOUBT, message="lost.", attempts=attempts)
    return Doubt(Prediction(SCENE, "a source", lambda: b""), lost, 0.0, True, DIGEST[:32], digest)  # noqa: FBT003


def tell(
    story: Callable[[Reconciler, Scripted, Journal, Ending, list[Event]], Awaitable[None]],
    looks: Sequence[Look | KognicError | None] = (),
    **options: Any,
) -> None:
    async def run() -> None:
        events: list[Event] = []
        journal, ending, listing = Journal(), Ending(Stop()), Scripted(looks)
        told = UploadOptions.of(**{"settle_after": 0.0, **options})
        await journal.intend(SCENE, DIGEST)
        reconciler = Reconciler(listing, journal, ending, told, events.append)
        await asyncio.wait_for(story(reconciler, listing, journal, ending, events), 10)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("outcome", "attempts", "on_ambiguous", "held"),
    [
        (Outcome.IN_DOUBT, 1, "reconcile", True),
        (Outcome.IN_DOUBT, 10, "reconcile", False),  # sent often enough
        (Outcome.IN_DOUBT, 1, "resend", False),
        (Outcome.IN_DOUBT, 1, "skip", False),
        (Outcome.IN_DOUBT, 1, "fail", False),
        (Outcome.CREATED, 1, "reconcile", False),
        (Outcome.REFUSED, 1, "reconcile", False),
        (Outcome.UNSENT, 1, "reconcile", False),
    ],
)
def test_what_is_held(outcome: Outcome, attempts: int, on_ambiguous: str, *, held: bool) -> None:
    """Doubts that the listing may settle."""

    async def story(reconciler: Reconciler, *_: Any) -> None:
        assert reconciler.takes(Result(SCENE, "a source", outcome, attempts=attempts)) is held

    tell(story, on_ambiguous=on_ambiguous, backoff=Backoff(attempts=10))


def test_what_is_listed_is_adopted_and_noted_first() -> None:
    """Created, with the uuid that the listing shows."""

    async def story(reconciler: Reconciler, _: Any, journal: Journal, __: Any, events: list[Event]) -> None:
        reconciler.hold(doubt())
        found = [done async for done in reconciler.rounds()]
        assert [(one.outcome, one.prediction_uuid) for one in found[0].settled] == [(Outcome.CREATED, MADE)]
        entry = journal.entry(SCENE)
        assert entry is not None
        assert entry.prediction_uuid == MADE
        assert [event.count for event in events if isinstance(event, Held)] == [1, 0]
        assert reconciler.give_up() == []

    tell(story, [Look({SCENE: [MADE]}, complete=True)])


def test_what_is_absent_is_noted_as_unsent_before_it_is_sent_again() -> None:
    """Or a kill between the two would leave a doubt that nothing can settle."""

    async def story(reconciler: Reconciler, _: Any, journal: Journal, *__: Any) -> None:
        reconciler.hold(doubt())
        async for done in reconciler.rounds():
            assert [one.prediction.scene_uuid for one in done.again] == [SCENE]
            entry = journal.entry(SCENE)
            assert entry is not None
            assert not entry.in_doubt
            break

    tell(story, [Look({}, complete=True)])


@pytest.mark.parametrize(("on_changed", "again"), [("refuse", False), ("send", True)])
def test_a_newer_document_follows_what_is_adopted(on_changed: str, *, again: bool) -> None:
    """As `on_changed` says, after the adoption."""

    async def story(reconciler: Reconciler, _: Any, journal: Journal, *__: Any) -> None:
        reconciler.hold(doubt(digest="e" * 64))
        async for done in reconciler.rounds():
            entry = journal.entry(SCENE)
            assert entry is not None
            assert entry.prediction_uuid == MADE
            assert bool(done.again) is again
            assert [one.reason for one in done.settled] == ([] if again else [Reason.CHANGED])
            break

    tell(story, [Look({SCENE: [MADE]}, complete=True)], on_changed=on_changed)


def test_a_listing_that_lags_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few times; then what is left is in doubt for good."""
    monkeypatch.setattr(module, "LOOKS_AT_A_LAGGING_LISTING", (0.001, 0.001))

    async def story(reconciler: Reconciler, listing: Scripted, *_: Any) -> None:
        reconciler.hold(doubt())
        assert [done async for done in reconciler.rounds()] == [Round()] * 3
        assert listing.looked == 3
        (left,) = reconciler.give_up()
        assert left.outcome is Outcome.IN_DOUBT
        assert left.message == "lost. The group's listing did not settle it."

    tell(story, [Look({})])


def test_what_is_too_recent_is_waited_for() -> None:
    """Until `settle_after` is over."""

    async def story(reconciler: Reconciler, listing: Scripted, *_: Any) -> None:
        loop = asyncio.get_running_loop()
        reconciler.hold(replace(doubt(), sent_by=loop.time()))
        found = []
        async for done in reconciler.rounds():
            found.append(done)
            if done.again:
                break
        assert [bool(done.again) for done in found] == [False, True]
        assert listing.looked == 2

    tell(story, [Look({}, complete=True)], settle_after=0.05)


@pytest.mark.parametrize("usable", [True, False])
def test_without_a_listing_doubt_stays_doubt(*, usable: bool) -> None:
    """Said in words of consequence."""

    async def story(reconciler: Reconciler, listing: Scripted, *_: Any) -> None:
        listing.unusable = None if usable else "HTTP 405: no such listing"
        reconciler.hold(doubt())
        assert [done async for done in reconciler.rounds()] == [Round()]
        (left,) = reconciler.give_up()
        assert left.outcome is Outcome.IN_DOUBT
        assert ("There is no listing to ask." in str(left.message)) is not usable
        assert reconciler.may_settle_later(left) is usable

    tell(story, [None])


def test_an_error_ends_the_run() -> None:
    """What is held stays in doubt, for that reason."""

    async def story(reconciler: Reconciler, _: Any, __: Any, ending: Ending, *___: Any) -> None:
        reconciler.hold(doubt())
        assert [done async for done in reconciler.rounds()] == [Round()]
        assert isinstance(ending.why, KognicCredentialsError)
        (left,) = reconciler.give_up()
        assert left.message == "lost. The run ended first."

    tell(story, [KognicCredentialsError("no token")])


def test_after_an_early_end_nobody_is_asked() -> None:
    """Whoever asked to stop does not wait for a listing."""

    async def story(reconciler: Reconciler, listing: Scripted, _: Any, ending: Ending, *__: Any) -> None:
        reconciler.hold(doubt())
        ending.halt(KognicError("stopped"))
        assert [done async for done in reconciler.rounds()] == []
        assert listing.looked == 0

    tell(story, [Look({})])
