"""When an upload is asked to end in order, and how long what is in flight gets then."""

import asyncio
from datetime import timedelta

import pytest

from airflow_provider_kognic.task.deadline import Deadline


@pytest.mark.parametrize(("receipts", "drain"), [(True, 2.0), (False, 2.5)])
def test_a_kill_leaves_time_for_receipts(receipts: bool, drain: float) -> None:  # noqa: FBT001
    deadline = Deadline(None, receipts=receipts)
    deadline.end_now()
    assert deadline.stop.reason == "the task was asked to end (killed, marked, cleared or timed out)"
    assert deadline.stop.drain == drain
    assert not deadline.has_passed


def test_the_first_reason_stays() -> None:
    """A task that is killed after its alarm has timed out."""

    async def wait() -> Deadline:
        deadline = Deadline(timedelta(seconds=0.2), receipts=False)
        deadline.set_alarm()
        await asyncio.sleep(0.2)
        deadline.end_now()
        return deadline

    deadline = asyncio.run(wait())
    assert deadline.stop.reason == "the task's execution_timeout is nearly over"
    assert deadline.has_passed


@pytest.mark.parametrize(
    ("seconds", "receipts", "margin", "drain"),
    [
        (3600.0, False, 5.0, 2.5),
        (3600.0, True, 10.0, 2.0),
        (12.0, True, 6.0, 2.0),
        (4.0, False, 2.0, 1.2),
        (0.0, False, 0.0, 0.0),
    ],
)
def test_the_alarm_leaves_a_margin_before_airflows(
    seconds: float,
    receipts: bool,  # noqa: FBT001
    margin: float,
    drain: float,
) -> None:
    """5 s, or 10 s with receipts, but at most half of the time."""
    calls: list[tuple[float, tuple[object, ...]]] = []

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later = lambda delay, _, *args: calls.append((delay, args))  # type: ignore[assignment, method-assign]
        Deadline(timedelta(seconds=seconds), receipts=receipts).set_alarm()
        del loop.call_later

    asyncio.run(ask())
    ((delay, (_, given)),) = calls
    assert delay == pytest.approx(seconds - margin, abs=1.0)
    assert given == pytest.approx(drain)


def test_without_a_timeout_there_is_no_alarm() -> None:
    async def wait() -> Deadline:
        deadline = Deadline(None, receipts=True)
        deadline.set_alarm()
        await asyncio.sleep(0)
        return deadline

    assert asyncio.run(wait()).stop.reason is None
