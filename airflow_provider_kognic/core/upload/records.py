"""What the machines of an upload hand to each other, and the results that are told without asking the server."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from airflow_provider_kognic.core.errors import KognicAnswerError
from airflow_provider_kognic.core.models import Outcome, Prediction, Result
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.texts import sentence

if TYPE_CHECKING:
    from airflow_provider_kognic.core.errors import KognicError
    from airflow_provider_kognic.core.journal.ledger import Entry

# What a receipt says of a prediction that was sent more than once with an answer lost in between.
SENT_TWICE = (
    "sent again after its answer was lost, as on_ambiguous='resend' says: there may be two of this scene."
)


class Prepared(Protocol):
    """A document made ready to be sent otherwise than as it is; its length is that of the document."""

    def __len__(self) -> int: ...

    def plain(self) -> bytes:
        """Return the document as it was."""


@dataclass(frozen=True)
class ToSend:
    """A prediction that is to be sent.

    Attributes:
        prediction: The prediction.
        document: Its bytes, or what is sent in their place.
        digest: SHA-256 of them, in hexadecimal digits.
        attempts: How often this run has sent it.
        lost: The result in doubt of the last time it was sent, where it is sent again all the same; else None.
        again: Whether it was sent before and is known not to have been executed.
        packed: What it was refused with when it was sent compressed, where it is now sent as it is; else None.
    """

    prediction: Prediction
    document: bytes | Prepared
    digest: str
    attempts: int = 0
    lost: Result | None = None
    again: bool = False
    packed: KognicError | None = None


@dataclass(frozen=True)
class Doubt:
    """A prediction that may have been executed.

    Attributes:
        prediction: The prediction.
        lost: Its result as it stands: in doubt.
        sent_by: When it has surely been sent (s, monotonic clock).
        covered: Whether it is known what the group held of its scene before it was sent.
        intended: Digest of the document that was sent: 32 hexadecimal digits at least.
        digest: Digest of the document as it is now, or None where it cannot be read.
    """

    prediction: Prediction
    lost: Result
    sent_by: float
    covered: bool
    intended: str
    digest: str | None

    @property
    def changed(self) -> bool:
        """Whether the document is another one by now."""
        return self.digest is not None and not self.digest.startswith(self.intended)


Found = Result | Doubt | ToSend
"""What looking at an entry of the source comes to: nothing to send, something to ask about, something to send."""


def unsent(prediction: Prediction, why: object) -> Result:
    """Return the result of a prediction that was certainly not executed, because the run ended first."""
    return Result(
        prediction.scene_uuid,
        prediction.source,
        Outcome.UNSENT,
        reason=Reason.RUN_ENDED,
        message=f"the run ended first: {sentence(why)}",
    )


def changed(prediction: Prediction, known: Entry, digest: str | None) -> Result:
    """Return the result of a scene whose prediction was created from another document."""
    return Result(
        prediction.scene_uuid,
        prediction.source,
        Outcome.REFUSED,
        prediction_uuid=known.prediction_uuid,
        reason=Reason.CHANGED,
        message=f"prediction {known.prediction_uuid} of this scene was created from another document; the new one"
        " was not sent. on_changed='send' sends it too; remove the old one in the app then.",
        digest=digest,
    )


def check_whose(prediction_uuid: str, scene_uuid: str, known: str | None) -> None:
    """Check that the uuid in an answer is not that of another scene's prediction.

    Args:
        prediction_uuid: The uuid.
        scene_uuid: The scene that was sent.
        known: The scene that the prediction is known to be of, or None.

    Raises:
        KognicAnswerError: It is another: the answer is an earlier one, and says nothing of what was sent now.
    """
    if known is not None and known != scene_uuid:
        raise KognicAnswerError(
            f"the answer names prediction {prediction_uuid}, which is of scene {known}: the server, or a proxy in"
            " front of it, gave an earlier answer once more. A proxy must not cache answers to a POST."
        )


def replaced_in_place(created: Result) -> Result:
    """Return the result of a prediction whose answer names one that was there before, of the same scene."""
    said = (
        f"The server answered with the uuid of the scene's earlier prediction, {created.prediction_uuid}: it seems"
        " to have replaced it in place."
    )
    return replace(created, message=f"{sentence(created.message or '')} {said}".strip())


def skipped(prediction: Prediction, known: Entry, digest: str | None, message: str | None) -> Result:
    """Return the result of a prediction that an earlier run has created."""
    return Result(
        prediction.scene_uuid,
        prediction.source,
        Outcome.SKIPPED,
        prediction_uuid=known.prediction_uuid,
        reason=Reason.RESENT if known.resent else None,
        message=message,
        digest=digest,
    )


def lost_before(prediction: Prediction, digest: str | None) -> Result:
    """Return the result of a prediction that an earlier run left in doubt."""
    return Result(
        prediction.scene_uuid,
        prediction.source,
        Outcome.IN_DOUBT,
        reason=Reason.EARLIER_RUN,
        message="an earlier run sent it, or was about to, and its answer is not known.",
        digest=digest,
    )


def unsettled(doubt: Doubt, why: str) -> Result:
    """Return the result of a doubt that could not be settled."""
    return replace(
        doubt.lost, outcome=Outcome.IN_DOUBT, message=f"{sentence(doubt.lost.message or '')} {why}".strip()
    )
