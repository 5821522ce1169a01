"""What an upload may be told to do, checked where a DAG file is parsed: so nothing slow is imported here."""

from __future__ import annotations

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import MOST_DOCUMENT_BYTES

# What to do about a prediction whose answer was lost; about one whose document has changed since it was created;
# and how much a document is checked.
ON_AMBIGUOUS = ("reconcile", "resend", "skip", "fail")
ON_CHANGED = ("refuse", "send")
VALIDATION = ("strict", "off")


def check_choice(value: object, what: str, choices: tuple[str, ...]) -> str:
    """Return `value`; raises KognicInputError if it is none of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise KognicInputError(f"{what} must be one of {', '.join(map(repr, choices))}, not {value!r}.")
    return value


def check_max_document_bytes(value: object, validation: str) -> int:
    """Return `value` as a number of bytes.

    Raises:
        KognicInputError: It is none above 0, or more than `validation="strict"` can check.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise KognicInputError(f"max_document_bytes must be a whole number of bytes above 0, not {value!r}.")
    if validation == "strict" and value > MOST_DOCUMENT_BYTES:
        raise KognicInputError(
            f"max_document_bytes is {value:,}, but at most {MOST_DOCUMENT_BYTES:,} bytes of a document are checked."
            " Lower it, or set validation='off'."
        )
    return value
