r"""Patterns of paths: a part of regular expressions that can be searched in time with the length of a path.

Python's own ``re`` tries one way after the other, which takes for ever where a pattern such as ``(a+)+$`` has many;
here all ways are gone at once. There are literal characters, ``.``, classes as ``[^/]`` and ``[0-9a-f]``, ``\d``
and ``\w``, groups with ``|``, the repeats ``*``, ``+``, ``?`` and ``{2,5}``, and ``^`` and ``$`` for the ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST = 200
_MOST_STATES = 500
_DEEPEST = 20
# A longer path has nothing to do with the API.
_LONGEST_PATH = 1_000

_SPECIAL = set("\\.[](){}*+?|^$")
_CLASSES: dict[str, Callable[[str], bool]] = {
    "d": lambda character: character.isascii() and character.isdigit(),
    "w": lambda character: character.isascii() and (character.isalnum() or character == "_"),
}


@dataclass(eq=False)
class _State:
    """A place in a pattern, and the ways on from it.

    Attributes:
        takes: Which character leads on to ``then``; None where none is taken.
        at: Which end of the path it has to be at: the beginning, or the end.
        then: Where it leads.
    """

    takes: Callable[[str], bool] | None = None
    at: str = ""
    then: list[_State] = field(default_factory=list)


@dataclass
class _Part:
    """A part of a pattern: where it begins and where it ends."""

    first: _State
    last: _State


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> Pattern:
    """Read a pattern.

    Raises:
        ValueError: It is none, or one that is not understood; the text says what.
    """
    return Pattern(pattern)


class Pattern:
    """A pattern that can be searched in paths.

    Args:
        text: What it looks like.

    Raises:
        ValueError: It is none; the text says what is wrong.
    """

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise ValueError(f"a path pattern has at most {_LONGEST} characters, not {len(text)}")
        reading = _Reading(text)
        part = reading.alternatives()
        if reading.rest:
            raise ValueError(f"unbalanced ')' at position {reading.position} of the path pattern {text!r}")
        self._first, self._last = part.first, part.last

    def search(self, path: str) -> bool:
        """Whether the pattern is found anywhere in a path."""
        if len(path) > _LONGEST_PATH:
            return False
        states: set[_State] = set()
        for position in range(len(path) + 1):
            # It may begin anywhere, so it begins everywhere.
            states = self._reach({self._first} | states, position == 0, position == len(path))
            if self._last in states:
                return True
            if position < len(path):
                states = {
                    then
                    for state in states
                    if state.takes is not None and state.takes(path[position])
                    for then in state.then
                }
        return False

    @staticmethod
    def _reach(states: set[_State], at_begin: bool, at_end: bool) -> set[_State]:  # noqa: FBT001 (the two ends)
        """All states that are reached without a further character."""
        reached: set[_State] = set()
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if state in reached:
                continue
            reached.add(state)
            ends = {"^": at_begin, "$": at_end}
            if state.takes is None and ends.get(state.at, True):
                waiting += state.then
        return reached


class _Reading:
    """A pattern while it is read, from left to right.

    Attributes:
        position: Where the reading is.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._states = 0
        self._depth = 0
        self.position = 0

    @property
    def rest(self) -> str:
        """What is still to be read."""
        return self._text[self.position :]

    def alternatives(self) -> _Part:
        """Read what stands between ``|``, up to the end or to a closing bracket."""
        parts = [self._sequence()]
        while self.rest.startswith("|"):
            self.position += 1
            parts.append(self._sequence())
        if len(parts) == 1:
            return parts[0]
        first, last = self._state(), self._state()
        for part in parts:
            first.then.append(part.first)
            part.last.then.append(last)
        return _Part(first, last)

    def _sequence(self) -> _Part:
        first = last = self._state()
        while self.rest and self.rest[0] not in "|)":
            part = self._repeated()
            last.then.append(part.first)
            last = part.last
        return _Part(first, last)

    def _repeated(self) -> _Part:
        begin = self.position
        part = self._single()
        least, most = self._times()
        if (least, most) == (1, 1):
            return part
        end = self.position
        first = last = self._state()
        for number in range(max(least, 1 if most is None else most)):
            if number:
                # The same once more: read again, as every one has states of its own.
                self.position = begin
                part = self._single()
                self.position = end
            if number >= least:
                skipped = self._state()
                last.then += [part.first, skipped]
                part.last.then.append(skipped)
                last = skipped
            else:
                last.then.append(part.first)
                last = part.last
        if most is None:
            again = self._state()
            last.then.append(again)
            again.then.append(part.first)
            last = again
        return _Part(first, last)

    def _times(self) -> tuple[int, int | None]:
        """Read how often something may come."""
        sign = self.rest[:1]
        if sign in {"*", "+", "?"}:
            self.position += 1
            times: tuple[int, int | None] = {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        elif sign == "{":
            inside, closing, _ = self.rest[1:].partition("}")
            least, comma, most = inside.partition(",")
            if (
                not closing
                or not _is_number(least or "0")
                or not _is_number(most or "0")
                or inside in {"", ","}
            ):
                self._fail("'{' stands for a repeat, such as '{2,5}'")
            self.position += len(inside) + 2
            times = (int(least or 0), (int(most) if most else None) if comma else int(least))
        else:
            return 1, 1
        if self.rest[:1] in set("*+?{"):
            self._fail("a repeat of a repeat")
        if times[1] is not None and times[1] < max(times[0], 1):
            self._fail("a repeat that may not come")
        return times

    def _single(self) -> _Part:
        character = self.rest[0]
        self.position += 1
        if character == "(":
            return self._group()
        if character == "[":
            return self._taking(self._class())
        if character in "^$":
            state = self._state()
            state.at = character
            last = self._state()
            state.then.append(last)
            return _Part(state, last)
        if character == ".":
            return self._taking(lambda found: found != "\n")
        if character == "\\":
            return self._taking(self._escaped())
        if character in _SPECIAL - {"]", "}"}:
            self._fail(f"{character!r} has nothing before it to repeat")
        return self._taking(character.__eq__)

    def _group(self) -> _Part:
        if self.rest.startswith("?:"):
            self.position += 2
        elif self.rest.startswith("?"):
            self._fail("'(?' is not understood")
        self._depth += 1
        if self._depth > _DEEPEST:
            self._fail("too many groups in one another")
        part = self.alternatives()
        self._depth -= 1
        if not self.rest.startswith(")"):
            self._fail("a '(' without ')'")
        self.position += 1
        return part

    def _escaped(self) -> Callable[[str], bool]:
        character = self.rest[:1]
        self.position += 1
        if character in _CLASSES:
            return _CLASSES[character]
        if not character or character.isalnum():
            self._fail(f"'\\{character}' is not understood")
        return character.__eq__

    def _class(self) -> Callable[[str], bool]:
        inverted = self.rest.startswith("^")
        self.position += inverted
        tests: list[Callable[[str], bool]] = []
        begin = self.position
        while self.rest and (self.rest[0] != "]" or self.position == begin):
            tests.append(self._in_class())
        if not self.rest:
            self._fail("a '[' without ']'")
        self.position += 1
        return lambda found: any(test(found) for test in tests) is not inverted

    def _in_class(self) -> Callable[[str], bool]:
        character = self.rest[0]
        self.position += 1
        if character == "\\":
            return self._escaped()
        if self.rest[:1] != "-" or self.rest[1:2] in {"", "]"}:
            return character.__eq__
        last = self.rest[1]
        self.position += 2
        if last == "\\" or last < character:
            self._fail(f"'{character}-{last}' is no range")
        return lambda found: character <= found <= last

    def _taking(self, test: Callable[[str], bool]) -> _Part:
        first, last = self._state(), self._state()
        first.takes = test
        first.then.append(last)
        return _Part(first, last)

    def _state(self) -> _State:
        self._states += 1
        if self._states > _MOST_STATES:
            raise ValueError("the path pattern repeats too much")
        return _State()

    def _fail(self, what: str) -> None:
        raise ValueError(f"{what}, at position {self.position} of the path pattern {self._text!r}")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4  # noqa: PLR2004 (more states than there may be)
