"""Sends one prediction until its outcome is known; what follows an error is decided by the table in `retries`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicError, KognicNoAnswerError, KognicOutageError
from airflow_provider_kognic.core.models import Outcome, Result
from airflow_provider_kognic.core.reasons import Reason, reason_of
from airflow_provider_kognic.core.reporting.events import Answered, Retried, Sent
from airflow_provider_kognic.core.retries import Verdict, verdict
from airflow_provider_kognic.core.texts import sentence
from airflow_provider_kognic.core.upload.ending import CutOff
from airflow_provider_kognic.core.upload.packing import Packing
from airflow_provider_kognic.core.upload.records import SENT_TWICE, unsent
from airflow_provider_kognic.core.upload.sending.throttle import Closed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow_provider_kognic.core.models import Prediction
    from airflow_provider_kognic.core.options import UploadOptions
    from airflow_provider_kognic.core.reporting.events import Event
    from airflow_provider_kognic.core.upload.ending import Ending
    from airflow_provider_kognic.core.upload.records import ToSend
    from airflow_provider_kognic.core.upload.sending.group_circuit import GroupCircuit
    from airflow_provider_kognic.core.upload.sending.same_refusal import SameRefusal
    from airflow_provider_kognic.core.upload.sending.throttle import Throttle

_SENT_AGAIN = "its answer was lost; sent again, as the group's listing did not show it."


class Sender:
    """Delivers predictions; as many calls of `deliver` may run at a time as there are connections.

        attempt --created--> created
        attempt --not executed (429, no connection)--> pause --> attempt; too often: unsent
        attempt --401--> attempt with a new token; a second time: the run ends, unsent
        attempt --refused--> refused; the group or everything refused: the run ends
        attempt --refused, compressed--> attempt as it is (see `packing`)
        attempt --redirect but 307, 308--> the run ends, in doubt
        attempt --answer lost--> in doubt; with `on_ambiguous="resend"` noted, then pause --> attempt, "lost before"
        lost before --anything but created--> in doubt, as it was

    Args:
        post: Sends a document of a scene, once, and returns the prediction's uuid; raises KognicError.
        record: Notes in the journal what became of a prediction.
        throttle: How many may be in flight.
        circuit: Whether a 404 is about the group.
        same: Whether all are refused for the same reason.
        ending: Whether the run goes on.
        options: The policies.
        emit: Takes the events `Sent`, `Answered` and `Retried`.
        packing: Makes plain what a server does not take compressed.
    """

    def __init__(
        self,
        post: Callable[[str, Any], Awaitable[str]],
        record: Callable[[Result], None],
        *,
        throttle: Throttle,
        circuit: GroupCircuit,
        same: SameRefusal,
        ending: Ending,
        options: UploadOptions,
        emit: Callable[[Event], None],
        packing: Packing | None = None,
    ) -> None:
        self._post = post
        self._record = record
        self._throttle = throttle
        self._circuit = circuit
        self._same = same
        self._ending = ending
        self._options = options
        self._emit = emit
        self._packing = packing or Packing()

    async def deliver(self, send: ToSend) -> Result:
        """Send a prediction and return its result: what the journal has to hold of it."""
        try:
            result = await self._until_known(send)
        except Closed:
            result = unsent(send.prediction, self._ending.why)
        except Exception as error:  # noqa: BLE001 - a bug of ours must not lose a prediction
            self._ending.broken(f"Sending {send.prediction.source} failed unexpectedly", error)
            result = replace(
                unsent(send.prediction, error),
                outcome=Outcome.IN_DOUBT,
                reason=Reason.UNEXPECTED,
                message=f"unexpected {type(error).__name__}: {sentence(error)}",
            )
        if send.lost is not None and result.outcome is Outcome.UNSENT:
            result = send.lost  # unsent now, but perhaps executed before
        return replace(result, digest=send.digest)

    async def _until_known(self, send: ToSend) -> Result:
        """Send until the outcome is known.

        Raises:
            Closed: The run ended, and it was never sent.
        """
        attempt, renewed, lost = send.attempts, False, send.lost
        while self._ending.why is None:
            attempt += 1
            send = await self._packing.as_it_goes(send)
            try:
                answer = await self._once(send, attempt)
            except Closed:
                break
            except KognicOutageError as error:  # it has lasted too long
                self._ending.halt(error)
                break
            if isinstance(answer, str):
                self._circuit.answered()
                self._packing.taken(send)
                return _created(send, attempt, answer, lost)
            if (plain := await self._packing.plain_after(send, answer)) is not None:
                send = plain
                self._circuit.answered()
                self._emit(Retried(send.prediction.scene_uuid, answer, 0.0))
                continue
            decided = verdict(answer)
            pause = self._pause_before_another(answer, decided, attempt, renewed=renewed)
            if pause is None:
                result = await self._conclude(answer, decided, send.prediction, attempt)
                return result if lost is None else _still_lost(lost, result)
            renewed = renewed or decided is Verdict.AGAIN_WITH_NEW_TOKEN
            if decided is Verdict.IN_DOUBT:
                lost = await self._conclude(answer, decided, send.prediction, attempt)
                self._record(lost)
            self._emit(Retried(send.prediction.scene_uuid, answer, pause))
            if pause:
                await self._ending.sleep(pause)
        if lost is None:
            raise Closed
        return lost

    def _pause_before_another(
        self, error: KognicError, decided: Verdict, attempt: int, *, renewed: bool
    ) -> float | None:
        """Return the seconds until it is sent once more, or None if it is not."""
        if decided is Verdict.AGAIN_WITH_NEW_TOKEN:
            return None if renewed else 0.0
        doubtful = decided is Verdict.IN_DOUBT and self._options.on_ambiguous.sends_again
        if (decided is Verdict.AGAIN or doubtful) and attempt < self._options.backoff.attempts:
            return self._options.backoff.delay(attempt, error.retry_after)
        return None

    async def _once(self, send: ToSend, attempt: int) -> str | KognicError:
        """Wait for a slot, send once, and return the uuid or what went wrong.

        Raises:
            Closed: The run ended first.
            KognicOutageError: The outage has lasted too long.
        """
        scene = send.prediction.scene_uuid
        await self._circuit.permit()
        entered = await self._throttle.enter()
        self._emit(Sent(scene, attempt))
        error: KognicError | None = None
        try:
            with self._circuit.in_flight():
                answer = await self._answer(send, entered)
            error = answer if isinstance(answer, KognicError) else None
        except Closed:
            error = self._ending.why
            raise
        finally:
            self._emit(Answered(scene, asyncio.get_running_loop().time() - entered, error))
        return answer

    async def _answer(self, send: ToSend, entered: float) -> str | KognicError:
        """Send, and give the slot back with what the answer says of the server."""
        try:
            with self._ending.cuttable():
                uuid = await self._post(send.prediction.scene_uuid, send.document)
        except KognicError as error:
            _forget_frames(error)
            if verdict(error) in {Verdict.AGAIN, Verdict.IN_DOUBT}:
                self._throttle.failed(error, entered)
            else:
                self._throttle.answered(entered)
            return error
        except CutOff as cut:
            self._throttle.leave(entered)
            if not cut.sent:
                raise Closed from None
            return KognicNoAnswerError("sent, and cut off while its answer was awaited.")
        except BaseException:
            self._throttle.leave(entered)
            raise
        self._throttle.answered(entered)
        return uuid

    async def _conclude(
        self, error: KognicError, decided: Verdict, prediction: Prediction, attempt: int
    ) -> Result:
        """Turn an error that is not tried again into a result, and end the run where it is everybody's."""
        refused = Result(
            prediction.scene_uuid,
            prediction.source,
            Outcome.REFUSED,
            status=error.status,
            reason=reason_of(error),
            message=error.message,
            attempts=attempt,
        )
        if decided.doubts:
            self._same.interrupted()
            if decided is Verdict.STOP_IN_DOUBT:
                self._ending.halt(error)
            return replace(refused, outcome=Outcome.IN_DOUBT)
        if decided is Verdict.AGAIN:  # often enough
            return replace(refused, outcome=Outcome.UNSENT)
        everybodys: KognicError | None = error
        if decided is Verdict.REFUSED:
            self._circuit.answered()
            everybodys = None
        elif decided is Verdict.STOP_IF_GROUP_UNKNOWN:
            everybodys = await self._circuit.not_found(error)
        if everybodys is not None:
            self._ending.halt(everybodys)
            return replace(refused, outcome=Outcome.UNSENT)
        if self._circuit.known and (pattern := self._same.note(error)) is not None:
            self._ending.halt(pattern)
        return refused


def _created(send: ToSend, attempt: int, uuid: str, lost: Result | None) -> Result:
    reason, said = (Reason.RESENT, SENT_TWICE) if lost is not None else (None, None)
    if send.again and lost is None:
        said = _SENT_AGAIN
    return Result(
        send.prediction.scene_uuid,
        send.prediction.source,
        Outcome.CREATED,
        prediction_uuid=uuid,
        reason=reason,
        message=said,
        attempts=attempt,
    )


def _still_lost(lost: Result, result: Result) -> Result:
    """Return the result of a prediction sent again after its answer was lost: only `created` ends the doubt."""
    return replace(
        lost,
        attempts=result.attempts,
        status=result.status,
        message=f"its answer was lost; sent again, it was {result.outcome.value}: {sentence(result.message)}",
    )


def _forget_frames(error: BaseException) -> None:
    """Drop the tracebacks: an error that is kept, in a log record or a report, must not keep its document."""
    current: BaseException | None = error
    while current is not None:
        current.__traceback__ = None
        current = current.__cause__ or current.__context__
