"""How texts are put together that people read: where a sentence ends, and what of a line comes first.

A viewer of logs shows the beginning of a line; what matters most stands there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.masking import masked

if TYPE_CHECKING:
    from collections.abc import Mapping

# The last ones are wide and narrow forms, as CJK has them.
_ENDS = (".", "!", "?", "…", "。", "\uff01", "\uff1f", "\uff61")
_CLOSES = "\"')]}」』\uff09"
# Characters of a uuid; shorter text may stand in a path by chance.
_UUID = 36
# Characters of a value that a message shows: enough to know it by.
_SHOWN = 300
# What is not seen, and does something to a terminal or to the direction of a line; and what stands for bytes of a
# file's name that are no text, which a log that is written as UTF-8 or JSON cannot take.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# Reasons that are named where they are counted, and characters to which each is cut.
_SHOWN_REASONS = 5
_LONGEST_REASON = 60


def printable(text: str) -> str:
    """Return a text with its control characters escaped: a log must not do what it quotes."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def shortened(text: str, longest: int, *, ending: int = 0) -> str:
    """Return a text of at most so many characters, and a sign where something was left out.

    Args:
        text: On one line.
        longest: Characters.
        ending: So many of the last ones stay.
    """
    if len(text) <= longest:
        return text
    begin = text[: longest - ending].rstrip(" .,")
    return f"{begin}… {text[-ending:].lstrip(' .')}" if ending else f"{begin}…"


def counted(reasons: Mapping[str, int]) -> str:
    """Return the first few of reasons with their numbers, such as `invalid (2), http_500 (1).`."""
    shown = ", ".join(
        f"{shortened(printable(reason), _LONGEST_REASON)} ({number:,})"
        for reason, number in list(reasons.items())[:_SHOWN_REASONS]
    )
    return f"{shown}{', …' if len(reasons) > _SHOWN_REASONS else '.'}"


def many(number: int, one: str, several: str = "") -> str:
    """Return a number with what it is of: `1 prediction`, `2,000 predictions`.

    Args:
        number: How many.
        one: What one of them is called, and what goes with it: `prediction stays`.
        several: Likewise of several; what one is called with an s where that is all.
    """
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def sentence(text: object) -> str:
    """Return a text of somebody else's, such as a server's, so that a sentence of ours may follow it.

    It is on one line and ends with one full stop, whether it had one or not; nothing, or None, stays nothing. Its
    control characters are escaped.
    """
    said = "" if text is None else printable(" ".join(str(text).split())).rstrip(" ,;:")
    return said if not said or said.rstrip(_CLOSES).endswith(_ENDS) else f"{said}."


def brief(value: object) -> str:
    """Return how a value is written, for a message that refuses it: of a long one its beginning and its length.

    A template may render to anything, such as the whole list that was to be a path.
    """
    try:
        written = repr(value)
    except ValueError:  # of an int with thousands of digits Python makes no text
        return "a number of thousands of digits"
    if len(written) <= _SHOWN:
        return written
    # Hidden before it is cut: of half a URL nobody could tell what is a password.
    return f"{masked(written)[:_SHOWN]}… ({len(written):,} characters)"


def about_one(
    what: str,
    reason: str | None,
    message: str | None,
    *,
    scene_uuid: str,
    source: str,
    longest: int | None = None,
) -> str:
    """Say what became of one prediction, on one line: what, why, and last which one.

    Args:
        what: What became of it.
        reason: Why, in a word.
        message: The same for people.
        scene_uuid: Its scene, or an empty string where that is not known.
        source: Where it stands; most name the scene, which is not said twice then.
        longest: Characters to which the message is cut, where another place has all of it.
    """
    said = sentence(message or "")
    if longest is not None:
        said = shortened(said, longest)
    folder, _, name = source.rpartition("/")
    if scene_uuid and folder and name == f"{scene_uuid}.json":
        named = f"scene {scene_uuid} in {folder}"
    elif len(scene_uuid) < _UUID or scene_uuid not in source.lower():
        named = f"scene {scene_uuid or 'unknown'}, {source}"
    else:
        named = source
    kind = f"{what}: {shortened(printable(reason), _LONGEST_REASON)}:" if reason else f"{what}:"
    return " ".join(part for part in (kind, said, f"({printable(' '.join(named.split()))})") if part)
