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
        """Make one of its text and of what it says, which is what the documentation says of it."""
        made = str.__new__(cls, text)
        made._value_ = text
        made.says = says
        return made

    says: str

    # Of entries of the source.
    NOT_A_UUID = "not_a_uuid", "the file or row is not named by a scene's uuid"
    DUPLICATE_SCENE = "duplicate_scene", "the scene stands earlier in the source; the first one counts"
    UNREADABLE = (
        "unreadable",
        "the file is missing, no regular file, cannot be read, or does not hold any more what a receipt says of it",
    )
    BAD_ROW = (
        "bad_row",
        "the row lacks what a row has to have, a scene, and its document or path; or has one of them twice",
    )
    UNKNOWN_SCENE = (
        "unknown_scene",
        'its external id is of no scene, or of invalidated ones only (with `scene_names="external_id"`)',
    )
    AMBIGUOUS_SCENE = (
        "ambiguous_scene",
        'its external id is of several scenes (with `scene_names="external_id"`)',
    )
    # Of documents.
    TOO_LARGE = "too_large", "the document is larger than `max_document_bytes`"
    NOT_JSON = (
        "not_json",
        'the document is compressed or no JSON (`validation="off"`), or a row in memory cannot be written as JSON',
    )
    NO_OPENLABEL = "no_openlabel", 'the document has no object `openlabel` (with `validation="off"`)'
    INVALID = (
        "invalid",
        "the document breaks a rule of the format; the message has the first three errors, and how to see all",
    )
    NO_ANNOTATIONS = (
        "no_annotations",
        "the dataset has no annotations of the scene, so it can take no prediction (where `dataset` is given)",
    )
    CLASS_NOT_MAPPED = (
        "class_not_mapped",
        "a class of the document has no row in the class mapping (where one is known)",
    )
    SCENE_MISMATCH = (
        "scene_mismatch",
        'the document does not fit its scene (with `scene_check="error"`); the message says which rules it breaks',
    )
    CHANGED = "changed", "the scene's prediction was created from another document (`on_changed`)"
    # Of what was sent.
    RESENT = (
        "resent",
        'it was sent again after its answer was lost (`on_ambiguous="resend"`): there may be two of the scene',
    )
    EARLIER_RUN = "earlier_run", "an earlier try or run sent it, or was about to, and its answer is not known"
    UNCLEAR = (
        "unclear",
        "its answer was lost, and the group holds a prediction of the scene that may have been there before",
    )
    UNEXPECTED = "unexpected", "an error that nobody foresaw, while it was sent; the log has all of it"
    # Of what was not.
    STORE_UNAVAILABLE = (
        "store_unavailable",
        "its document could not be read, as the store did not answer; another try may",
    )
    RUN_ENDED = "run_ended", "the run ended first; the message says why"

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
