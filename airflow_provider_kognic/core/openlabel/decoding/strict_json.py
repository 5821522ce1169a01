"""JSON -> values, with everything that a JSON parser usually swallows: repeated keys, NaN, numbers beyond a double.

The standard library's parser, because it tells of each pair of an object; msgspec then has the last word on what is
well-formed.
"""

from __future__ import annotations

import codecs
import json
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from airflow_provider_kognic.core.openlabel.decoding.limits import MOST_DEPTH, Unreadable
from airflow_provider_kognic.core.openlabel.issues import plain, show_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_kognic.core.openlabel.issues import Issues, Path

# The digits of the largest double: a longer integer is none.
_MOST_DIGITS = 309


class Repeating(dict[str, Any]):
    """An object in which keys occur more than once; the last value of each is kept, as everywhere.

    Attributes:
        repeated: How often each of them occurs.
    """

    repeated: dict[str, int]


class NotFinite(float):
    """A number that is none: NaN, Infinity, or beyond a double.

    Attributes:
        written: As it stands in the document.
    """

    __slots__ = ("written",)
    written: str

    def __repr__(self) -> str:
        return self.written


def parse(document: bytes, path: Path, issues: Issues) -> Any:
    """Parse JSON, adding issues for what it is not.

    Args:
        document: JSON, UTF-8.
        path: Its path, where it is part of a document.
        issues: Gets the issues.

    Raises:
        Unreadable: It is no JSON, or nested too deeply.
    """
    shown = show_path(path) or "(document)"
    if not document.strip():
        raise Unreadable("not_json", shown, "nothing: it is empty")
    if document.startswith(codecs.BOM_UTF8):
        raise Unreadable("not_json", shown, "a byte order mark at the start")
    try:
        value = _decode(document.decode())
    except UnicodeDecodeError as error:
        raise Unreadable("not_json", shown, f"not UTF-8: {error.reason} at byte {error.start:,}") from None
    except json.JSONDecodeError as error:
        found = f"{error.msg} at line {error.lineno:,}, column {error.colno:,}"
        raise Unreadable("not_json", shown, found) from None
    except RecursionError:
        raise Unreadable("too_large", shown, f"nested more than {MOST_DEPTH} levels deep") from None
    before = sum(issues.counts.values())
    _inspect(value, path, issues)
    if sum(issues.counts.values()) == before:
        try:
            msgspec.json.decode(document)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:  # such as half of a surrogate pair
            raise Unreadable("not_json", shown, str(error)) from None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    repeating = Repeating(value)
    counts: dict[str, int] = {}
    for name, _ in pairs:
        counts[name] = counts.get(name, 0) + 1
    repeating.repeated = {name: count for name, count in counts.items() if count > 1}
    return repeating


@lru_cache(maxsize=64)  # a document full of NaN holds one
def _not_finite(written: str) -> NotFinite:
    number = NotFinite("nan")
    number.written = plain(written)
    return number


def _float(written: str) -> float:
    number = float(written)
    return number if math.isfinite(number) else _not_finite(written)


def _int(written: str) -> float:
    if len(written) < _MOST_DIGITS:
        return int(written)
    if len(written) > _MOST_DIGITS + 1 or not math.isfinite(float(written)):
        return _not_finite(written)
    return int(written)


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_float, parse_int=_int, parse_constant=_not_finite
).decode


def _inspect(value: Any, path: Path, issues: Issues) -> None:
    """Add an issue for every repeated key and every number that is none."""
    if isinstance(value, dict):
        if isinstance(value, Repeating):
            for name, times in value.repeated.items():
                issues.add("duplicate_key", (*path, name), f"{times} times")
        children: Iterable[tuple[str | int, Any]] = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    else:
        if isinstance(value, NotFinite):
            issues.add("not_finite", path, value.written)
        return
    if len(path) > MOST_DEPTH:
        _too_deep(path)
    for key, child in children:
        if isinstance(child, (dict, list, NotFinite)):
            _inspect(child, (*path, key), issues)


def _too_deep(path: Path) -> NoReturn:
    raise Unreadable("too_large", show_path(path[:4]), f"nested more than {MOST_DEPTH} levels deep")
