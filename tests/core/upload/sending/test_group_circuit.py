"""Whether a 404 is about the scene or about the group, as sequences of answers: no server."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import pytest

from airflow_provider_kognic.core.errors import KognicError, KognicNotFoundError, KognicServerError
from airflow_provider_kognic.core.models import Outcome, Result
from airflow_provider_kognic.core.upload.ending import Ending
from airflow_provider_kognic.core.upload.sending.group_circuit import ENOUGH, GroupCircuit
from airflow_provider_kognic.core.upload.stop import Stop


def result(outcome: Outcome, status: int | None = None, number: int = 0) -> Result:
    return Result(f"scene {number}", f"source {number}", outcome, status=status, message="said")


def not_found(number: int = 0) -> Result:
    return result(Outcome.REFUSED, HTTPStatus.NOT_FOUND, number)


CREATED = result(Outcome.CREATED)
DOUBT = result(Outcome.IN_DOUBT, 503)


def circuit_and_ending(
    exists: Callable[[], Awaitable[bool]] | None = None,
) -> tuple[GroupCircuit, Ending]:
    ending = Ending(Stop())
    return GroupCircuit("the group", exists=exists, ending=ending), ending


def test_404s_are_held_while_the_group_is_unknown() -> None:
    """And are final, in their order, with the first answer that shows that it is there."""

    async def story() -> None:
        circuit, ending = circuit_and_ending()
        assert circuit.settle([not_found(1)]) == []
        assert circuit.settle([DOUBT]) == [DOUBT]
        assert circuit.settle([not_found(2)]) == []
        circuit.answered()
        assert circuit.settle([CREATED]) == [not_found(1), not_found(2), CREATED]
        assert circuit.settle([not_found(3)]) == [not_found(3)]
        assert circuit.conclude() == []
        assert ending.why is None

    asyncio.run(story())


def test_a_pass_of_nothing_but_404s_means_that_the_group_is_unknown() -> None:
    """Then none of it was executed, and the run is over."""

    async def story() -> None:
        circuit, ending = circuit_and_ending()
        circuit.settle([not_found(1), not_found(2)])
        held = circuit.conclude()
        assert [one.outcome for one in held] == [Outcome.UNSENT] * 2
        assert isinstance(ending.why, KognicNotFoundError)
        assert "the predictions group the group is unknown: said" in str(ending.why)

    asyncio.run(story())


@pytest.mark.parametrize("in_flight", [0, 1])
def test_enough_of_them_keep_the_others_waiting(in_flight: int) -> None:
    """Until nothing is in flight any more: then it is decided, and those who wait go on to be told."""

    async def story() -> None:
        circuit, ending = circuit_and_ending()
        if in_flight:
            with circuit.in_flight():
                circuit.settle(not_found(n) for n in range(ENOUGH))
                waiting = asyncio.create_task(circuit.permit())
                await asyncio.sleep(0.01)
                assert not waiting.done()
                assert ending.why is None
            circuit.settle([not_found(ENOUGH)])
            await waiting
        else:
            circuit.settle(not_found(n) for n in range(ENOUGH))
            await circuit.permit()
        assert isinstance(ending.why, KognicNotFoundError)
        assert len(circuit.conclude()) == ENOUGH + in_flight

    asyncio.run(story())


def test_an_answer_to_one_in_flight_lets_the_others_on() -> None:
    """The 404s were about their scenes."""

    async def story() -> None:
        circuit, ending = circuit_and_ending()
        with circuit.in_flight():
            circuit.settle(not_found(n) for n in range(ENOUGH))
            waiting = asyncio.create_task(circuit.permit())
            await asyncio.sleep(0)
            circuit.answered()
        assert len(circuit.settle([CREATED])) == ENOUGH + 1
        await waiting
        assert ending.why is None

    asyncio.run(story())


@pytest.mark.parametrize(
    ("known", "there", "asked_after", "ends"),
    [
        (False, True, 1, False),
        (False, False, 1, True),
        (True, True, ENOUGH, False),
        (True, False, ENOUGH, True),
    ],
)
def test_the_dataset_is_asked(*, known: bool, there: bool, asked_after: int, ends: bool) -> None:
    """At once while the group is unknown; a known one may have been deleted: after twenty 404s in a row."""

    async def story() -> None:
        asked = 0

        async def exists() -> bool:
            nonlocal asked
            asked += 1
            return there

        circuit, _ = circuit_and_ending(exists)
        circuit.known = known
        for number in range(1, asked_after):
            assert await circuit.not_found(KognicNotFoundError("no", status=404)) is None
            assert asked == 0, number
        error = await circuit.not_found(KognicNotFoundError("no", status=404))
        assert asked == 1
        assert (error is not None) is ends
        assert circuit.known is (known or there)

    asyncio.run(story())


def test_a_dataset_that_cannot_be_asked_says_nothing() -> None:
    """The 404 is held like any other."""

    async def exists() -> bool:
        raise KognicServerError("busy", status=503)

    async def story() -> None:
        circuit, ending = circuit_and_ending(exists)
        assert await circuit.not_found(KognicNotFoundError("no", status=404)) is None
        assert not circuit.known
        assert ending.why is None

    asyncio.run(story())


def test_after_another_end_what_is_held_is_unsent() -> None:
    """The reason for the end stays."""

    async def story() -> None:
        circuit, ending = circuit_and_ending()
        circuit.settle([not_found(1)])
        why = KognicError("stopped")
        ending.halt(why)
        await circuit.permit()
        assert [one.outcome for one in circuit.conclude()] == [Outcome.UNSENT]
        assert ending.why is why

    asyncio.run(story())
