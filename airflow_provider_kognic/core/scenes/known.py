"""The facts of the scenes that are predicted: each asked for once, however many ask for it at the same time."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicNotFoundError, KognicRowError
from airflow_provider_kognic.core.scenes.asking import PATIENCE, Asker, NotAskedError
from airflow_provider_kognic.core.scenes.facts import UNKNOWN, Scene
from airflow_provider_kognic.core.scenes.once import Once

if TYPE_CHECKING:
    from airflow_provider_kognic.core.scenes.asking import AsksScenes, Summary
    from airflow_provider_kognic.core.scenes.cache import SceneCache

logger = logging.getLogger(__name__)

# So many scenes that are 404 before any is found: then there is no such endpoint.
_LEADING = 20
# So many scenes that say nothing of themselves are asked for their status.
_MOST_SILENT = 20
# Types of scenes without a lidar, whose summaries leave lidars out (kognic-io 2.19.0, `model/scene/scene_type.py`).
_OF_CAMERAS = frozenset({"cameras", "cameras_sequence"})
_UNCHECKED = "Documents go on unchecked against their scenes."
_UNSIZED = "Boxes and bitmaps are not held against the sizes of images."


class KnownScenes:
    """Knows scenes; safe in threads, which wait here for the API.

    Args:
        asks: Asks the API.
        cache: Keeps what is known across tries.
        patience: Seconds without an answer to anybody after which no scene is asked for any more.
    """

    def __init__(self, asks: AsksScenes, cache: SceneCache, *, patience: float = PATIENCE) -> None:
        self._asks = asks
        self._cache = cache
        self._scenes = Asker("scenes", _UNCHECKED, patience=patience)
        self._calibrations = Asker("calibrations", _UNSIZED, patience=patience)
        # Only asked of what was not found: that there is no such endpoint, is no news to anybody.
        self._query = Asker("states of scenes", "", patience=patience, level=logging.DEBUG)
        self._once: Once[Scene | None] = Once(self._find)
        self._sizes_once: Once[dict[str, tuple[int, int]] | None] = Once(self._find_sizes)
        self._there: bool | None = None
        self._lock = threading.Lock()
        self._leading = 0
        self._silent = 0

    @property
    def off(self) -> str | None:
        """Why no scene is asked for any more; None while they are."""
        return self._scenes.off

    def scene(self, scene_uuid: str) -> Scene | None:
        """Return what is known of a scene, or None where nothing can be said of it.

        Args:
            scene_uuid: The scene's uuid; lower case.

        Raises:
            ClosedError: The run ends.
        """
        return self._once.get(scene_uuid)

    def close(self) -> None:
        """Let everybody go who waits: the run ends."""
        for asker in (self._scenes, self._calibrations, self._query):
            asker.close()
        self._once.close()
        self._sizes_once.close()

    def flush(self) -> None:
        """Keep what is known."""
        self._cache.flush()

    def _find(self, scene_uuid: str) -> Scene | None:
        scene = self._cache.scene(scene_uuid)
        if scene is None:
            scene = self._asked(scene_uuid)
            if scene is None:
                return None
            self._cache.keep(scene)
        if scene.is_wrong or scene.calibration_id is None or not scene.cameras:
            return scene
        return replace(scene, image_sizes=self._sizes_once.get(scene.calibration_id) or {})

    def _asked(self, scene_uuid: str) -> Scene | None:
        try:
            summary = self._scenes.ask(lambda: self._summary(scene_uuid))
        except KognicNotFoundError:
            return self._not_found(scene_uuid)
        except NotAskedError:
            return None
        self._there = True
        scene = _scene_of(summary)
        if (scene.cameras, scene.lidars, scene.status) == (None, None, None) and self._silent < _MOST_SILENT:
            self._silent += 1
            scene = replace(scene, status=self._status(scene_uuid))
        return scene

    def _summary(self, scene_uuid: str) -> Summary:
        found = self._asks.scene(scene_uuid)
        if found.uuid != scene_uuid:
            raise KognicRowError(f"asked for the scene {scene_uuid}, the API answered with {found.uuid}")
        return found

    def _not_found(self, scene_uuid: str) -> Scene | None:
        """Say what a 404 means: the scene is invalidated, or unknown; nothing, where all are answered so."""
        status = self._status(scene_uuid)
        if status is not None:
            scene = Scene(scene_uuid, status=status)
            return scene if scene.is_wrong else None
        if self._there:
            return Scene(scene_uuid, status=UNKNOWN)
        with self._lock:
            self._leading += 1
            number = self._leading
        if number == 1:
            logger.warning(
                "The input API answers 404 for scene %s, and has shown no scene before: it has no such endpoint, or"
                " these credentials see none. %s",
                scene_uuid,
                _UNCHECKED,
            )
        if number >= _LEADING:
            self._scenes.switch_off(
                f"the first {number} were all answered with 404, so that the API has no such endpoint, or these"
                " credentials see none of them."
            )
        return None

    def _status(self, scene_uuid: str) -> str | None:
        try:
            found = self._query.ask(lambda: self._asks.query_uuids([scene_uuid]))
        except (KognicNotFoundError, NotAskedError):
            return None
        self._there = True
        return next((one.status for one in found if one.uuid == scene_uuid), None)

    def _find_sizes(self, calibration_id: str) -> dict[str, tuple[int, int]] | None:
        kept = self._cache.image_sizes(calibration_id)
        if kept is not None:
            return kept
        try:
            found = self._calibrations.ask(lambda: self._asks.calibration(calibration_id))
        except (KognicNotFoundError, NotAskedError):
            return None
        sizes = dict(found.image_sizes)
        self._cache.keep_sizes(calibration_id, sizes)
        return sizes


def _scene_of(summary: Summary) -> Scene:
    lidars, kind = summary.lidars, (summary.scene_type or "").lower()
    if lidars is None and summary.cameras and kind in _OF_CAMERAS:
        lidars = frozenset()
    elif not lidars and "lidar" in kind:
        lidars = None  # it says both that there are and that there are none
    return Scene(
        summary.uuid,
        summary.cameras,
        lidars,
        summary.frame_relative_times,
        summary.calibration_id,
        status=summary.status,
    )
