"""Reading JSON of any size, value by value: a list of millions of rows, or an object of as many.

Each value is decoded by the standard library's own decoder, at its speed, out of a window of the text. That was
chosen over ijson, which is faster still, for what it does about `NaN`: Python writes it into results, ijson ends
there, and here it is a number that is not finite, in a row that can be named while the rest goes on.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 1 << 18
# Characters of one value: of one row of a list, or of one key's value.
MOST_CHARACTERS = 64 << 20
_SPACE = re.compile(r"[ \t\r\n]*")
# A number is one without what is still to come of it, up to so many characters: of `1e-5` that are the last three.
_CUT = 3
_WORDS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")
_COMMA = re.compile(r"[ \t\r\n]*,[ \t\r\n]*")
_DECODER = json.JSONDecoder()
# Values in one another that are skipped.
_DEEPEST = 100
# So near to the end of the window, an error may be only that the rest has not been read yet.
_NEAR = 32


class Reads(Protocol):
    """What is read from."""

    def read(self, size: int, /) -> bytes:
        """Read at most so many bytes; none at the end."""


class BrokenJSONError(ValueError):
    """The text is no JSON from here on.

    Attributes:
        ended: Whether it just ends: the file is truncated.
    """

    def __init__(self, message: str, *, ended: bool = False) -> None:
        super().__init__(message)
        self.ended = ended


class RepeatedKeyError(ValueError):
    """A key stands in an object more than once."""


class Repeated:
    """What is there in place of an object in which a key stands more than once: no object.

    Args:
        what: Which.
    """

    def __init__(self, what: RepeatedKeyError) -> None:
        self._what = str(what)

    def __repr__(self) -> str:
        return f"one in which {self._what}"


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dict of an object of JSON, whose keys stand in it once.

    Raises:
        RepeatedKeyError: One stands in it more often; the decoder would take the last.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise RepeatedKeyError(f"{twice!a:.80} stands more than once: which one counts?")
    return found


_CAREFUL = json.JSONDecoder(object_pairs_hook=once)


def _checked(value: dict[str, Any], text: str, start: int, end: int) -> Any:
    """Return an object, or what says that a key stands in it more than once: there are more colons than keys."""
    if text.count(":", start, end) == len(value):
        return value
    try:  # there are others in texts and in objects within it
        return _CAREFUL.raw_decode(text, start)[0]
    except RepeatedKeyError as error:
        return Repeated(error)


class JSONStream:
    """A text of JSON, gone through once from its beginning to its end.

    Args:
        file: Where it is read from, UTF-8, with or without a byte order mark.
    """

    def __init__(self, file: Reads) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._decode = _DECODER.raw_decode
        self._text = ""
        self._at = 0
        self._before = 0
        self._over = False

    def next_is(self) -> str:
        """Return the character with which the next value begins; empty at the end of the text."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def value(self) -> Any:
        """Return the next value; NaN and infinities are floats, and `Repeated` is what has a key twice.

        Raises:
            BrokenJSONError: There is none, or none that is whole and not too large.
        """
        self.next_is()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._may_go_on(error) or not self._more():
                    raise self._broken(error.msg, error.pos) from None
            except RecursionError:
                raise self._broken("nested too deeply", self._at) from None
            except ValueError as error:  # a number of thousands of digits
                raise self._broken(str(error), self._at) from None
            else:
                if end < len(self._text) - _CUT or not self._more():
                    start, self._at = self._at, end
                    return _checked(value, self._text, start, end) if value.__class__ is dict else value

    def skip(self, depth: int = 0) -> None:
        """Go past the next value, however large it is.

        Args:
            depth: In how many others that are skipped it is.
        """
        begins = self.next_is()
        if depth > _DEEPEST:
            raise self._broken("nested too deeply", self._at)
        if begins == "[":
            for _ in self.elements():
                self.skip(depth + 1)
        elif begins == "{":
            for _ in self.members():
                self.skip(depth + 1)
        else:
            self.value()

    def values(self) -> Iterator[Any]:
        """Yield the values of the list that is next; raises BrokenJSONError where it breaks off."""
        decode, comma = self._decode, _COMMA.match
        for _ in self.elements():
            yield self.value()
            # The same for as long as the window reaches, at the decoder's own speed.
            text, at, most = self._text, self._at, len(self._text) - _CUT
            while (found := comma(text, at)) is not None:
                start = found.end()
                try:
                    value, end = decode(text, start)
                except (ValueError, RecursionError):
                    break
                if end >= most:
                    break
                if value.__class__ is dict and text.count(":", start, end) != len(value):
                    value = _checked(value, text, start, end)
                self._at = at = end
                yield value

    def elements(self) -> Iterator[None]:
        """Stop at each value of the list that is next: whoever iterates takes it, in whichever way."""
        self._take("[")
        if self.next_is() == "]":
            self._take("]")
            return
        while True:
            yield
            if self._take(",", "]") == "]":
                return

    def members(self) -> Iterator[str]:
        """Yield each key of the object that is next, and stop at its value, which is to be taken."""
        self._take("{")
        if self.next_is() == "}":
            self._take("}")
            return
        while True:
            if self.next_is() != '"':
                raise self._broken("expected a key", self._at)
            key = self.value()
            self._take(":")
            yield key
            if self._take(",", "}") == "}":
                return

    def end(self) -> None:
        """Check that there is nothing more; raises BrokenJSONError if there is."""
        if self.next_is():
            raise self._broken("more after its end", self._at)

    def _take(self, *wanted: str) -> str:
        found = self.next_is()
        if found not in wanted:
            raise self._broken(f"expected {' or '.join(map(repr, wanted))}", self._at)
        self._at += 1
        return found

    def _may_go_on(self, error: json.JSONDecodeError) -> bool:
        """Tell whether an error may be only that the window ends in the middle of a value."""
        return error.pos > len(self._text) - _NEAR or error.msg.startswith("Unterminated string")

    def _more(self) -> bool:
        """Lengthen the window; as much again, so that a large value is not decoded too often."""
        if self._over:
            return False
        if len(self._text) - self._at > MOST_CHARACTERS:
            raise BrokenJSONError(f"one value has more than {MOST_CHARACTERS:,} characters")
        kept = self._text[self._at :]
        wanted, come = max(_BLOCK, len(kept)), 0
        pieces = [kept]
        while come < wanted and not self._over:
            raw = self._file.read(min(wanted, _BLOCK))
            self._over = not raw
            try:
                piece = self._decoder.decode(raw, final=self._over)
            except UnicodeDecodeError as error:
                at = self._before + self._at
                raise BrokenJSONError(f"not UTF-8 after character {at:,}: {error.reason}") from None
            pieces.append(piece)
            come += len(piece)
        if not come:
            return False  # the window is left as it is: there are places in it that are still known
        self._before += self._at
        self._text, self._at = "".join(pieces), 0
        return True

    def _broken(self, what: str, position: int) -> BrokenJSONError:
        said = f"{what[:1].lower()}{what[1:]}"
        if self._over and (what.startswith("Unterminated") or self._is_cut_at(position)):
            return BrokenJSONError(f"it ends in the middle ({said})", ended=True)
        return BrokenJSONError(f"no JSON at character {self._before + position:,}: {said}")

    def _is_cut_at(self, position: int) -> bool:
        """Tell whether the text ends there, or in the middle of a word of JSON."""
        rest = self._text[position:].strip()
        return any(word.startswith(rest) for word in _WORDS)
