"""Ids of JSON that pandas made floats, and categories in a list of their own, as panopticapi has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from tests.core.sources.converting.support import (
    box,
    boxes,
    documents,
    one_scene_each,
    opened,
    scene,
    write_json,
)
from tests.core.sources.formats.painted import names_in
from tests.core.sources.formats.test_panoptic import (
    CATEGORIES,
    annotation,
    coloured,
    drawn,
    expected,
    of_panoptic,
)

if TYPE_CHECKING:
    from pathlib import Path

LISTED = [one | {"isthing": 1, "color": [220, 20, 60], "supercategory": "thing"} for one in CATEGORIES]
AS_CALLED = {"1": "person", "3": "car", "184": "tree"}


def in_floats(given: dict[str, Any]) -> dict[str, Any]:
    """An annotation as it is where a column had a number that was missing."""
    segments = [
        one | {name: float(one[name]) for name in ("id", "category_id", "area")}
        for one in given["segments_info"]
    ]
    return given | {"image_id": float(given["image_id"]), "segments_info": segments}


def test_panoptic_ids_may_be_floats_that_are_whole(tmp_path: Path) -> None:
    ids = drawn()
    found, counts = of_panoptic(tmp_path, [in_floats(annotation(ids))], {"five.png": coloured(ids)})
    assert counts.is_clean
    assert (names_in(found) == expected(ids)).all()


def test_panoptic_categories_may_be_a_list(tmp_path: Path) -> None:
    ids = drawn()
    listed = write_json(tmp_path / "panoptic_coco_categories.json", LISTED)
    found, counts = of_panoptic(
        tmp_path,
        [annotation(ids)],
        {"five.png": coloured(ids)},
        classes=None,
        arguments={"annotations": str(listed)},
    )
    assert counts.is_clean
    assert (names_in(found) == expected(ids, AS_CALLED)).all()


def test_coco_categories_may_be_a_list(tmp_path: Path) -> None:
    """Which says nothing of images: they are called by their ids."""
    listed = write_json(tmp_path / "categories.json", LISTED)
    results = write_json(tmp_path / "r.json", [box(7, category=3), box(8, category=2)])
    source = opened(
        results, one_scene_each(tmp_path, (7, 8)), classes=None, arguments={"annotations": listed}
    )
    assert [kind for kind, *_ in boxes(documents(source)[scene(0)])] == ["car"]
    assert source.counts.refused == {"unknown_class": 1}


@pytest.mark.parametrize("format_", ["coco", "panoptic"])
@pytest.mark.parametrize(
    "listed",
    [[7], [{"id": 1}], [{"id": 1.5, "name": "a"}], [{"id": 1, "name": "a"}, {"id": 1.0, "name": "b"}]],
)
def test_a_list_that_is_none_of_categories_ends_it(tmp_path: Path, format_: str, listed: list[Any]) -> None:
    path = write_json(tmp_path / "categories.json", listed)
    results = write_json(tmp_path / "r.json", {"annotations": []} if format_ == "panoptic" else [])
    with pytest.raises(
        KognicInputError, match=r"'annotations' is no JSON of .*categories: .*categories.json"
    ):
        opened(results, one_scene_each(tmp_path, (7,)), format=format_, arguments={"annotations": str(path)})
