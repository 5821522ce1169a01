"""Whether a 404 is about the scene or about the predictions group, so that an unknown group ends the run early."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicError, KognicNotFoundError
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.texts import sentence
from airflow_provider_kognic.core.upload.ending import CutOff

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from airflow_provider_kognic.core.models import Result
    from airflow_provider_kognic.core.upload.ending import Ending

logger = logging.getLogger(__name__)

# Whatever is wrong with every document is said after this many, not after all of them.
ENOUGH = 20


class GroupCircuit:
    """Judges 404s.

        unknown --any other answer, or its dataset lists it--> known --404s in a row--> asks the dataset again
           |                                                                                 |
           | 20 answers, all 404, nothing in flight (or the end of a pass)                   | it lists it no more
           +------------------------------------> missing <----------------------------------+

    While it is unknown, results with a 404 are held back: they are about their scenes if the group turns out to be
    there, and were never executed if not. In `missing` the run has been halted.

    Args:
        group: The predictions group's uuid.
        exists: Asks its dataset whether it is there; None if that is not known.
        ending: Halted where it is missing.

    Attributes:
        known: Whether the group is there; set from outside where the journal knows of predictions in it.
    """

    def __init__(
        self,
        group: str,
        *,
        exists: Callable[[], Awaitable[bool]] | None,
        ending: Ending,
    ) -> None:
        self.known = False
        self._group = group
        self._exists = exists
        self._ending = ending
        self._held: list[Result] = []
        self._in_a_row = 0
        self._in_flight = 0
        self._may_send = asyncio.Event()
        self._may_send.set()
        ending.on_halt(lambda _: self._may_send.set())

    async def permit(self) -> None:
        """Wait, before a request, while enough 404s are held back and others in flight may still be answered."""
        self._judge_when_quiet()
        await self._may_send.wait()

    @contextlib.contextmanager
    def in_flight(self) -> Iterator[None]:
        """Count a request while it is on its way."""
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1

    def answered(self) -> None:
        """Note an answer that shows that the group is there: the 404s so far were about their scenes."""
        self.known = True
        self._in_a_row = 0
        self._may_send.set()

    async def not_found(self, error: KognicError) -> KognicError | None:
        """Note a 404; returns the error that ends the run where the dataset says that the group is unknown.

        Args:
            error: The answer.
        """
        self._in_a_row += 1
        if self._in_a_row >= ENOUGH:  # it may have been deleted meanwhile: look again
            self._in_a_row = 0
        elif self.known:
            return None
        if self._exists is None:
            return None
        try:
            with self._ending.cuttable():
                there = await self._exists()
        except CutOff:
            return None
        except KognicError as failure:
            logger.warning("Whether the predictions group exists cannot be asked: %s", failure)
            return None
        if there:
            self.answered()
            return None
        return self._unknown(error)

    def settle(self, results: Iterable[Result]) -> list[Result]:
        """Take results of what was sent, and return those that are final, which may be some that were held back."""
        final: list[Result] = []
        for result in results:
            is_404 = result.status == HTTPStatus.NOT_FOUND and result.outcome is Outcome.REFUSED
            if is_404 and not self.known:
                self._held.append(result)
                if len(self._held) >= ENOUGH:
                    self._may_send.clear()  # what is in flight may still be answered otherwise
            else:
                final.append(result)
        if self.known:
            final, self._held = [*self._held, *final], []
        self._judge_when_quiet()
        return final

    def conclude(self) -> list[Result]:
        """Return, at the end of a pass, what was held: if all answers were 404, the group is unknown."""
        if self._held and not self.known:
            self._trip()
        held, self._held = self._held, []
        return held if self.known else [replace(result, outcome=Outcome.UNSENT) for result in held]

    def _judge_when_quiet(self) -> None:
        """Where enough 404s are held back and nothing is in flight any more, the group is unknown."""
        if not self._may_send.is_set() and self._in_flight == 0:
            self._trip()

    def _trip(self) -> None:
        self._ending.halt(self._unknown(KognicNotFoundError(self._held[-1].message or "")))

    def _unknown(self, error: KognicError) -> KognicError:
        return KognicNotFoundError(
            f"the predictions group {self._group} is unknown: {sentence(error.message)} Check"
            " 'predictions_group_uuid', the host, and whether the credentials may see its dataset.",
            status=HTTPStatus.NOT_FOUND.value,
            method=error.method,
            url=error.url,
        )
