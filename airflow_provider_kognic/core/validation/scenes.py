"""Whether a scene can take a prediction.

Kognic's documentation: only scenes with annotations in the dataset can.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Protocol

from airflow_provider_kognic.core.errors import (
    KognicError,
    KognicOutageError,
    KognicRowError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.models import Refused, is_uuid
from airflow_provider_kognic.core.packed.tables import PackedSet
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.retries import may_repeat
from airflow_provider_kognic.core.texts import many

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)


class ListedAnnotation(Protocol):
    """What is asked of an annotation, as a dataset lists it."""

    @property
    def scene_uuid(self) -> str:
        """The scene that is annotated; lower case."""


class AnnotatedScenes:
    """The scenes that a dataset has annotations of: asked once, when the first is looked up; safe in threads.

    Args:
        annotations: Lists the dataset's annotations; blocks, and raises KognicError.
        stopping: Tells whether to give up, between two annotations.
    """

    def __init__(
        self,
        annotations: Callable[[], Iterable[ListedAnnotation]],
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._annotations = annotations
        self._stopping = stopping
        self._lock = threading.Lock()
        self._scenes: PackedSet | None = None
        self._failure: KognicError | None = None

    @property
    def are_known(self) -> bool:
        """Whether they were asked for already, and so `check` waits for nothing."""
        return self._scenes is not None

    def check(self, scene_uuid: str) -> None:
        """Return if the scene can take a prediction.

        Raises:
            Refused: With the reason `no_annotations`.
            KognicOutageError: The annotations cannot be listed now.
            KognicError: They cannot be listed; `KognicRowError` where the listing is not as expected.
        """
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if self._scenes is None:
                try:
                    self._scenes = self._list()
                except KognicError as error:
                    self._failure = error
                    raise
        if _key(scene_uuid) not in self._scenes:
            raise Refused(
                Reason.NO_ANNOTATIONS,
                "the dataset has no annotations of this scene, and only scenes with annotations can take"
                " predictions. Check that it is the right dataset, or wait for its annotations"
                " (DatasetScenesSensor); validation='off' sends it all the same.",
            )

    def _list(self) -> PackedSet:
        began = time.monotonic()
        scenes = PackedSet()
        rows = 0
        try:
            for annotation in self._annotations():
                self._check_row(annotation)
                rows += 1
                scenes.add(_key(annotation.scene_uuid))
        except (KognicStoppedError, KognicRowError):
            raise
        except KognicError as error:
            what = "which scenes have annotations in the dataset cannot be asked"
            if may_repeat(error, idempotent=True):
                raise KognicOutageError(
                    f"{what}: {error}", status=error.status, retry_after=error.retry_after
                ) from error
            raise error.with_message(f"{what}: {error.message}") from error
        logger.info(
            "The dataset has annotations of %s (%s); listing them took %.1f s.",
            many(len(scenes), "scene"),
            many(rows, "annotation"),
            time.monotonic() - began,
        )
        return scenes

    def _check_row(self, annotation: ListedAnnotation) -> None:
        if self._stopping():
            raise KognicStoppedError("asked to stop while the dataset's annotations were listed")
        if not is_uuid(annotation.scene_uuid):
            raise KognicRowError(
                f"an annotation of a scene named {annotation.scene_uuid[:60]!r}, which is no uuid. The API's rows"
                " may have changed: look for a newer version of this provider; validation='off' sends without"
                " asking."
            )


def _key(scene_uuid: str) -> bytes:
    return bytes.fromhex(scene_uuid.replace("-", ""))
