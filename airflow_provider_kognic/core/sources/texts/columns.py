"""What formats of text in columns have in common: a line for each object, numbers in its columns."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.sources.converting.inputs import BrokenFileError, UnendedLine
from airflow_provider_kognic.core.sources.converting.rows import BadRow, WrongDetectionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from airflow_provider_kognic.core.sources.converting.inputs import InputFile, Reading
    from airflow_provider_kognic.core.sources.converting.rows import Row
    from airflow_provider_kognic.core.sources.converting.scenes import Scenes

# A confidence that stands for none: the columns of a line are all there, whether or not they say something.
NO_CONFIDENCE = -1.0
_MOST_SHOWN = 200
_OWNERS = "owners"


def whole_number(text: str, what: str) -> int:
    """Return a whole number, which may be written as `3.0` or `3e0`: numpy writes them so.

    Raises:
        ValueError: It is none.
    """
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return _whole(float(text))
    except (ValueError, OverflowError):
        raise WrongDetectionError("not_numbers", f"{what} is no whole number: {text!r}") from None


def _whole(value: float) -> int:
    if not value.is_integer():
        raise ValueError
    return int(value)


def check_plain(columns: Iterable[str]) -> None:
    """Check the columns of numbers of a line in which something is no number to anybody but Python.

    Raises:
        ValueError: One is such: `1_0`, digits of other scripts.
    """
    for column in columns:
        if "_" in column or not column.isascii():
            raise WrongDetectionError("not_numbers", f"{column:.40} is no number")


def lines_of(file: InputFile) -> Iterator[tuple[int, str | BadRow]]:
    """Yield the lines of a file that is a frame of its own; where it cannot be read on, why, with the frame's key.

    So its scene is known to be none in which nothing was found.
    """
    try:
        yield from file.lines()
    except BrokenFileError as error:
        yield 0, BadRow(0, "broken_file", str(error), file.stem)


def check_whole(line: str, columns: Sequence[str], fewest: int) -> None:
    """Check that a file's last line without an end was written to its end: the file may be still being written.

    Args:
        line: The line; others than that last one are let through.
        columns: Its columns.
        fewest: How many a whole line has at least, by the lines before or by the format.

    Raises:
        ValueError: It has fewer, or ends within a number.
    """
    if isinstance(line, UnendedLine):
        if len(columns) < fewest:
            how = f"has {len(columns)} columns, not {fewest} at least"
        elif not _is_number(columns[-1]):
            how = "ends with what is no number"
        else:
            return
        raise WrongDetectionError(
            "truncated",
            f"the file ends within a line, which has no end and {how}: was it still being written?",
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def bad_row(row: int, error: ValueError, columns: Sequence[str], key: str | None) -> BadRow:
    """Return the row that a line is refused as."""
    shown = " ".join(columns)
    if len(shown) > _MOST_SHOWN:
        shown = f"{shown[:_MOST_SHOWN]}..."
    return BadRow(row, getattr(error, "reason", "not_numbers"), f"{error}; in {shown!r}", key)


def track_name(sequence: str, number: int) -> str | None:
    """Return the name of a track, or None for the number of no track, which is negative.

    Ids start again with every sequence, and a scene may have several, such as one for each camera: so a track's
    name has its sequence in it.
    """
    return None if number < 0 else f"{sequence}/{number}"


class Owners:
    """Knows of each key the file that had it first: files of one name in several folders are not one file."""

    def __init__(self, scenes: Scenes) -> None:
        self._scenes = scenes
        self._files = array("I", bytes(4 * scenes.keys))
        self._file = 0
        self._checked = ""

    @classmethod
    def prepare(cls, reading: Reading) -> None:
        """Make one for an input."""
        reading.kept[_OWNERS] = cls(reading.scenes)

    @classmethod
    def at_next_file(cls, reading: Reading) -> Owners:
        """Return that of the input, as another file begins."""
        owners: Owners = reading.kept[_OWNERS]
        owners._file += 1
        owners._checked = ""
        return owners

    def check(self, key: str) -> None:
        """Check that no earlier file has had a key.

        Raises:
            ValueError: One has.
        """
        if key == self._checked:
            return
        place = self._scenes.number_of(key)
        if place is not None and not self._files[place]:
            self._files[place] = self._file
        elif place is not None and self._files[place] != self._file:
            raise WrongDetectionError(
                "duplicate_key", "an earlier file has this key already; the first one counts"
            )
        self._checked = key

    def once(self, reading: Reading, rows: Iterator[Row]) -> Iterator[Row]:
        """Refuse those rows of this file whose key an earlier one has.

        Rows count from 1 in each file, and objects are named by key and row: those of two files would become one.
        """
        return rows if len(reading.files) == 1 else self._of_this_file(rows)

    def _of_this_file(self, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            try:
                if row.key is not None:
                    self.check(row.key)
            except WrongDetectionError as error:
                yield BadRow(getattr(row, "row", 0), error.reason, str(error), row.key)
            else:
                yield row
