"""Who made these predictions? A run manifest: model, version, revision, thresholds, and which run uploaded them.

People give it as a dict; what is known besides is added. It is written into the group's description, line by line
beside what somebody wrote there, into the head of receipts, into asset events and summaries.

    Nightly run of the detector.

    Run manifest:
      model: detector
      version: 7
      thresholds: {"Car": 0.4}
      airflow: {"dag_id": "nightly", "run_id": "scheduled__2026-11-28"}
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.texts import brief, printable

MOST_BYTES = 2048
"""Bytes, as JSON, of a manifest that is given; what is added takes less than 2,000 more."""

AIRFLOW = "airflow"
"""The field that names Airflow's run, in which every two manifests differ."""

KEY = "run_manifest"
"""The one key of the head of receipts, which is their first line where there is a manifest."""

_MOST_DEPTH = 5
_TITLE = "Run manifest:"
_HEAD = f'{{"{KEY}": '
# Compiled when they are needed: DAG files import this all day.
_FIELD = r"[^\s:](?:[^:\n\r]{0,62}[^\s:])?"
_LINE = r"  ([^:\n]+): (.*)"


def check_run_manifest(value: Any) -> dict[str, Any] | None:
    """Return a manifest as JSON has it, or None where none is given.

    Args:
        value: A dict, or None.

    Raises:
        KognicInputError: It is something else, too large, or holds what JSON does not; the message says where.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise KognicInputError(
            f"'{KEY}' must be a dict, such as {{'model': 'detector', 'version': '7'}}, not {brief(value)}."
        )
    for name in value:
        if not isinstance(name, str) or re.fullmatch(_FIELD, name) is None:
            raise KognicInputError(
                f"'{KEY}' has a field {brief(name)}: the name of a field is text of 1 to 64 characters, on one line"
                " and without a colon."
            )
    plain = {printable(name): _plain(one, f"$.{name}", 1) for name, one in value.items()}
    size = len(json.dumps(plain))
    if size > MOST_BYTES:
        largest = max(plain, key=lambda name: len(json.dumps(plain[name])))
        raise KognicInputError(
            f"'{KEY}' has {size:,} bytes as JSON, more than {MOST_BYTES:,}: it goes into the group's description"
            f" and through Airflow's database. The largest field is {brief(largest)}: give its digest, or where it"
            " is."
        )
    return plain


def _plain(value: Any, where: str, depth: int) -> Any:
    if depth > _MOST_DEPTH:
        raise KognicInputError(f"'{KEY}' is nested more than {_MOST_DEPTH} deep, at {where}.")
    if isinstance(value, str):
        return _text(value, where)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        try:
            finite = math.isfinite(value)
        except OverflowError:  # an int that no float holds
            finite = False
        if not finite:
            raise KognicInputError(f"'{KEY}' holds {brief(value)} at {where}, which JSON has no number for.")
        return value
    if isinstance(value, Mapping):
        return {_key(name, where): _plain(one, f"{where}.{name}", depth + 1) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [_plain(one, f"{where}[{number}]", depth + 1) for number, one in enumerate(value)]
    raise KognicInputError(
        f"'{KEY}' holds {brief(value)} at {where}, a {type(value).__name__}: expected text, a number, true, false,"
        " None, or lists and dicts of these."
    )


def _key(name: Any, where: str) -> str:
    if not isinstance(name, str):
        raise KognicInputError(f"'{KEY}' has the key {brief(name)} at {where}: keys are text in JSON.")
    return _text(name, where)


def _text(value: str, where: str) -> str:
    """Return a text that can be written as UTF-8; that of a file's name may hold bytes that are none."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise KognicInputError(
            f"'{KEY}' holds {brief(value)} at {where}, which is no Unicode text, so that no request can"
            " carry it."
        ) from None
    return value


def described(description: str | None, manifest: Mapping[str, Any] | None) -> str | None:
    """Return a group's description with its manifest below what somebody wrote.

    Args:
        description: What somebody wrote, or None.
        manifest: As `check_run_manifest` returns it, with what was added; None for none.
    """
    if not manifest:
        return description
    lines = [_TITLE, *(f"  {name}: {text}" for name, text in _lines(manifest).items())]
    return "\n".join([*([description.rstrip(), ""] if description and description.strip() else []), *lines])


def differing(manifest: Mapping[str, Any], description: str | None) -> list[str] | None:
    """Return the names of the fields in which a manifest is another than that of a description.

    Airflow's run is passed over.

    Args:
        manifest: As for `described`.
        description: The description of a group that is there.

    Returns:
        The names, in their order; None where the description has no manifest.
    """
    _, found, after = (description or "").replace("\r\n", "\n").rpartition(f"{_TITLE}\n")
    if not found:
        return None
    there = {one[1]: one[2].rstrip() for line in after.split("\n") if (one := re.fullmatch(_LINE, line))}
    here = {name: text.rstrip() for name, text in _lines(manifest).items()}
    names = [name for name in dict.fromkeys([*here, *there]) if name != AIRFLOW]
    return [name for name in names if here.get(name) != there.get(name)]


def common(manifests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what several manifests agree on, as those of shards."""
    first, *others = manifests or ({},)
    return {name: value for name, value in first.items() if all(one.get(name) == value for one in others)}


def head(manifest: Mapping[str, Any] | None) -> bytes:
    """Return the line that stands before the rows of receipts; nothing where there is no manifest."""
    return b"" if manifest is None else json.dumps({KEY: manifest}).encode("ascii") + b"\n"


def is_head(line: str | bytes) -> bool:
    """Tell whether a line is one that `head` has made."""
    return line.startswith(_HEAD) if isinstance(line, str) else line.startswith(_HEAD.encode())


def head_of(line: str | bytes) -> dict[str, Any]:
    """Return the manifest of such a line; raises ValueError where it was cut off."""
    found: dict[str, Any] = json.loads(line)[KEY]
    return found


def _lines(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return each field as text on one line: text as it is where that is plain, all else as JSON."""
    return {
        name: value if _is_plain(value) else json.dumps(value, ensure_ascii=False, sort_keys=True)
        for name, value in manifest.items()
    }


def _is_plain(value: Any) -> bool:
    """Tell whether a value is text that can stand on a line as it is."""
    if not isinstance(value, str) or not value or value[0] in '"[{':
        return False
    return value == printable(value).strip() and "\n" not in value
