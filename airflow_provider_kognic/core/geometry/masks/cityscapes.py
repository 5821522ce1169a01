"""The classes of Cityscapes: their names, and the two numbers that each has.

Submissions have label ids, most networks write train ids, and the images look alike: a car is 26 or 13. So it has
to be said which they are. 255 is ignored in both: what no class is trained for, and -1 in 8 bits.

Source: `cityscapesscripts/helpers/labels.py` of cityscapesScripts.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.masks.rle import listed

if TYPE_CHECKING:
    from collections.abc import Iterable

# What is no class in an 8-bit image.
IGNORED = 255

# By label id, from 0 on.
_NAMES = (
    "unlabeled",
    "ego vehicle",
    "rectification border",
    "out of roi",
    "static",
    "dynamic",
    "ground",
    "road",
    "sidewalk",
    "parking",
    "rail track",
    "building",
    "wall",
    "fence",
    "guard rail",
    "bridge",
    "tunnel",
    "pole",
    "polegroup",
    "traffic light",
    "traffic sign",
    "vegetation",
    "terrain",
    "sky",
    "person",
    "rider",
    "car",
    "truck",
    "bus",
    "caravan",
    "trailer",
    "train",
    "motorcycle",
    "bicycle",
)
# The label ids that have a train id, in its order from 0 on.
_TRAINED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


class LabelIds(Enum):
    """Which of the two numbers an image has; the value is what Cityscapes' files are called after."""

    LABEL_IDS = "labelIds"
    TRAIN_IDS = "trainIds"

    @property
    def names(self) -> dict[int, str]:
        """The name of each number, without 255."""
        if self is LabelIds.LABEL_IDS:
            return dict(enumerate(_NAMES))
        return {train_id: _NAMES[label_id] for train_id, label_id in enumerate(_TRAINED)}

    def check(self, numbers: Iterable[int]) -> None:
        """Check that an image may have these numbers.

        Raises:
            KognicInputError: Some are none of this kind.
        """
        names = self.names
        wrong = sorted(number for number in numbers if number not in names and number != IGNORED)
        if wrong:
            other = next(each for each in LabelIds if each is not self)
            hint = f" Are these {other.value}?" if all(number in other.names for number in wrong) else ""
            raise KognicInputError(
                f"The image has pixels of {listed(wrong)}, which are no {self.value} (0 to {len(names) - 1}, and"
                f" {IGNORED} for what is ignored).{hint}"
            )
