"""Why a prediction is what it is: every `reason` that a receipt may hold, in one place.

Receipts, summaries and dry-run reports carry these as text; programs compare them, so a text never changes.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

    from airflow_provider_kognic.core.errors import KognicError


class Reason(str, Enum):
    """A reason that has one text; those with an HTTP status or an error's name are made by `reason_of`."""

    def __new__(cls, text: str, says: str) -> Self:
        """Make one of its text and of what it says; the latter is for the documentation."""
        made = str.__new__(cls, text)
        made._value_ = text
        made.says = says
        return made

    says: str

    # Of entries of the source.
    NOT_A_UUID = "not_a_uuid", "a file or row that is not named by a scene's uuid"
    DUPLICATE_SCENE = "duplicate_scene", "the scene stands earlier in the source; the first entry counts"
    UNREADABLE = "unreadable", "a file that is missing or cannot be read, or one that was changed meanwhile"
    BAD_ROW = "bad_row", "a row of JSON lines or of a manifest without what it needs"
    # Of documents.
    TOO_LARGE = "too_large", "the document is larger than `max_document_bytes`"
    NOT_JSON = "not_json", 'the document is not well-formed JSON (with `validation="off"`)'
    NO_OPENLABEL = "no_openlabel", 'a JSON document without an object `openlabel` (with `validation="off"`)'
    INVALID = "invalid", "the document breaks rules of the prediction format; the message names the first"
    NO_ANNOTATIONS = "no_annotations", "the dataset has no annotations of the scene"
    CLASS_NOT_MAPPED = "class_not_mapped", "a class of the document has no row in the class mapping"
    CHANGED = "changed", "the scene's prediction was created from another document"
    # Of what was sent.
    RESENT = "resent", "created or skipped, but sent more than once with an answer lost in between"
    EARLIER_RUN = "earlier_run", "an earlier run sent it, or was about to, and its answer is not known"
    UNCLEAR = "unclear", "its answer was lost, and whether what the group holds is it cannot be told"
    UNEXPECTED = "unexpected", "an error that nobody foresaw, while it was sent"
    # Of what was not.
    RUN_ENDED = "run_ended", "the run ended first"

    def __str__(self) -> str:
        return str.__str__(self)

    def __format__(self, spec: str) -> str:
        return str.__format__(self, spec)


def reason_of(error: KognicError) -> str:
    """Return the reason of a prediction that ended with an error of the API: `http_<status>` or the error's name.

    Args:
        error: What the last request ended with.

    Returns:
        Such as `http_422`, or `NoAnswerError` where there was no answer.
    """
    return f"http_{error.status}" if error.status else type(error).__name__.removeprefix("Kognic")
