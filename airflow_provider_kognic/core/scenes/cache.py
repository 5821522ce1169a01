"""The facts of scenes and the sizes of their images, kept across the tries of a task, and for other tasks.

Kept is what was right when it was asked for: a scene that was unknown, invalidated or failed is asked for anew, as
that is what somebody mends. A scene may be invalidated later, so what is kept is good for `MOST_AGE` only.
"""

from __future__ import annotations

import logging
import struct
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.files import is_local
from airflow_provider_kognic.core.masking import presentable
from airflow_provider_kognic.core.models import is_uuid
from airflow_provider_kognic.core.packed.tables import PackedTable
from airflow_provider_kognic.core.scenes.facts import Scene, sizes_of
from airflow_provider_kognic.core.scenes.parts import MOST_LINES, Parts, numbered, parsed

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_kognic.core.files import StoredPath

logger = logging.getLogger(__name__)

MOST_AGE = 24 * 3600.0
"""Seconds after which a scene or a calibration is asked for anew."""

# Clocks of two machines differ; what is from further ahead is none of ours.
_AHEAD = 300.0
_PLACE = struct.Struct("<II")
# A store is written to after so many seconds, or lines; on a disk each line is written at once.
_EVERY = 5.0
_LINES = MOST_LINES // 2
_MOST_CALIBRATIONS = 5_000

Size = tuple[int, int]


class SceneCache:
    """Keeps facts of scenes in a folder; safe in threads. Where it cannot be used it says so once, and is empty.

    Args:
        folder: The folder, on a disk or in any object store; None to keep nothing.
        host: The input API.
        writes: Whether new facts are written; a dry run only looks.
        clock: Tells the time (s since the epoch).
    """

    def __init__(
        self,
        folder: StoredPath | None,
        host: str,
        *,
        writes: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._parts = None if folder is None else Parts(folder, "scenes", host)
        self._at_once = folder is None or is_local(folder)
        self._writes = writes
        self._clock = clock
        self._lock = threading.Lock()
        self._names: list[str] = []
        self._places = PackedTable(16, _PLACE.size)
        self._calibrations: OrderedDict[str, dict[str, Size]] = OrderedDict()
        self._is_read = folder is None
        self._new: list[dict[str, Any]] = []
        self._since = 0.0

    def scene(self, scene_uuid: str) -> Scene | None:
        """Return a scene without the sizes of its images, or None where it is not kept, or was for too long."""
        self._read_all()
        parts = self._parts
        if parts is None or (found := self._places.get(_key(scene_uuid))) is None:
            return None
        part, number = _PLACE.unpack(found)
        lines = self._tried(lambda: parts.lines(self._names[part])) or []
        row = parsed(lines[number]) if number < len(lines) else None
        if row is None or not self._is_good(row):
            return None
        try:
            scene = Scene.from_row(row)
        except (KeyError, ValueError, TypeError):
            return None
        return scene if scene.uuid == scene_uuid and not scene.is_wrong else None

    def image_sizes(self, calibration_id: str) -> dict[str, Size] | None:
        """Return the sizes of a calibration's images, or None where they are not kept."""
        self._read_all()
        return self._calibrations.get(calibration_id)

    def keep(self, scene: Scene) -> None:
        """Keep a scene that is right; another is not kept."""
        if not scene.is_wrong:
            self._add({**scene.to_row(), "at": self._clock()})

    def keep_sizes(self, calibration_id: str, sizes: dict[str, Size]) -> None:
        """Keep the sizes of a calibration's images."""
        self._add({"calibration_of": calibration_id, "sizes": sizes, "at": self._clock()})

    def flush(self) -> None:
        """Write what is not written yet."""
        with self._lock:
            new, self._new = self._new, []
        parts = self._parts
        if parts is not None and new:
            self._tried(lambda: parts.write(new))

    def _add(self, row: dict[str, Any]) -> None:
        if self._parts is None or not self._writes:
            return
        with self._lock:
            if not self._new:
                self._since = time.monotonic()
            self._new.append(row)
            due = self._at_once or len(self._new) >= _LINES or time.monotonic() - self._since >= _EVERY
        if due:
            self.flush()

    def _read_all(self) -> None:
        """Go through all that is kept, once, and remember where each scene stands."""
        if self._is_read:
            return
        with self._lock:
            if not self._is_read:
                self._tried(self._go_through)
                self._is_read = True

    def _go_through(self) -> None:
        parts = self._parts
        if parts is None:
            return
        if self._writes:
            # A file is begun at most a day before its last line.
            parts.discard(self._clock() - 2 * MOST_AGE)
        self._names = parts.names()
        for part, name in enumerate(self._names):
            for number, row in numbered(parts.lines(name)):
                if self._is_good(row):
                    self._note(row, part, number)

    def _note(self, row: dict[str, Any], part: int, number: int) -> None:
        if is_uuid(uuid := row.get("scene")):
            self._places.put(_key(str(uuid)), _PLACE.pack(part, number))
        elif isinstance(calibration := row.get("calibration_of"), str):
            try:
                self._calibrations[calibration] = sizes_of(row.get("sizes"))
            except ValueError:
                return
            self._calibrations.move_to_end(calibration)
            if len(self._calibrations) > _MOST_CALIBRATIONS:
                self._calibrations.popitem(last=False)

    def _is_good(self, row: dict[str, Any]) -> bool:
        at, now = row.get("at"), self._clock()
        return isinstance(at, (int, float)) and now - MOST_AGE <= at <= now + _AHEAD

    def _tried(self, what: Callable[[], Any]) -> Any:
        """Do something with the folder; what goes wrong is said, and the folder not used any more."""
        try:
            return what()
        except Exception as error:  # noqa: BLE001 - stores raise errors of many libraries
            folder, self._parts = self._parts and self._parts.folder, None
            if folder is not None:
                logger.warning(
                    "What is known of scenes cannot be kept in %s: %s. They are asked for again in another try.",
                    *(folder, presentable(error)),
                )
            return None


def _key(scene_uuid: str) -> bytes:
    return bytes.fromhex(scene_uuid.replace("-", ""))
