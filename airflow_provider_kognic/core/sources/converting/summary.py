"""What became of a model's results: what was not taken is counted, and the first of each kind are named."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.texts import counted, many, sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Of each kind of refusal, so many are named.
MOST_NAMED = 5
# Why a file was not read to its end, or not understood at all.
_BROKEN = ("truncated", "broken_file", "unreadable", "not_results")
# What is refused of the table, and not of the input.
_OF_TABLE = "bad_scene_row"
# Scenes of which it is known why each of their rows is refused; of further ones, only that they are.
_MOST_SCENES = 1_000
# Keys without a scene that are told apart; further ones count as rows only.
_MOST_KEYS = 10_000


@dataclass
class Conversion:
    """Counts over one input.

    Attributes:
        rows: Detections that were read, with what should have been some: each is taken, skipped or refused, once. A
            file, or a key without a scene, of which nothing is taken counts as one.
        taken: Those that stand in documents; more than that where a key has several streams that take it.
        skipped: Left out on purpose, by why: a filter, the classes file, the format, no stream that takes them.
        refused: Left out because something is wrong, by why; so a table's rows.
        adjusted: Confidences that were dropped or clipped.
        named: The first of each kind of refusal, and of what else is to be named, for people.
        scenes: Scenes of the table.
        keys: Keys of the table.
        unseen_keys: Those of them that the input does not have.
        empty_scenes: Scenes in which nothing was found.
        documents: Scenes of which there is a document; they include the empty ones, if these are sent.
        unknown_columns: Columns of the table that are not read.
        without_key: Of the refused, those of which nobody knows to which scene they belong.
        unread_folders: Folders in the input that are not looked into.
        wrong_streams: Streams of refused rows of the table: a lidar's that is not called so.
    """

    rows: int = 0
    taken: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    adjusted: Counter[str] = field(default_factory=Counter)
    named: dict[str, list[str]] = field(default_factory=dict)
    scenes: int = 0
    keys: int = 0
    unseen_keys: int = 0
    empty_scenes: int = 0
    documents: int = 0
    unknown_columns: tuple[str, ...] = ()
    without_key: int = 0
    unread_folders: int = 0
    wrong_streams: dict[str, None] = field(default_factory=dict)
    _without_scene: set[int] = field(default_factory=set, repr=False)
    _whys: dict[str, str] = field(default_factory=dict, repr=False)
    _refused_of: dict[int, Counter[str]] = field(default_factory=dict, repr=False)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was refused."""
        return not self.refused

    @property
    def broken_files(self) -> int:
        """Files that could not be read to their ends, or at all: what else they have is not known."""
        return sum(self.refused[reason] for reason in _BROKEN)

    @property
    def none_fits(self) -> bool:
        """Whether the input has keys, and the table has none of them: it is that of another input."""
        return self.refused["no_scene"] > 0 and self.unseen_keys == self.keys

    @property
    def keys_without_scene(self) -> int:
        """Keys of the input that the table does not have; so many at least."""
        return len(self._without_scene)

    def refuse(self, reason: str, file: str, row: int, key: str | None, message: str) -> None:
        """Count a row of the input that is left out because something is wrong with it."""
        self.refused[reason] += 1
        self._whys.setdefault(reason, message)
        where = f"{file}, row {row}" if row else file
        of = "" if key is None else f", key {key}"
        self.name(reason, f"{where}{of}: {message}")

    def refuse_row_of_table(self, table: str, line: int, message: str, key: object = None) -> None:
        """Count a row of the table of scenes that cannot be used."""
        self.refuse(_OF_TABLE, table, line, None if key is None else str(key), message)

    def refuse_unknown_key(self, file: str, row: int, key: str) -> None:
        """Count a row whose key the table does not have; each such key is named once."""
        self.refused["no_scene"] += 1
        if len(self._without_scene) < _MOST_KEYS and (found := hash(key)) not in self._without_scene:
            self._without_scene.add(found)
            self.name("no_scene", f"{file}, row {row}, key {key}: the table of scenes has no such key")

    def leave_folders(self, number: int, where: str) -> str:
        """Note folders of the input that are not looked into, and return what to say of them."""
        self.unread_folders = number
        folders = many(number, f"folder in {where} is", f"folders in {where} are")
        text = masked(f"{folders} not read: a pattern of their files would be")
        self.name("not_read", text)
        return text

    def refuse_of(self, scene: int, reason: str) -> None:
        """Note of a scene that a row of it is not taken, and why: it may be all that there is of it."""
        if (known := self._refused_of.get(scene)) is None:
            if len(self._refused_of) >= _MOST_SCENES:
                return
            known = self._refused_of[scene] = Counter()
        known[reason] += 1

    def why_nothing_of(self, scene: int) -> str:
        """Say why nothing is left of a scene: the reasons, how often each, and what to do about the first."""
        of_it = self._refused_of.get(scene)
        whose, reasons = ("its rows", of_it) if of_it else ("all rows", self.refused - Counter([_OF_TABLE]))
        number = (
            f"{sum(reasons.values()):,} of {whose} are not taken" if of_it else f"of {whose} are not taken"
        )
        return f"{number}: {counted(dict(reasons.most_common()))} {self._why(reasons)}".rstrip()

    def why_nothing(self) -> str:
        """Say where no scene has a document what has become of the rows; nothing where there were none."""
        if not self.rows:
            return ""
        reasons = self.skipped + self.refused
        reasons.pop(_OF_TABLE, None)
        return (
            f"{many(self.rows, 'row was read, and is', 'rows were read, and all are')} left out:"
            f" {counted(dict(reasons.most_common()))} {self._why(reasons)}".rstrip()
        )

    def _why(self, reasons: Counter[str]) -> str:
        """Return what was said of the first row that was refused for the most frequent of these reasons."""
        for reason, _ in reasons.most_common():
            if reason in self._whys:
                return sentence(self._whys[reason])
        return ""

    def name_unseen(self, seen: bytearray, text_of: Callable[[int], str]) -> None:
        """Count the keys of the table that the input does not have, and name the first.

        Args:
            seen: For each key whether it was there.
            text_of: Returns the key of a number.
        """
        self.unseen_keys = seen.count(0)
        place = -1
        for _ in range(min(self.unseen_keys, MOST_NAMED)):
            place = seen.find(0, place + 1)
            self.name("unseen_keys", f"nothing was found of key {text_of(place)}: the input does not have it")

    def name(self, what: str, text: str) -> None:
        """Name an example, unless there are enough of its kind."""
        listed = self.named.setdefault(what, [])
        if len(listed) < MOST_NAMED:
            listed.append(masked(text).encode(errors="backslashreplace").decode())  # of half a character

    def lines(self) -> Iterator[str]:
        """Yield what to tell people, line by line."""
        yield (
            f"{many(self.rows, 'detection')} read, {self.taken:,} taken; {many(self.scenes, 'scene')} in the table,"
            f" {many(self.documents, 'document')}, {many(self.empty_scenes, 'scene')} in which nothing was found"
        )
        if self.unseen_keys:
            keys = many(self.keys, "key")
            is_not = "is not" if self.unseen_keys == 1 else "are not"
            yield f"  {self.unseen_keys:,} of {keys} of the table {is_not} in the input"
            yield from (f"    {text}" for text in self.named.get("unseen_keys", ()))
        if self.keys_without_scene:
            keys = many(self.keys_without_scene, "key of the input has", "keys of the input have")
            yield f"  {keys} no scene in the table"
        if self.unknown_columns:
            yield f"  columns of the table that are not read: {', '.join(self.unknown_columns)}"
        for what, counts in (
            ("skipped", self.skipped),
            ("adjusted", self.adjusted),
            ("refused", self.refused),
        ):
            for reason, count in sorted(counts.items()):
                yield f"  {what}: {reason} ({count:,})"
                yield from (f"    {text}" for text in self.named.get(reason, ()))
        for what in ("empty_scenes", "unmet_scenes", "not_read"):
            yield from (f"  {text}" for text in self.named.get(what, ()))

    def table(self) -> Iterator[tuple[str, int]]:
        """Yield the counts as lines of a table, what and how many; without most that are zero."""
        yield "detections read", self.rows
        yield "  taken", self.taken
        for what, counts in (
            ("left out", self.skipped),
            ("refused", self.refused),
            ("changed", self.adjusted),
        ):
            yield from ((f"  {what}: {reason}", count) for reason, count in sorted(counts.items()))
        yield "scenes in the table", self.scenes
        yield "  with a document", self.documents
        yield "  in which nothing was found", self.empty_scenes
        for what, count in (
            ("keys of the table that were not met", self.unseen_keys),
            ("keys met that have no scene", self.keys_without_scene),
        ):
            if count:
                yield what, count

    def examples(self) -> Iterator[str]:
        """Yield the first of each kind of refusal, and of what else is missing, for people."""
        for reason in (*sorted(self.refused), "unseen_keys", "empty_scenes", "unmet_scenes"):
            yield from (f"{reason}: {text}" for text in self.named.get(reason, ()))

    def to_dict(self) -> dict[str, Any]:
        """Return the counts, and what is named, as plain values."""
        return {
            "rows": self.rows,
            "taken": self.taken,
            "skipped": dict(self.skipped),
            "refused": dict(self.refused),
            "adjusted": dict(self.adjusted),
            "named": {what: list(texts) for what, texts in self.named.items()},
            "scenes": self.scenes,
            "keys": self.keys,
            "unseen_keys": self.unseen_keys,
            "keys_without_scene": self.keys_without_scene,
            "empty_scenes": self.empty_scenes,
            "documents": self.documents,
            "unknown_columns": list(self.unknown_columns),
        }
