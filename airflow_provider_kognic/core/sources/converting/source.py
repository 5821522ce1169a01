"""A model's results as a source: a document for each scene of the table, made when it is read."""

from __future__ import annotations

import logging
import weakref
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.models import Prediction, Refused
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.base import Found, folded, prediction_of, refusal
from airflow_provider_kognic.core.sources.bounded import check_size
from airflow_provider_kognic.core.sources.converting.ingest import FOUND, REFUSED, SEEN
from airflow_provider_kognic.core.sources.converting.rows import Kind
from airflow_provider_kognic.core.sources.converting.scenes import CAMERAS, CUBOIDS, UNPLACED
from airflow_provider_kognic.core.sources.converting.summary import MOST_NAMED
from airflow_provider_kognic.core.sources.converting.tables import LIDAR, TABLE
from airflow_provider_kognic.core.sources.converting.writer import write_document
from airflow_provider_kognic.core.texts import many

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_provider_kognic.core.models import Result
    from airflow_provider_kognic.core.sources.base import Find
    from airflow_provider_kognic.core.sources.converting.index import DetectionIndex, Stored
    from airflow_provider_kognic.core.sources.converting.rows import ModelFormat
    from airflow_provider_kognic.core.sources.converting.scenes import Place, Scenes
    from airflow_provider_kognic.core.sources.converting.summary import Conversion
    from airflow_provider_kognic.core.sources.converting.writer import Writing


logger = logging.getLogger(__name__)

# Scenes whose streams are looked at, to name those that a table has.
_LOOKED_AT = 100


def check_table(scenes: Scenes, table: str, format_: ModelFormat, counts: Conversion) -> None:
    """Check that a table has rows, and one that takes what the format yields: a stream's name is easily misspelt.

    Args:
        scenes: The table, as it was read.
        table: Its path.
        format_: The format.
        counts: Knows the rows that cannot be used.

    Raises:
        KognicInputError: It has none; the message names the streams that it has, and what is needed.
    """
    if not scenes.keys and not counts.wrong_streams:
        if counts.is_clean:
            raise KognicInputError(f"{TABLE} {table} is empty: it has no row, and nothing would be taken.")
        return
    used = 0
    for uses in set(scenes.uses):
        used |= uses
    takes = {kind: CUBOIDS | UNPLACED if kind is Kind.CUBOID else CAMERAS for kind in format_.kinds}
    if any(used & taken for taken in takes.values()):
        return
    streams = {
        place.stream for scene in range(min(scenes.count, _LOOKED_AT)) for place in scenes.places(scene)
    }
    streams |= set(counts.wrong_streams)
    found = " and ".join(f"{kind.name.lower()}{'es' if kind is Kind.BOX else 's'}" for kind in sorted(takes))
    wanted = f"a lidar's stream, which is called {LIDAR!r}" if Kind.CUBOID in takes else "a camera's stream"
    raise KognicInputError(
        f"no row of {TABLE} {table} takes what predictions_format={format_.name!r} has, which is {found}: they need"
        f" {wanted}, and the table's streams are {', '.join(map(repr, sorted(streams)[:MOST_NAMED]))}."
    )


@dataclass(frozen=True)
class Store:
    """What a source reads from: the table and the detections, in files that are gone when they are closed."""

    scenes: Scenes
    index: DetectionIndex

    def close(self) -> None:
        """Close all of it."""
        self.index.close()
        self.scenes.close()


class ModelSource:
    """A document for each scene in which something was found; where these are asked for, also for the empty ones.

    Args:
        where: What was given as the predictions, as receipts call it.
        store: The table and the detections; closed when nobody has the source or a prediction of it any more.
        flags: For each scene what is known of it, see `ingest`.
        writing: What all documents have in common.
        counts: What became of the rows.
        send_empty: Whether scenes in which nothing was found are sent.
        max_bytes: Larger documents are refused.
        nothing: Where there is no file at all, what there is instead, as a sentence.

    Attributes:
        counts: What became of the rows.
    """

    def __init__(
        self,
        where: str,
        store: Store,
        flags: bytearray,
        writing: Writing,
        counts: Conversion,
        *,
        send_empty: bool,
        max_bytes: int,
        nothing: str = "",
    ) -> None:
        self.counts = counts
        self._where = masked(where)
        self._store = store
        self._flags = flags
        self._writing = writing
        self._send_empty = send_empty
        self._max_bytes = max_bytes
        self._nothing = nothing
        self._total = self._count()
        weakref.finalize(self, store.close)

    @property
    def total(self) -> int:
        """Number of scenes of which there is a document, or of which all that there was is refused."""
        return self._total

    @property
    def nothing(self) -> str:
        """What there is instead, as a sentence, where there is no entry."""
        if self._nothing or self._total:
            return self._nothing
        return self.counts.why_nothing() or f"There is not one detection in {self._where}."

    def __iter__(self) -> Iterator[Prediction | Result]:
        for scene, uuid, key in self._store.scenes.listed():
            flags = self._flags[scene]
            if self._is_empty(flags) and not self._send_empty:
                continue
            where = f"{self._where}#{key}"
            if (why := self._refused(scene, flags)) is not None:
                yield refusal(uuid, where, why)
            else:
                yield prediction_of(uuid, where, partial(self._read, scene, uuid), "'scene_uuid'")

    def has_scene(self, scene_uuid: str) -> bool:
        """Whether the table has a scene, with a document or without."""
        return self._store.scenes.scene_named(scene_uuid.lower()) is not None

    def find(self, key: str, scene_uuid: object) -> Callable[[], bytes]:
        """Find a document again.

        Args:
            key: As its receipt has it: that of a row of the scene. It was the first one's; which that is depends on
                the order of the table.
            scene_uuid: The scene.

        Raises:
            Refused: It is not there any more, or is of another scene.
        """
        scenes = self._store.scenes
        uuid = str(folded(scene_uuid))
        scene = scenes.scene_named(uuid)
        if scene is None or key not in {place.key_text for place in scenes.places(scene)}:
            raise Refused(
                Reason.UNREADABLE,
                f"the table of scenes has no row of the key {key} in scene {scene_uuid}: give the arguments of the"
                " run that wrote the receipt.",
            )
        flags = self._flags[scene]
        if self._is_empty(flags) and not self._send_empty:
            raise Refused(Reason.UNREADABLE, "nothing was found in this scene, and empty ones are not sent.")
        if (why := self._refused(scene, flags)) is not None:
            raise why
        return partial(self._read, scene, uuid)

    def _read(self, scene: int, uuid: str) -> bytes:
        document = write_document(uuid, self._store.scenes.places(scene), self._found, self._writing)
        check_size(len(document), self._max_bytes)
        return document

    def _found(self, place: Place) -> Sequence[Stored]:
        return self._store.index.of_key(self._store.scenes.scene_of[place.key], place.key)

    @staticmethod
    def _is_empty(flags: int) -> bool:
        return not flags & (FOUND | REFUSED)

    def _refused(self, scene: int, flags: int) -> Refused | None:
        """Return why there is no document of a scene that is not left out; None where there is one."""
        if flags & REFUSED and not flags & FOUND:
            return Refused(Reason.BAD_ROW, f"nothing is left to be sent: {self.counts.why_nothing_of(scene)}")
        if not flags & (FOUND | SEEN) and (why := self._doubt()):
            return Refused(Reason.UNREADABLE, f"whether something was found in it is not known: {why}.")
        return None

    def _doubt(self) -> str:
        """Say why a scene that was not met need not be one in which nothing was found; nothing where it is."""
        counts = self.counts
        if counts.broken_files:
            return "a file of the predictions could not be read to its end, and nothing before that is of it"
        if counts.unread_folders:
            what = ("folder in the predictions is", "folders in the predictions are")
            return f"{many(counts.unread_folders, *what)} not read"
        if counts.without_key:
            what = ("row of the predictions is", "rows of the predictions are")
            return (
                f"{many(counts.without_key, *what)} refused of which nobody knows the scene, and"
                " no other row has this one"
            )
        if counts.none_fits:
            return "the table of scenes has no key that the predictions have: is it the table of others?"
        return ""

    def _count(self) -> int:
        """Count the scenes, and name some of those without a detection."""
        counts = self.counts
        empty = refused = unmet = 0
        for scene, flags in enumerate(self._flags):
            is_empty = self._is_empty(flags)
            refused += (not is_empty or self._send_empty) and self._refused(scene, flags) is not None
            unmet += not flags & (FOUND | REFUSED | SEEN)
            if is_empty:
                if empty < MOST_NAMED:
                    uuid, key = self._store.scenes.scene(scene)
                    counts.name("empty_scenes", f"nothing was found in scene {uuid}, key {key}")
                empty += 1
        if self._send_empty and unmet and counts.keys_without_scene and not self._doubt():
            scenes = (
                "scene of which no row was met is sent as an empty one",
                "scenes of which no row was met are sent as empty ones",
            )
            keys = ("key of the predictions has", "keys of the predictions have")
            text = (
                f"{many(unmet, *scenes)}, and {many(counts.keys_without_scene, *keys)} no scene: if they are keys"
                " of these scenes, called otherwise in the table, the model saw something there"
            )
            counts.name("unmet_scenes", text)
            logger.warning("%s.", text)
        counts.empty_scenes = empty
        counts.documents = len(self._flags) - refused - (0 if self._send_empty else empty)
        return counts.documents + refused


def finder(open_input: Callable[[str], ModelSource]) -> Find:
    """Return what finds documents by `<file>#<key>`, for one pass over a manifest.

    Args:
        open_input: Opens what was given as the predictions, by its text, the same one each time; raises Refused
            where it cannot be.
    """

    def find(source: str, scene: object) -> Found | None:
        parts = source.split("#")
        for at in range(1, len(parts)):
            text, key = "#".join(parts[:at]), "#".join(parts[at:])
            try:
                opened = open_input(text)
            except Refused:
                if at < len(parts) - 1:  # a path may have the character, and so may a key
                    continue
                raise
            return Found(source, opened.find(key, scene))
        return None

    return find
