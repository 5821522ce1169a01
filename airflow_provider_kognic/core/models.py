"""The records that the parts of an upload hand to each other: frozen facts, and what a uuid is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.texts import brief

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_kognic.core.reasons import Reason

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_uuid(text: object) -> bool:
    """Tell whether `text` is a uuid in its usual form of 36 characters."""
    return isinstance(text, str) and _UUID.fullmatch(text) is not None


def parse_uuid(text: object, what: str) -> str:
    """Return `text` as a lower-case uuid.

    Args:
        text: What should be a uuid of 36 characters (8-4-4-4-12 hexadecimal digits).
        what: What it names, for the message: "dataset", "predictions group", "scene".

    Raises:
        KognicInputError: It is not one, so it must not become part of a URL.
    """
    stripped = text.strip() if isinstance(text, str) else text
    if not isinstance(stripped, str) or not is_uuid(stripped):
        raise KognicInputError(
            f"{brief(text)} is no uuid of a {what}: expected 36 characters such as"
            " 6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10."
        )
    return stripped.lower()


@dataclass(frozen=True)
class Span:
    """A range of scenes, in the order of their uuids: from one on, and up to another one, which is not in it.

    What is to be named by a scene and is not (`notes`, an empty text) has its place in the same order.

    Attributes:
        first: The first uuid in it, lower case; None where it is open to the left.
        before: The first one after it; None where it is open to the right.
    """

    first: str | None = None
    before: str | None = None

    @property
    def is_all(self) -> bool:
        """Whether every scene is in it."""
        return self.first is None and self.before is None

    def holds(self, name: str) -> bool:
        """Tell whether what has this name is in it: a scene's uuid, in lower case, or whatever else."""
        return (self.first is None or self.first <= name) and (self.before is None or name < self.before)

    def overlaps(self, other: Span) -> bool:
        """Tell whether a scene may be in both."""
        return _is_below(self.first, other.before) and _is_below(other.first, self.before)


def _is_below(first: str | None, before: str | None) -> bool:
    return first is None or before is None or first < before


def unknown_size() -> int | None:
    """Say that nobody knows how large a document is before it is read."""
    return None


@dataclass(frozen=True)
class Prediction:
    """One prediction of a source, not read yet.

    Attributes:
        scene_uuid: The scene that it predicts; lower case.
        source: Where it stands, for people: a path, or a path and a line.
        read: Returns the document's bytes (`{"openlabel": ...}`), also a second time; raises Refused.
        size: Returns about how many bytes it has, without reading it, or None where that is not known so cheaply.
            A hint, for what is held in memory: asked where it is read, so that a listing asks nothing of each file.
    """

    scene_uuid: str
    source: str
    read: Callable[[], bytes] = field(repr=False, compare=False)
    size: Callable[[], int | None] = field(default=unknown_size, repr=False, compare=False)


class Outcome(str, Enum):
    """What became of a prediction.

    `created`: the server answered with its uuid. `skipped`: an earlier attempt had created it, so nothing was
    sent. `refused`: it was not accepted, here or by the server. `in_doubt`: sent, but whether the server
    executed it is unknown. `unsent`: certainly not executed, because the run ended first or its document could not
    be read.
    """

    CREATED = "created"
    SKIPPED = "skipped"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"
    UNSENT = "unsent"


class Refused(Exception):  # noqa: N818 - a result that travels as an exception, not an error of the program
    """A prediction that must not or could not be sent.

    Args:
        reason: Which kind.
        message: What was found and what to do, for people.

    Attributes:
        outcome: What becomes of the prediction.
    """

    outcome = Outcome.REFUSED

    def __init__(self, reason: Reason, message: str) -> None:
        message = masked(message)
        super().__init__(message)
        self.reason = reason
        self.message = message


class NotRead(Refused):
    """A prediction that was not sent, as its document could not be read: its store did not answer."""

    outcome = Outcome.UNSENT


@dataclass(frozen=True)
class Result:
    """The outcome of one prediction of the source.

    Attributes:
        scene_uuid: The scene, or an empty string where the source did not name one.
        source: Where the prediction stood, for people.
        outcome: What became of it.
        prediction_uuid: What the server named it, for `created` and `skipped`.
        status: HTTP status of the last answer, where there was one.
        reason: Why, for programs: the text of a `Reason`, or of `reason_of`.
        message: The same for people.
        attempts: How often this run sent it.
        digest: SHA-256 of the document, in 64 hexadecimal digits; None where it was not read.
    """

    scene_uuid: str
    source: str
    outcome: Outcome
    prediction_uuid: str | None = None
    status: int | None = None
    reason: str | None = None
    message: str | None = None
    attempts: int = 0
    digest: str | None = None


@dataclass(frozen=True)
class Summary:
    """How an upload went; the five counts add up to `total`.

    Attributes:
        predictions_group_uuid: Where to.
        uploaded: Predictions that this run created.
        skipped: Created by an earlier run.
        refused: Not accepted, here or by the server.
        in_doubt: Sent with unknown effect.
        unsent: Not sent, because the run ended first.
        duration_s: Seconds from start to end.
    """

    predictions_group_uuid: str
    uploaded: int = 0
    skipped: int = 0
    refused: int = 0
    in_doubt: int = 0
    unsent: int = 0
    duration_s: float = 0.0

    @property
    def total(self) -> int:
        """All predictions of the source."""
        return self.uploaded + self.skipped + self.refused + self.in_doubt + self.unsent

    def to_dict(self) -> dict[str, Any]:
        """Return what goes through XCom: counts, `duration_s` (s) and `rate_per_s` (created per second)."""
        rate = self.uploaded / self.duration_s if self.duration_s > 0 else 0.0
        return {
            "predictions_group_uuid": self.predictions_group_uuid,
            "uploaded": self.uploaded,
            "skipped": self.skipped,
            "refused": self.refused,
            "in_doubt": self.in_doubt,
            "unsent": self.unsent,
            "total": self.total,
            "duration_s": round(self.duration_s, 3),
            "rate_per_s": round(rate, 2),
        }
