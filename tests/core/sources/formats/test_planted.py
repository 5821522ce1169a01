"""The mistakes that are made with masks, planted one by one: the tests from file to document find each of them.

What finds it are the same checks that are made without a mistake, in test_coco_masks, test_masks and test_panoptic.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.geometry.masks import bitmaps, cityscapes, id_images, polygons, rle
from airflow_provider_kognic.core.sources.converting import writer
from airflow_provider_kognic.core.sources.formats import coco, panoptic
from airflow_provider_kognic.core.sources.painting import canvases
from tests.core.sources.formats.test_coco_masks import check_made_masks, check_overlaps
from tests.core.sources.formats.test_masks import check_cityscapes, check_scaled
from tests.core.sources.formats.test_panoptic import check_segments

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Plant = Callable[[pytest.MonkeyPatch], None]


def along_the_rows(patch: pytest.MonkeyPatch) -> None:
    """Runs fill the rows, not the columns."""

    def bitmap(self: Any) -> bitmaps.Bitmap:
        return bitmaps.Bitmap(self.width, self.height, bytes(self._pixels))

    patch.setattr(bitmaps.Canvas, "bitmap", bitmap)


def size_the_other_way_round(patch: pytest.MonkeyPatch) -> None:
    """Width before height."""
    read = rle.from_coco
    patch.setattr(coco, "from_coco", lambda one: read(one | {"size": one["size"][::-1]}))


def ones_first(patch: pytest.MonkeyPatch) -> None:
    """The first run is taken for ones."""

    def spans(self: rle.Rle) -> Any:
        end = 0
        for at, count in enumerate(self.counts):
            end += count
            if at % 2 == 0:
                yield end - count, end

    patch.setattr(rle.Rle, "spans", spans)


def less_sure_on_top(patch: pytest.MonkeyPatch) -> None:
    """As they come out of a list that is sorted by falling scores."""
    patch.setattr(writer, "_sure", lambda one: -one.confidence)


def later_on_top(patch: pytest.MonkeyPatch) -> None:
    """Of the equally sure, as a loop over the rows has it."""
    paint = writer._bitmap

    def turned(masks: Any, *rest: Any) -> str:
        return paint(masks[::-1], *rest)

    patch.setattr(writer, "_bitmap", turned)


def one_channel(patch: pytest.MonkeyPatch) -> None:
    """A panoptic PNG as if red were the id."""

    def red_only(png: bytes) -> id_images.IdImage:
        found = id_images.read_panoptic(png)
        areas: dict[int, int] = {}
        for one, area in found.areas.items():
            areas[one & 255] = areas.get(one & 255, 0) + area
        numbers = {value: number & 255 for value, number in found._numbers.items()}
        return id_images.IdImage(found.width, found.height, areas, found._image, numbers)

    patch.setattr(panoptic, "read_panoptic", red_only)


def blue_first(patch: pytest.MonkeyPatch) -> None:
    """The channels as OpenCV has them."""

    def turned(png: bytes) -> id_images.IdImage:
        found = id_images.read_panoptic(png)

        def bgr(one: int) -> int:
            return (one & 255) << 16 | one & 0xFF00 | one >> 16

        areas = {bgr(one): area for one, area in found.areas.items()}
        numbers = {value: bgr(number) for value, number in found._numbers.items()}
        return id_images.IdImage(found.width, found.height, areas, found._image, numbers)

    patch.setattr(panoptic, "read_panoptic", turned)


def train_ids_as_label_ids(patch: pytest.MonkeyPatch) -> None:
    """26 or 13: whatever is said, the one is taken."""
    names = cityscapes.LabelIds.LABEL_IDS.names
    patch.setattr(cityscapes.LabelIds, "names", property(lambda self: names))


def levels_between(patch: pytest.MonkeyPatch) -> None:
    """Scaled as a photo is: a class is not the mean of its neighbours."""

    def scaled_to(self: bitmaps.Bitmap, width: int, height: int) -> bitmaps.Bitmap:
        from PIL import Image

        image = Image.frombytes("L", (self.width, self.height), self.pixels)
        return bitmaps.Bitmap(
            width, height, image.resize((width, height), Image.Resampling.BILINEAR).tobytes()
        )

    patch.setattr(bitmaps.Bitmap, "scaled_to", scaled_to)


def corner_not_centre(patch: pytest.MonkeyPatch) -> None:
    """Scaled by the corners of pixels."""

    def scaled_to(self: bitmaps.Bitmap, width: int, height: int) -> bitmaps.Bitmap:
        xs = [x * self.width // width for x in range(width)]
        rows = [y * self.height // height * self.width for y in range(height)]
        return bitmaps.Bitmap(width, height, bytes(self.pixels[row + x] for row in rows for x in xs))

    patch.setattr(bitmaps.Bitmap, "scaled_to", scaled_to)


def half_a_pixel(patch: pytest.MonkeyPatch) -> None:
    """Polygons as if pixels' centres were at whole numbers."""
    read = polygons.from_polygons
    patch.setattr(
        coco,
        "from_polygons",
        lambda found, height, width: read([[side + 0.5 for side in one] for one in found], height, width),
    )


def turned_canvas(patch: pytest.MonkeyPatch) -> None:
    """The PNG has the width of its height."""
    finished = canvases.finished

    def turned(bitmap: bitmaps.Bitmap, canvas: Any) -> bytes:
        return finished(bitmaps.Bitmap(bitmap.height, bitmap.width, bitmap.pixels), canvas)

    patch.setattr(coco, "finished", turned)


MISTAKES: dict[Plant, Callable[[Path], object]] = {
    along_the_rows: check_made_masks,
    size_the_other_way_round: check_made_masks,
    ones_first: check_made_masks,
    half_a_pixel: check_made_masks,
    turned_canvas: check_overlaps,
    less_sure_on_top: check_overlaps,
    later_on_top: check_overlaps,
    one_channel: check_segments,
    blue_first: check_segments,
    train_ids_as_label_ids: check_cityscapes,
    levels_between: check_scaled,
    corner_not_centre: check_scaled,
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda plant: plant.__name__)
def test_a_mistake_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: Plant) -> None:
    """And found as wrong pixels, sizes or counts, not as something that breaks."""
    mistake(monkeypatch)
    with pytest.raises(AssertionError):
        MISTAKES[mistake](tmp_path)
