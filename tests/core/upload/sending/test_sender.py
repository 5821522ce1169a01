"""What becomes of a prediction, by the answers it gets: scripted answers, no server."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_kognic.core.cancellation import CancelledBeforeSending
from airflow_provider_kognic.core.errors import (
    KognicConnectionError,
    KognicError,
    KognicNoAnswerError,
    KognicNotFoundError,
    KognicPermissionError,
    KognicRateLimitError,
    KognicRequestError,
    KognicServerError,
    KognicUnauthorizedError,
)
from airflow_provider_kognic.core.models import Outcome, Prediction, Result
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.reporting.events import Answered, Event, Retried, Sent
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.upload.ending import Ending
from airflow_provider_kognic.core.upload.records import ToSend
from airflow_provider_kognic.core.upload.sending.group_circuit import GroupCircuit
from airflow_provider_kognic.core.upload.sending.same_refusal import SameRefusal
from airflow_provider_kognic.core.upload.sending.sender import Sender
from airflow_provider_kognic.core.upload.sending.throttle import Throttle
from airflow_provider_kognic.core.upload.stop import Stop

SCENE, MADE = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10", "0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a01"
PREDICTION = Prediction(SCENE, "a source", lambda: b"")
SEND = ToSend(PREDICTION, b"{}", "d" * 64)
LOST = Result(SCENE, "a source", Outcome.IN_DOUBT, message="lost", attempts=1)

NOT_CONNECTED = KognicConnectionError("refused")
LIMITED = KognicRateLimitError("slow down", status=429)
NO_ANSWER = KognicNoAnswerError("reset")
BROKEN = KognicServerError("oops", status=503)
UNAUTHORIZED = KognicUnauthorizedError("who", status=401)
FORBIDDEN = KognicPermissionError("no", status=403)
REFUSED = KognicRequestError("bad", status=422)
NOT_FOUND = KognicNotFoundError("what", status=404)


@dataclass
class Delivery:
    """A prediction that was delivered, and what was seen of it."""

    result: Result
    posts: int
    recorded: list[Result]
    events: list[Event]
    why: KognicError | None
    sent: list[str] = field(default_factory=list)


def deliver(
    answers: Sequence[str | KognicError | Exception], send: ToSend = SEND, **options: Any
) -> Delivery:
    """Deliver it to a server that gives these answers; the last one for ever."""
    recorded: list[Result] = []
    events: list[Event] = []
    posts = 0

    async def post(_scene: str, _document: bytes) -> str:
        nonlocal posts
        answer = answers[min(posts, len(answers) - 1)]
        posts += 1
        if isinstance(answer, str):
            return answer
        raise answer

    async def probe() -> None:
        raise KognicServerError("still down", status=503)

    async def story() -> tuple[Result, KognicError | None]:
        told = UploadOptions.of(**{"backoff": Backoff(0.001, 0.002, 1.0, 4), "max_connections": 2, **options})
        ending = Ending(Stop())
        throttle = Throttle(told, probe=probe, emit=events.append)
        ending.on_halt(lambda _: throttle.close())
        sender = Sender(
            post,
            recorded.append,
            throttle=throttle,
            circuit=GroupCircuit("a group", exists=None, ending=ending),
            same=SameRefusal(lambda: False),
            ending=ending,
            options=told,
            emit=events.append,
        )
        return await asyncio.wait_for(sender.deliver(send), 10), ending.why

    result, why = asyncio.run(story())
    return Delivery(result, posts, recorded, events, why)


RESEND: dict[str, Any] = {"on_ambiguous": "resend"}


@pytest.mark.parametrize(
    ("answers", "options", "outcome", "reason", "posts", "ends"),
    [
        ([MADE], {}, "created", None, 1, False),
        # Certainly not executed: again, and unsent if that happens too often.
        ([LIMITED, NOT_CONNECTED, MADE], {}, "created", None, 3, False),
        ([LIMITED, MADE, MADE], {}, "created", None, 2, False),
        (
            [NOT_CONNECTED],
            {"outage_timeout": 60, "max_connections": 10},
            "unsent",
            "ConnectionError",
            4,
            False,
        ),
        # A token that is not taken: once with another.
        ([UNAUTHORIZED, MADE], {}, "created", None, 2, False),
        ([UNAUTHORIZED], {}, "unsent", "http_401", 2, True),
        # Nobody may.
        ([FORBIDDEN], {}, "unsent", "http_403", 1, True),
        # Refused, or not found.
        ([REFUSED], {}, "refused", "http_422", 1, False),
        ([NOT_FOUND], {}, "refused", "http_404", 1, False),
        # In doubt, and never sent again, but where one asked for it.
        ([BROKEN], {}, "in_doubt", "http_503", 1, False),
        ([NO_ANSWER], {}, "in_doubt", "NoAnswerError", 1, False),
        ([BROKEN], {"on_ambiguous": "skip"}, "in_doubt", "http_503", 1, False),
        ([BROKEN], {"on_ambiguous": "fail"}, "in_doubt", "http_503", 1, False),
        ([BROKEN, MADE], RESEND, "created", "resent", 2, False),
        ([BROKEN, REFUSED], RESEND, "in_doubt", "http_503", 2, False),
        ([BROKEN, NO_ANSWER, MADE], RESEND, "created", "resent", 3, False),
        ([BROKEN, FORBIDDEN], RESEND, "in_doubt", "http_503", 2, True),
        ([BROKEN], {**RESEND, "max_connections": 10}, "in_doubt", "http_503", 4, False),
        # What nobody foresaw.
        ([RuntimeError("a bug")], {}, "in_doubt", "unexpected", 1, True),
    ],
)
def test_what_becomes_of_it(
    answers: list[str | KognicError],
    options: dict[str, Any],
    outcome: str,
    reason: str,
    posts: int,
    *,
    ends: bool,
) -> None:
    """By its answers and the policy."""
    done = deliver(answers, **options)
    assert (done.result.outcome.value, done.result.reason, done.posts) == (outcome, reason, posts)
    assert (done.why is not None) is ends
    assert done.result.digest == SEND.digest


def test_a_lost_answer_is_noted_before_it_is_sent_again() -> None:
    """Or a kill between the two would leave it as never sent."""
    done = deliver([BROKEN, NO_ANSWER, MADE], **RESEND)
    assert [(one.outcome, one.attempts) for one in done.recorded] == [
        (Outcome.IN_DOUBT, 1),
        (Outcome.IN_DOUBT, 2),
    ]


def test_without_resend_the_caller_notes_it() -> None:
    """What is delivered is recorded once, by the one who asked."""
    assert deliver([BROKEN]).recorded == []


@pytest.mark.parametrize("answers", [[LIMITED], [REFUSED], [FORBIDDEN], [NOT_CONNECTED]])
def test_what_was_lost_before_stays_in_doubt(answers: list[KognicError]) -> None:
    """Only `created` ends it: what an earlier request did is not undone by a later refusal."""
    lost_before = ToSend(PREDICTION, b"{}", "d" * 64, lost=LOST)
    done = deliver(answers, lost_before, max_connections=10, **RESEND)
    assert done.result.outcome is Outcome.IN_DOUBT


def test_an_outage_ends_the_run_also_for_what_was_lost_before() -> None:
    """Nobody goes on waiting for a server that has not answered for too long."""
    lost_before = ToSend(PREDICTION, b"{}", "d" * 64, lost=LOST)
    for send, outcome in ((SEND, Outcome.UNSENT), (lost_before, Outcome.IN_DOUBT)):
        done = deliver([NOT_CONNECTED], send, outage_timeout=0.05, **RESEND, max_connections=1)
        assert done.result.outcome is outcome
        assert "no success for" in str(done.why)


def test_what_is_sent_again_goes_on_counting_its_attempts() -> None:
    """The receipt says how often this run sent it."""
    again = ToSend(PREDICTION, b"{}", "d" * 64, attempts=2, again=True)
    done = deliver([MADE], again)
    assert done.result.attempts == 3
    assert done.result.message == "its answer was lost; sent again, as the group's listing did not show it."


def test_its_events_come_in_order() -> None:
    """Each request is sent and answered; a pause lies between two of them."""
    done = deliver([NOT_CONNECTED, UNAUTHORIZED, MADE])
    kinds = [type(event) for event in done.events]
    assert kinds == [Sent, Answered, Retried, Sent, Answered, Retried, Sent, Answered]
    answers = [event.error for event in done.events if isinstance(event, Answered)]
    assert answers == [NOT_CONNECTED, UNAUTHORIZED, None]
    assert [event.attempt for event in done.events if isinstance(event, Sent)] == [1, 2, 3]


def test_what_was_cut_off_before_it_left_has_not_succeeded() -> None:
    """Whoever counts requests must not take it for one that was created."""
    events: list[Event] = []

    async def waits_for_a_connection(_scene: str, _document: bytes) -> str:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            raise CancelledBeforeSending from None
        return MADE

    async def works() -> None:
        """The server answers."""

    async def story() -> Result:
        stop = Stop()
        ending = Ending(stop)
        ending.watch()
        sender = Sender(
            waits_for_a_connection,
            lambda _: None,
            throttle=Throttle(UploadOptions(), probe=works),
            circuit=GroupCircuit("a group", exists=None, ending=ending),
            same=SameRefusal(lambda: False),
            ending=ending,
            options=UploadOptions(),
            emit=events.append,
        )
        delivery = asyncio.create_task(sender.deliver(SEND))
        await asyncio.sleep(0)
        stop.request("killed", drain=0.01)
        result = await asyncio.wait_for(delivery, 10)
        await ending.close()
        return result

    assert asyncio.run(story()).outcome is Outcome.UNSENT
    (answered,) = (event for event in events if isinstance(event, Answered))
    assert "killed" in str(answered.error)
