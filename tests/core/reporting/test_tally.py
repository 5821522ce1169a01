"""Counts add up, the first of what went wrong is kept and said, and every result is told once."""

import logging
from collections.abc import Callable

import pytest

from airflow_provider_kognic.core.errors import KognicError
from airflow_provider_kognic.core.models import Outcome, Result
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.reporting.events import Event, Settled
from airflow_provider_kognic.core.reporting.tally import Tally


def result(outcome: Outcome, reason: str | None = None, number: int = 0) -> Result:
    return Result(f"scene {number}", f"source {number}", outcome, reason=reason, message="said")


def tally_of(
    *results: Result, may_settle_later: Callable[[Result], bool] = lambda _: False
) -> tuple[Tally, list[Event]]:
    events: list[Event] = []
    tally = Tally("a group", may_settle_later=may_settle_later, emit=events.append)
    tally.add(*results)
    return tally, events


def test_each_outcome_has_its_count() -> None:
    """And each result is told, in its order."""
    results = [result(outcome) for outcome in Outcome for _ in range(2 + list(Outcome).index(outcome))]
    tally, events = tally_of(*results)
    summary = tally.report(None, journaled=True).summary
    assert (summary.uploaded, summary.skipped, summary.refused, summary.in_doubt, summary.unsent) == (
        *(2, 3, 4, 5, 6),
    )
    assert summary.total == tally.done == 20
    assert events == [Settled(one) for one in results]


@pytest.mark.parametrize(
    ("outcomes", "succeeded"),
    [
        ((), False),
        ((Outcome.REFUSED, Outcome.IN_DOUBT, Outcome.UNSENT), False),
        ((Outcome.CREATED,), True),
        ((Outcome.SKIPPED,), True),
    ],
)
def test_whether_anything_succeeded(outcomes: tuple[Outcome, ...], *, succeeded: bool) -> None:
    """In this run or an earlier one."""
    assert tally_of(*map(result, outcomes))[0].succeeded is succeeded


def test_reasons_are_counted_and_the_first_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    """Twenty of them are shown; every doubt is, as nothing else knows it later."""
    caplog.set_level(logging.WARNING)
    results = [result(Outcome.REFUSED, Reason.INVALID, number) for number in range(30)]
    results += [result(Outcome.IN_DOUBT, "http_503", 100 + number) for number in range(5)]
    results += [result(Outcome.UNSENT, Reason.RUN_ENDED)]
    report = tally_of(*results)[0].report(None, journaled=False)
    assert report.reasons == {"invalid": 30, "http_503": 5, "run_ended": 1}
    assert {type(reason) for reason in report.reasons} == {str}
    assert [one.scene_uuid for one in report.first] == [
        f"scene {number}" for number in (*range(20), *range(100, 105))
    ]
    assert len(report.in_doubt) == 5
    said = [record.getMessage() for record in caplog.records]
    assert len([one for one in said if one.startswith("refused: ")]) == 20
    assert len([one for one in said if one.startswith("in_doubt: ")]) == 5
    assert said.count("Further ones that are refused or unsent are counted, not shown.") == 1


def test_memory_for_doubts_is_bounded() -> None:
    """A thousand are kept, all are counted."""
    report = tally_of(*[result(Outcome.IN_DOUBT)] * 1500)[0].report(None, journaled=False)
    assert (len(report.in_doubt), report.summary.in_doubt) == (1000, 1500)


@pytest.mark.parametrize("may", [True, False])
def test_it_knows_whether_a_later_attempt_may_settle_doubt(*, may: bool) -> None:
    """One such doubt suffices."""
    tally, _ = tally_of(result(Outcome.IN_DOUBT), result(Outcome.CREATED), may_settle_later=lambda _: may)
    assert tally.report(None, journaled=True).settles is may


@pytest.mark.parametrize(
    ("total", "went_through", "unsent", "uncounted"),
    [
        (3, True, 0, 0),
        (5, False, 2, 2),
        (5, True, 2, 2),
        (None, True, 0, 0),
        (None, False, 0, -1),
        (2, False, 0, -1),
    ],
)
def test_it_adds_up_to_what_the_source_holds(
    total: int | None, unsent: int, uncounted: int, *, went_through: bool
) -> None:
    """Also where the source broke off."""
    tally, events = tally_of(*[result(Outcome.CREATED)] * 3)
    tally.add_missing(total, went_through=went_through)
    report = tally.report(KognicError("over"), journaled=True)
    assert (report.summary.unsent, report.uncounted) == (unsent, uncounted)
    assert len(events) == 3


def test_what_comes_late_is_shown_though_others_were_many(caplog: pytest.LogCaptureFixture) -> None:
    """Each outcome and reason has its first few, and those in doubt take nobody's place."""
    results = [result(Outcome.IN_DOUBT, "lost", number) for number in range(30)]
    results += [result(Outcome.REFUSED, "invalid", number) for number in range(100, 140)]
    results += [result(Outcome.REFUSED, "changed", number) for number in range(200, 210)]
    results += [result(Outcome.UNSENT, Reason.STORE_UNAVAILABLE, number) for number in range(300, 310)]
    report = tally_of(*results)[0].report(None, journaled=False)

    shown = [int(one.scene_uuid.removeprefix("scene ")) for one in report.first]
    assert shown == [*range(20), *range(100, 120), 200, 201, 202, *range(300, 310)]
    lines = [record.message for record in caplog.records]
    named = [line for line in lines if line.startswith(("in_doubt:", "refused:", "unsent:"))]
    assert len(named) == 30 + 20 + 3 + 10  # all of those in doubt, and all that could not be read
    assert lines.count("Further ones that are refused or unsent are counted, not shown.") == 1
