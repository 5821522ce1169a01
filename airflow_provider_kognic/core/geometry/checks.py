"""What is wrong with a number is said by its name."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOT_FINITE, BAD_SIZE, BAD_ROTATION = "not_finite", "bad_size", "bad_rotation"
_FLOATS = frozenset({float})
_MOST_NAMED = 10
_MOST_SHOWN = 40  # characters of what is no number


class WrongNumberError(ValueError):
    """A number that is one, and cannot be what it should be.

    Attributes:
        reason: In a word, for counting.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def numbers(
    given: Iterable[float], what: str, names: Sequence[str], *, more: bool = False
) -> tuple[float, ...]:
    """Return finite floats, as many as there are names.

    Args:
        given: What should be numbers: a list or tuple, an array.
        what: What they are together: `size`.
        names: What each of them is: `("width", "length", "height")`.
        more: Whether there may be more of them, which are not looked at.

    Raises:
        ValueError: If it is something else; the text says which number it is.
    """
    values: tuple[float, ...] | None = None
    if not isinstance(given, (str, bytes, bytearray)):
        with contextlib.suppress(TypeError):
            values = tuple(given)
    if values is None:
        raise ValueError(f"{what} is {_shown(given)}, not {_listed(names)}")
    if more:
        values = values[: len(names)]
    if len(values) != len(names):
        raise ValueError(f"{what} has {_counted(len(values))}, not {_listed(names)}")
    # A sum is finite only if all are; where it is not, or something is no float, each is looked at.
    if _FLOATS.issuperset(map(type, values)) and math.isfinite(sum(values)):
        return values
    return tuple(number(value, f"{what} {name}") for value, name in zip(values, names, strict=True))


def number(value: float, name: str) -> float:
    """Return a finite float.

    Raises:
        ValueError: If it is something else: a text, a bool, infinite, no number.
    """
    found: float | None = None
    if not isinstance(value, (str, bytes, bytearray, bool)):
        try:
            found = float(value)
        except (TypeError, ValueError):
            pass
        except OverflowError:
            found = math.inf
    if found is None:
        raise ValueError(f"{name} is {_shown(value)}, not a number")
    if not math.isfinite(found):
        raise WrongNumberError(NOT_FINITE, f"{name} is {found}, not a finite number")
    return found


def positive(value: float, name: str) -> float:
    """Return a finite float that is more than 0.

    Raises:
        ValueError: If it is something else.
    """
    if type(value) is float and 0 < value < math.inf:
        return value
    found = number(value, name)
    if found <= 0:
        raise WrongNumberError(BAD_SIZE, f"{name} is {found:g}, not more than 0")
    return found


def _counted(count: int) -> str:
    return "1 number" if count == 1 else f"{count} numbers"


def _listed(names: Sequence[str]) -> str:
    listed = f": {', '.join(names)}" if len(names) <= _MOST_NAMED else ""
    return f"{_counted(len(names))}{listed}"


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[: _MOST_SHOWN - 3]}..."
