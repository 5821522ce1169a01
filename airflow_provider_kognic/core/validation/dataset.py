"""What the dataset and the group say about predictions before they are sent: scenes and classes together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_kognic.core.validation.class_coverage import ClassCoverage, Classes
    from airflow_provider_kognic.core.validation.scenes import AnnotatedScenes


class DatasetCheck:
    """Both checks together, each only where it can be made.

    Args:
        scenes: The scenes that can take predictions, or None where no dataset is known.
        coverage: The classes that the group's mapping has, or None where no mapping is known.
    """

    def __init__(self, scenes: AnnotatedScenes | None = None, coverage: ClassCoverage | None = None) -> None:
        self._scenes = scenes
        self._coverage = coverage

    @property
    def is_at_hand(self) -> bool:
        """Whether nothing is left to be asked, and so no check waits for an answer."""
        return self._scenes is None or self._scenes.are_known

    def check_scene(self, scene_uuid: str) -> None:
        """See `AnnotatedScenes.check`."""
        if self._scenes is not None:
            self._scenes.check(scene_uuid)

    def check_classes(self, document: Classes) -> None:
        """See `ClassCoverage.check`."""
        if self._coverage is not None:
            self._coverage.check(document)

    def log_findings(self) -> None:
        """Log what was found over all documents."""
        if self._coverage is not None:
            self._coverage.log_missing_rows()
