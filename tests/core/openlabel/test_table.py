"""A document as rows: what it holds, and nothing of one that is not valid."""

import base64
import json
import tracemalloc
from typing import Any

import pytest

from airflow_provider_kognic.core.geometry import Cuboid
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.openlabel.table import TableRow, rows_of
from tests.core.documents import OBJECT, boxes, png, segmentation


def test_each_geometry_is_a_row_in_the_documents_order() -> None:
    rows = list(rows_of(json.dumps(boxes()).encode()))
    assert [(row.frame, row.timestamp_ms, row.kind) for row in rows] == [
        ("0", 0, "bbox"),
        ("0", 0, "cuboid"),
        ("1", 100, "bbox"),
        ("1", 100, "cuboid"),
    ]
    assert rows[0] == TableRow("0", 0, "CAM", OBJECT, "car 1", "Car", "bbox", 0.5, (10, 20.5, 30, 40))
    assert rows[1] == TableRow(
        "0", 0, "@lidar", OBJECT, "car 1", "Car", "cuboid", 1, (1, 2, 3, 0, 0, 0, 1, 1.8, 4.5, 1.5)
    )


def test_corners_are_those_of_the_geometry() -> None:
    """Of a cuboid the front first: it looks along y without a rotation."""
    box, cuboid, *_ = rows_of(json.dumps(boxes()).encode())
    assert box.corners() == (-5, 0.5, 25, 40.5)
    corners = cuboid.corners()
    assert corners == tuple(one for corner in Cuboid.from_kognic(cuboid.val).corners() for one in corner)
    assert corners[:6] == pytest.approx((0.1, 4.25, 3.75, 1.9, 4.25, 3.75))


def test_a_bitmap_is_a_row_for_each_class_with_its_area() -> None:
    document = segmentation(png(8, 4, levels=[0, 7]))
    rows = list(rows_of(json.dumps(document).encode()))
    names = document["openlabel"]["ontologies"]["0"]["classifications"]
    assert {row.class_name for row in rows} == {names["0"], names["7"]}
    assert sum(row.area or 0 for row in rows) == 8 * 4
    assert {(row.kind, row.val, row.corners()) for row in rows} == {("image", (), ())}


def test_a_confidence_that_is_left_out_is_none() -> None:
    document = boxes()
    for frame in document["openlabel"]["frames"].values():
        del frame["objects"][OBJECT]["object_data"]["bbox"][0]["attributes"]["num"]
    assert [row.confidence for row in rows_of(json.dumps(document).encode())] == [None, 1, None, 1]


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        (("bbox", 0, "val"), [1, 2, 3, -4], "bbox_size"),
        (("cuboid", 0, "val"), [1, 2, 3], "cuboid"),
        (("cuboid", 0, "attributes"), {}, "stream"),
    ],
)
def test_a_document_that_is_not_valid_has_no_row(path: tuple[Any, ...], value: Any, rule: str) -> None:
    """Not even those before what is wrong: it is in the last frame."""
    document = boxes()
    place = document["openlabel"]["frames"]["1"]["objects"][OBJECT]["object_data"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(Refused, match=rule):
        rows_of(json.dumps(document).encode())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"openlabel": {}}', b"\xff"])
def test_what_is_no_document_is_refused(content: bytes) -> None:
    with pytest.raises(Refused):
        rows_of(content)


def test_memory_is_that_of_a_frame() -> None:
    """Rows of ten times as many frames take as much beside the document itself."""

    def peak(frames: int) -> int:
        document = boxes()
        frame = document["openlabel"]["frames"].pop("1")
        for number in range(1, frames):
            frame["frame_properties"]["timestamp"] = number
            document["openlabel"]["frames"][str(number)] = json.loads(json.dumps(frame))
        content = json.dumps(document).encode()
        del document
        for _ in rows_of(content):
            break
        tracemalloc.start()
        try:
            count = sum(1 for _ in rows_of(content))
            assert count == 2 * frames
            return tracemalloc.get_traced_memory()[1] - len(content) * 4
        finally:
            tracemalloc.stop()

    assert peak(20_000) - peak(2_000) < 8 << 20


def test_areas_are_counted_once_where_levels_share_a_class() -> None:
    document = segmentation(png(8, 4, levels=[0, 7]))
    document["openlabel"]["ontologies"]["0"]["classifications"] = {"0": "Road", "7": "Road"}
    (row,) = rows_of(json.dumps(document).encode())
    assert (row.class_name, row.area) == ("Road", 32)
    assert base64.b64decode(
        document["openlabel"]["frames"]["0"]["objects"]["1"]["object_data"]["image"][0]["val"]
    )
