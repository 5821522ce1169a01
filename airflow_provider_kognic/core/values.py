"""Single values that come as text or worse, from a connection or a template: made what they should be, or refused.

Nothing slow is imported here: DAG files are parsed all day.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import TypeVar

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.texts import brief

# What Kognic's documentation recommends at most: "something bigger than 10 might not work and is not recommended".
MOST_CONNECTIONS = 10
# Larger documents are neither sent nor checked, unless asked for otherwise.
MOST_DOCUMENT_BYTES = 256 << 20
# Of documents that are in memory at a time, over all connections. What is made of one on its way comes on top.
MOST_MEMORY_BYTES = 128 << 20

# Those of Airflow's own `to_boolean`, and their opposites.
_WORDS = dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True) | dict.fromkeys(
    ("false", "f", "no", "n", "off", "0"), False
)

# Python reads no number of thousands of them.
_DIGITS = 1000
# Beyond any count of predictions, scenes or bytes; a larger number cannot always be written, stored or compared.
_PLENTY = 1 << 62

_Choice = TypeVar("_Choice", bound=Enum)


def check_connections(value: object, what: str = "max_connections") -> int:
    """Return `value` as a number of connections.

    Raises:
        KognicInputError: It is not a whole number from 1 to 10.
    """
    number: object = value if (read := whole_number(value)) is None else read
    if isinstance(number, bool) or not isinstance(number, int):
        raise KognicInputError(
            f"{what} must be a whole number from 1 to {MOST_CONNECTIONS}, written without a point;"
            f" {brief(value)} is none."
        )
    if not 1 <= number <= MOST_CONNECTIONS:
        raise KognicInputError(
            f"{what} must be a whole number from 1 to {MOST_CONNECTIONS}, not {brief(value)}: Kognic's"
            " documentation recommends at most 10 calls at a time ('something bigger than 10 might not work and is"
            " not recommended')."
        )
    return number


def is_number(value: object) -> bool:
    """Tell whether a value out of JSON is a number to reckon with: a finite one, as floats have it, and no bool."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an int that no float holds
        return False


def whole_number(value: object) -> int | None:
    """Return what is a whole number, or text that is digits alone, as a number; None for all else.

    What is larger than anything that there is becomes a number that is so, too, and that can be written and kept.
    """
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value.strip()[:_DIGITS])
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return max(-_PLENTY, min(value, _PLENTY))


def check_seconds(value: object, what: str, *, zero: bool = False) -> float:
    """Return `value` as seconds.

    Raises:
        KognicInputError: It is no finite number above 0 (or from 0 on, with `zero`).
    """
    try:
        seconds = float(value)  # type: ignore[arg-type]  # whatever is no number is the except branch
    except (TypeError, ValueError, OverflowError):  # the last is an int that no float holds
        seconds = math.nan
    if isinstance(value, bool) or not math.isfinite(seconds) or seconds < 0 or (seconds == 0 and not zero):
        raise KognicInputError(
            f"{what} must be a number of seconds{'' if zero else ' above 0'}, not {brief(value)}."
        )
    return seconds


def check_metres(value: object, what: str) -> float:
    """Return `value` as metres.

    Raises:
        KognicInputError: It is no finite number above 0.
    """
    try:
        metres = float(value)  # type: ignore[arg-type]  # whatever is no number is the except branch
    except (TypeError, ValueError, OverflowError):
        metres = math.nan
    if isinstance(value, bool) or not math.isfinite(metres) or metres <= 0:
        raise KognicInputError(f"{what} must be a number of metres above 0, not {brief(value)}.")
    return metres


def check_bytes(value: object, what: str) -> int:
    """Return `value` as a number of bytes.

    Raises:
        KognicInputError: It is no whole number above 0.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _PLENTY:
        raise KognicInputError(f"{what} must be a whole number of bytes above 0, not {brief(value)}.")
    return value


def check_count(value: object, what: str) -> int:
    """Return `value` as a whole number above 0.

    Raises:
        KognicInputError: It is none.
    """
    number: object = value
    if isinstance(value, str) and value.strip().isdecimal():
        number = int(value.strip()[:_DIGITS])
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise KognicInputError(f"{what} must be a whole number above 0, not {value!r}.")
    return number


def check_confidence(value: object, what: str) -> float:
    """Return `value` as a number from 0 to 1.

    Raises:
        KognicInputError: It is none.
    """
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever is no number is the except branch
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not 0 <= number <= 1:
        raise KognicInputError(f"{what} must be a number from 0 to 1, or one for each class, not {value!r}.")
    return number


def check_flag(value: object, what: str) -> bool:
    """Return `value` as true or false; takes the usual words for them.

    Raises:
        KognicInputError: It is neither.
    """
    found = flag_of(value)
    if found is None:
        raise KognicInputError(f"{what} must be true or false, not {brief(value)}.")
    return found


def flag_of(value: object) -> bool | None:
    """Return what is true or false, or the usual words for them in any case, as a flag; None for all else."""
    return _WORDS.get(str(value).strip().lower())


def check_choice(value: object, what: str, choices: type[_Choice]) -> _Choice:
    """Return the choice of that text; raises KognicInputError if it is none of them."""
    if isinstance(value, choices):
        return value
    for choice in choices:
        if isinstance(value, str) and value == choice.value:
            return choice
    named = ", ".join(repr(choice.value) for choice in choices)
    raise KognicInputError(f"{what} must be one of {named}, not {brief(value)}.")
