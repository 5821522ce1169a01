"""How often each class occurs, over any number of documents, and the same in whatever order they come."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.texts import brief, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

# A mapping of more rows is nothing that a person looks through, nor a name that is longer the name of a class.
MOST_CLASSES = 2_000
LONGEST_NAME = 300


@dataclass
class ClassCount:
    """What was counted of one class.

    Attributes:
        documents: Documents that declare it: as the type of an object, or as a class of their bitmaps.
        objects: Objects of that type; none of a class that is in bitmaps only.
        frames: Frames in which there is a geometry of the class; of a bitmap's class, in which it is painted.
        geometries: How many there are, by their kind: `bbox`, `cuboid`, …; as `image` the bitmaps in which it is
            painted.
        example: The scene of one of the documents, the first by its uuid; empty where none is known.
    """

    documents: int = 0
    objects: int = 0
    frames: int = 0
    geometries: Counter[str] = field(default_factory=Counter)
    example: str = ""

    def add(self, other: ClassCount) -> None:
        """Add what was counted elsewhere."""
        self.documents += other.documents
        self.objects += other.objects
        self.frames += other.frames
        self.geometries.update(other.geometries)
        self.example = min(filter(None, (self.example, other.example)), default="")

    def as_json(self) -> dict[str, Any]:
        """Return it as a file has it."""
        found: dict[str, Any] = {
            "documents": self.documents,
            "objects": self.objects,
            "frames": self.frames,
            "geometries": {kind: self.geometries[kind] for kind in sorted(self.geometries)},
        }
        if self.example:
            found["example_scene"] = self.example
        return found

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> ClassCount:
        """Read what `as_json` returned; what a file does not say is none."""
        return cls(
            documents=int(given.get("documents", 0)),
            objects=int(given.get("objects", 0)),
            frames=int(given.get("frames", 0)),
            geometries=Counter({str(kind): int(many) for kind, many in given.get("geometries", {}).items()}),
            example=str(given.get("example_scene", "")),
        )


class ClassCounts:
    """What was counted of every class of one side.

    Args:
        whose: Whose classes they are, for messages: "the predictions".
    """

    def __init__(self, whose: str) -> None:
        self._whose = whose
        self._classes: dict[str, ClassCount] = {}

    def add(self, found: Mapping[str, ClassCount], scene_uuid: str) -> None:
        """Count the classes of one document.

        Args:
            found: What was counted in it.
            scene_uuid: Its scene.

        Raises:
            KognicInputError: There are more classes than a mapping can have, or one's name is none.
        """
        for name, count in found.items():
            if name not in self._classes:
                self._check(name, scene_uuid)
                self._classes[name] = ClassCount()
            self._classes[name].add(count)
            self._classes[name].add(ClassCount(example=scene_uuid))

    def by_name(self) -> dict[str, ClassCount]:
        """Return what was counted of each class, in the order of their names."""
        return {name: self._classes[name] for name in sorted(self._classes)}

    def _check(self, name: str, scene_uuid: str) -> None:
        if not name.strip():
            raise KognicInputError(
                f"{self._whose} have a class without a name in scene {scene_uuid}: {name!r}. A class mapping has no"
                " row for that; correct the document."
            )
        if len(name) > LONGEST_NAME:
            raise KognicInputError(
                f"{self._whose} have a class of {len(name):,} characters in scene {scene_uuid}:"
                f" {printable(brief(name))}. No class mapping can be proposed for that; correct the document."
            )
        if len(self._classes) >= MOST_CLASSES:
            raise KognicInputError(
                f"{self._whose} have more than {MOST_CLASSES:,} classes; one of them, in scene {scene_uuid}, is"
                f" {printable(brief(name))}. Are ids written where the names of classes belong?"
            )
