"""For every rule, documents that just keep it and documents that break it, and where."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.core.documents import (
    BOX,
    CUBOID,
    IMAGE,
    OBJECT,
    attributes,
    boxes,
    chunk,
    drop,
    encode,
    png,
    put,
    segmentation,
)

# What OpenLABEL knows beside cameras and lidars.
OTHER_SENSORS = ("radar", "gps_imu", "other")
FRAME = "openlabel.frames.0"
STAMP = f"{FRAME}.frame_properties.timestamp"
DATA = f"{FRAME}.objects.{OBJECT}.object_data"
ROOT = f"openlabel.objects.{OBJECT}"
CLASSES = "openlabel.ontologies.0.classifications"


@dataclass(frozen=True)
class Case:
    """A rule, valid documents that keep it, and documents that break it at a path."""

    rule: str
    keep: list[Any]
    breaks: list[tuple[Any, str]]


def box(path: str, value: Any) -> dict[str, Any]:
    return put(boxes(), f"{BOX}.{path}", value)


def cuboid(**values: float) -> dict[str, Any]:
    names = ["x", "y", "z", "qx", "qy", "qz", "qw", "width", "length", "height"]
    found = dict(zip(names, boxes_cuboid(), strict=True)) | values
    return put(boxes(), f"{CUBOID}.val", list(found.values()))


def boxes_cuboid() -> list[float]:
    return [1, 2, 3, 0, 0, 0, 1, 1.8, 4.5, 1.5]


def raw(old: str, new: str, document: dict[str, Any] | None = None) -> bytes:
    """The document's JSON with something replaced once."""
    text = encode(document or boxes())
    assert old.encode() in text
    return text.replace(old.encode(), new.encode(), 1)


def picture(value: str) -> dict[str, Any]:
    return put(segmentation(), f"{IMAGE}.val", value)


def base(data: bytes) -> str:
    return base64.b64encode(data).decode()


def with_frames(*stamps: int, **changes: Any) -> dict[str, Any]:
    """The document with as many frames as timestamps."""
    document = boxes()
    frame = document["openlabel"]["frames"]["0"]
    frames = {str(i): put(frame, "frame_properties.timestamp", stamp) for i, stamp in enumerate(stamps)}
    document["openlabel"]["frames"] = {name: frame | changes for name, frame in frames.items()}
    return document


def with_frame_ids(*names: str) -> dict[str, Any]:
    """The document with frames of these names."""
    document = with_frames(*range(len(names)))
    frames = document["openlabel"]["frames"].values()
    document["openlabel"]["frames"] = dict(zip(names, frames, strict=True))
    return document


def empty(document: dict[str, Any], *frames: str) -> dict[str, Any]:
    for name in frames:
        document = put(document, f"openlabel.frames.{name}.objects", {})
    return document


def without_cuboids() -> dict[str, Any]:
    document = drop(boxes(), f"{DATA}.cuboid")
    return drop(document, "openlabel.frames.1")


def named(kind: str, *, wide: int, of: int, width: float = 4.5) -> dict[str, Any]:
    """A document with many cuboids of a class, some of them wide."""
    document = put(boxes(), f"{ROOT}.type", kind)
    one = document["openlabel"]["frames"]["0"]["objects"][OBJECT]["object_data"]["cuboid"][0]
    turned = one | {"val": [1, 2, 3, 0, 0, 0, 1, width, 1.8, 1.5]}
    document["openlabel"]["frames"]["0"]["objects"][OBJECT]["object_data"]["cuboid"] = [
        turned if number < wide else one for number in range(of)
    ]
    return drop(document, "openlabel.frames.1")


def _bitmaps() -> list[tuple[Any, str]]:
    good = png(8, 4, levels=[0, 7])
    end = chunk(b"IEND", b"")
    wrong_checksum = good.replace(end, end[:-1] + b"\0")
    wrong = [
        b"GIF89a" + good,
        png(8, 4, levels=[0, 7], colour=2),
        png(8, 4, levels=[0, 7], colour=3),
        png(8, 4, levels=[0], depth=1),
        png(8, 4, levels=[0], depth=16),
        good[:-12],
        good[:-14],
        good[:40],
        wrong_checksum,
        good[:8] + good[33:],
        png(8, 4, levels=[0], pixels=b"\0" * 10),
        png(8, 4, levels=[0], pixels=b"\x09" * 36),
        png(0, 4, levels=[0]),
        png(8, 4, levels=[0], pixels=b"\0" * 27),
        png(8, 4, levels=[0], pixels=b"\0" * 45),
        good.replace(b"IDAT", b"IDAX"),
        good.replace(end, chunk(b"ABCD", b"") + end),
        good[:8] + chunk(b"IHDR", b"\0" * 5) + end,
        good[:33] + chunk(b"IDAT", b"not zlib") + end,
    ]
    return [(picture(base(data)), f"{IMAGE}.val") for data in wrong]


TEXT = "attributes.text"
CASES: list[Case] = [
    Case(
        "not_json",
        [boxes(), b" " + encode(boxes()) + b"\n", raw("car 1", "\\ud83d\\ude00 \u00e4")],
        [
            (b"", "(document)"),
            (b"  ", "(document)"),
            (encode(boxes())[:-1], "(document)"),
            (b"\xef\xbb\xbf" + encode(boxes()), "(document)"),
            (encode(boxes()).replace(b"car 1", b"car\xff"), "(document)"),
            (raw("car 1", "\\ud800"), "(document)"),
            (raw('"schema_version"', '"x": "\\ud800", "schema_version"'), "(document)"),
            (raw('"schema_version"', '"x": "\x01", "schema_version"'), "(document)"),
            (raw("100", "0100"), "(document)"),
            (encode(boxes()) + b"{}", "(document)"),
        ],
    ),
    Case(
        "duplicate_key",
        [raw("car 1", 'the \\"car\\": 1'), raw("car 1", "car \\u003a 1"), raw('"name"', '"name"  ')],
        [
            (raw('"type": "Car"', '"type": "Car", "type": "Car"'), f"{ROOT}.type"),
            (raw('"timestamp": 0', '"timestamp": 5, "timestamp" : 0'), STAMP),
            (raw('"name": "box"', '"name": "box", "n\\u0061me": "a: b"'), f"{BOX}.name"),
            (raw('"1": {', '"0": {"frame_properties": {}}, "1": {'), "openlabel.frames.0"),
            (raw('{"openlabel"', '{"openlabel": 1, "openlabel"'), "openlabel"),
            (raw('"metadata"', '"metadata": {}, "metadata"'), "openlabel.metadata"),
            (raw('"name": "car 1"', '"name": "x", "name": "\\u003a"'), f"{ROOT}.name"),
            (raw('"external_id": ""', '"mine": {"a": 1, "a": 1}'), f"{FRAME}.frame_properties.mine.a"),
        ],
    ),
    Case(
        "not_finite",
        [box("val", [1e300, -1e308, 1, 1]), box("val", [10**307, 0, 1, 1])],
        [
            (raw("20.5", "NaN"), f"{BOX}.val[1]"),
            (raw("20.5", "-Infinity"), f"{BOX}.val[1]"),
            (raw("20.5", "1e400"), f"{BOX}.val[1]"),
            (raw("20.5", "9" * 400), f"{BOX}.val[1]"),
            (raw('"timestamp": 0', '"timestamp": NaN'), STAMP),
            (raw('"external_id": ""', '"mine": [Infinity]'), f"{FRAME}.frame_properties.mine[0]"),
        ],
    ),
    Case(
        "too_large",
        [put(boxes(), f"{FRAME}.frame_properties.mine", [[[[]]]])],
        [
            (
                raw('"external_id": ""', '"mine": ' + "[" * 150 + "]" * 150),
                "openlabel.frames.0.frame_properties",
            ),
            (raw('"external_id": ""', '"mine": ' + "[" * 9000 + "]" * 9000), "(document)"),
            (b"[" * 100_000, "(document)"),
            (picture(base(png(9000, 9000, levels=[0], pixels=b""))), f"{IMAGE}.val"),
        ],
    ),
    Case(
        "no_openlabel",
        [boxes()],
        [
            (b"{}", "openlabel"),
            (b"[]", "openlabel"),
            (b"17", "openlabel"),
            (b'{"openlabel": []}', "openlabel"),
            (b'{"openlabel": null}', "openlabel"),
            (b'{"data": {}}', "openlabel"),
        ],
    ),
    Case(
        "missing_key",
        [boxes()],
        [
            (drop(boxes(), "openlabel.metadata"), "openlabel.metadata"),
            (drop(boxes(), f"{ROOT}.name"), f"{ROOT}.name"),
            (drop(boxes(), f"{ROOT}.type"), f"{ROOT}.type"),
            (drop(boxes(), f"{BOX}.name"), f"{BOX}.name"),
            (drop(boxes(), f"{BOX}.val"), f"{BOX}.val"),
            (drop(segmentation(), "openlabel.ontologies.0.uri"), "openlabel.ontologies.0.uri"),
            (drop(segmentation(), f"{IMAGE}.mime_type"), f"{IMAGE}.mime_type"),
            (drop(box(f"{TEXT}[0]", {"name": "stream"}), "openlabel.frames.1"), f"{BOX}.{TEXT}[0].val"),
            (
                put(boxes(), "openlabel.relations", {"1": {"name": "", "type": "", "rdf_objects": []}}),
                "openlabel.relations.1.rdf_subjects",
            ),
        ],
    ),
    Case(
        "unknown_key",
        [box("mine", 1), put(boxes(), f"{FRAME}.frame_properties.mine", {"a": 1})],
        [
            (boxes() | {"mine": 1}, "mine"),
            (put(boxes(), "openlabel.mine", 1), "openlabel.mine"),
            (put(boxes(), f"{FRAME}.mine", 1), f"{FRAME}.mine"),
            (put(boxes(), f"{ROOT}.mine", 1), f"{ROOT}.mine"),
            (put(boxes(), f"{DATA}.bboxes", []), f"{DATA}.bboxes"),
            (box("attributes.mine", []), f"{BOX}.attributes.mine"),
            (put(boxes(), "openlabel.streams.CAM.mine", 1), "openlabel.streams.CAM.mine"),
            (put(boxes(), f"{FRAME}.objects.{OBJECT}.type", "Car"), f"{FRAME}.objects.{OBJECT}.type"),
        ],
    ),
    Case(
        "wrong_type",
        [box("coordinate_system", None), put(boxes(), f"{ROOT}.object_data", None)],
        [
            (put(boxes(), f"{ROOT}.name", 5), f"{ROOT}.name"),
            (put(boxes(), "openlabel.streams", []), "openlabel.streams"),
            (put(boxes(), "openlabel.objects", "x"), "openlabel.objects"),
            (put(boxes(), FRAME, 5), FRAME),
            (put(boxes(), f"{FRAME}.objects", []), f"{FRAME}.objects"),
            (put(boxes(), f"{DATA}.bbox", {}), f"{DATA}.bbox"),
            (put(boxes(), f"{DATA}.bbox", [1]), BOX),
            (box("name", None), f"{BOX}.name"),
            (box("attributes", []), f"{BOX}.attributes"),
            (box("attributes.num[0].val", "0.5"), f"{BOX}.attributes.num[0].val"),
            (box("attributes.num[0].val", True), f"{BOX}.attributes.num[0].val"),  # noqa: FBT003 - JSON
            (box(f"{TEXT}[0].val", 1), f"{BOX}.{TEXT}[0].val"),
            (
                put(boxes(), f"{FRAME}.frame_properties.external_id", 1),
                f"{FRAME}.frame_properties.external_id",
            ),
            (put(boxes(), f"{ROOT}.object_data", {"num": [{"val": "1"}]}), f"{ROOT}.object_data.num[0].val"),
        ],
    ),
    Case(
        "wrong_value",
        [box("attributes.num[0].type", "min")],
        [
            (box("attributes.num[0].type", "most"), f"{BOX}.attributes.num[0].type"),
            (
                put(boxes(), f"{FRAME}.frame_properties.streams", {"a": {"type": "sonar"}}),
                f"{FRAME}.frame_properties.streams.a.type",
            ),
            (
                put(
                    boxes(),
                    "openlabel.coordinate_systems",
                    {"a": {"type": "", "parent": "", "pose_wrt_parent": {"quaternion": [0, 0, 0, 1]}}},
                ),
                "openlabel.coordinate_systems.a.pose_wrt_parent",
            ),
        ],
    ),
    Case(
        "wrong_id",
        [put(boxes(), "openlabel.objects.-7", {"name": "", "type": "x"})],
        [
            (put(boxes(), "openlabel.objects.car1", {"name": "", "type": "x"}), "openlabel.objects.car1"),
            (
                put(boxes(), f"openlabel.objects.{OBJECT[:-1]}", {"name": "", "type": "x"}),
                f"openlabel.objects.{OBJECT[:-1]}",
            ),
            (
                put(
                    boxes(),
                    "openlabel.objects",
                    {OBJECT: {"name": "", "type": "x"}, "1\n": {"name": "", "type": "x"}},
                ),
                'openlabel.objects["1\\n"]',
            ),
            (
                put(boxes(), "openlabel.frames.-1", with_frames(7)["openlabel"]["frames"]["0"]),
                "openlabel.frames.-1",
            ),
            (
                put(boxes(), "openlabel.frames.first", with_frames(7)["openlabel"]["frames"]["0"]),
                "openlabel.frames.first",
            ),
        ],
    ),
    Case(
        "frame_repeated",
        [with_frame_ids("00", "01", "10", "100"), with_frame_ids("9" * 5000, "007")],
        [
            (with_frame_ids("0", "00"), "openlabel.frames.00"),
            (with_frame_ids("01", "2", "1"), "openlabel.frames.1"),
            (with_frame_ids("9" * 5000, "5", "0005"), "openlabel.frames.0005"),
        ],
    ),
    Case(
        "schema_version",
        [boxes()],
        [
            (put(boxes(), "openlabel.metadata.schema_version", "1.0.1"), "openlabel.metadata.schema_version"),
            (put(boxes(), "openlabel.metadata.schema_version", 1.0), "openlabel.metadata.schema_version"),
            (drop(boxes(), "openlabel.metadata.schema_version"), "openlabel.metadata.schema_version"),
        ],
    ),
    Case(
        "no_frames",
        [boxes()],
        [
            (drop(boxes(), "openlabel.frames"), "openlabel.frames"),
            (put(boxes(), "openlabel.frames", {}), "openlabel.frames"),
            (put(boxes(), "openlabel.frames", []), "openlabel.frames"),
            (put(boxes(), "openlabel.frames", None), "openlabel.frames"),
        ],
    ),
    Case(
        "no_streams",
        [drop(empty(boxes(), "0", "1"), "openlabel.streams"), boxes()],
        [
            (drop(boxes(), "openlabel.streams"), "openlabel.streams"),
            (put(boxes(), "openlabel.streams", {}), "openlabel.streams"),
            (put(boxes(), "openlabel.streams", None), "openlabel.streams"),
        ],
    ),
    Case(
        "no_objects",
        [drop(empty(boxes(), "0", "1"), "openlabel.objects"), boxes()],
        [
            (drop(boxes(), "openlabel.objects"), "openlabel.objects"),
            (put(boxes(), "openlabel.objects", {}), "openlabel.objects"),
            (put(boxes(), "openlabel.objects", None), "openlabel.objects"),
        ],
    ),
    Case(
        "stream_type",
        [boxes(), *(put(boxes(), "openlabel.streams.X", {"type": kind}) for kind in OTHER_SENSORS)],
        [
            (put(boxes(), "openlabel.streams.CAM.type", "sonar"), "openlabel.streams.CAM.type"),
            (put(boxes(), "openlabel.streams.X", {"type": "sonar"}), "openlabel.streams.X.type"),
            (put(boxes(), "openlabel.streams.X", {"type": 5}), "openlabel.streams.X.type"),
            (put(boxes(), "openlabel.streams.CAM.type", None), "openlabel.streams.CAM.type"),
            (drop(boxes(), "openlabel.streams.CAM.type"), "openlabel.streams.CAM.type"),
        ],
    ),
    Case(
        "lidar_name",
        [
            put(boxes(), "openlabel.streams.lidar", {"type": "camera"}),
            put(boxes(), "openlabel.streams.LIDAR", {"type": "lidar"}),
        ],
        [
            (put(boxes(), "openlabel.streams.CAM.type", "lidar"), "openlabel.streams.CAM"),
            (put(boxes(), "openlabel.streams.@lidar.type", "camera"), "openlabel.streams.@lidar"),
            (put(boxes(), "openlabel.streams.@lidar.type", "radar"), "openlabel.streams.@lidar"),
            (
                put(
                    put(boxes(), "openlabel.streams.LIDAR", {"type": "lidar"}),
                    f"{CUBOID}.{TEXT}[0].val",
                    "LIDAR",
                ),
                "openlabel.streams.LIDAR",
            ),
        ],
    ),
    Case(
        "stream_unused",
        [
            boxes(),
            *(put(boxes(), "openlabel.streams.X", {"type": kind}) for kind in ("camera", *OTHER_SENSORS)),
        ],
        [
            (put(boxes(), "openlabel.streams.LIDAR", {"type": "lidar"}), "openlabel.streams.LIDAR"),
            (put(without_cuboids(), "openlabel.streams.@lidar.type", "camera"), "openlabel.streams.@lidar"),
            (put(without_cuboids(), "openlabel.streams.@lidar.type", "radar"), "openlabel.streams.@lidar"),
            (put(boxes(), "openlabel.streams.X", {}), "openlabel.streams.X.type"),
            (put(boxes(), "openlabel.streams.X", {"type": None}), "openlabel.streams.X.type"),
        ],
    ),
    Case(
        "object_type",
        [put(boxes(), f"{ROOT}.type", "x"), put(boxes(), f"{ROOT}.type", " a b ")],
        [
            (put(boxes(), f"{ROOT}.type", ""), f"{ROOT}.type"),
            (put(boxes(), f"{ROOT}.type", "  "), f"{ROOT}.type"),
            (put(boxes(), f"{ROOT}.type", "\n\u00a0"), f"{ROOT}.type"),
            (put(boxes(), f"{ROOT}.type", 7), f"{ROOT}.type"),
        ],
    ),
    Case(
        "object_undeclared",
        [put(boxes(), "openlabel.objects.2", {"name": "not in a frame", "type": "Car"})],
        [
            (put(boxes(), f"{FRAME}.objects.2", {}), f"{FRAME}.objects.2"),
            (put(boxes(), f"{FRAME}.objects.{OBJECT.upper()}", {}), f"{FRAME}.objects.{OBJECT.upper()}"),
        ],
    ),
    Case(
        "geometry_static",
        [put(boxes(), f"{ROOT}.object_data", {"bbox": None, "cuboid": [], "text": [{"val": "red"}]})],
        [
            (put(boxes(), f"{ROOT}.object_data", {kind: [1]}), f"{ROOT}.object_data.{kind}")
            for kind in ("bbox", "cuboid", "image", "poly2d", "rbbox", "mesh")
        ],
    ),
    Case(
        "geometry_unsupported",
        [put(boxes(), f"{DATA}.poly2d", None), put(boxes(), f"{DATA}.mesh", [])],
        [
            (put(boxes(), f"{DATA}.{kind}", [{"name": "x"}]), f"{DATA}.{kind}")
            for kind in (
                *("area_reference", "binary", "line_reference", "mat", "mesh", "point2d", "point3d"),
                *("poly2d", "poly3d", "rbbox"),
            )
        ],
    ),
    Case(
        "timestamp_missing",
        [boxes()],
        [
            (drop(boxes(), STAMP), STAMP),
            (drop(boxes(), f"{FRAME}.frame_properties"), f"{FRAME}.frame_properties"),
            (put(boxes(), f"{FRAME}.frame_properties", None), f"{FRAME}.frame_properties"),
        ],
    ),
    Case(
        "timestamp_value",
        [with_frames(0, 2**53 - 1)],
        [(put(boxes(), STAMP, value), STAMP) for value in (-1, 0.5, 7.0, "0", None, True, 2**53)],
    ),
    Case(
        "timestamp_repeated",
        [with_frames(0, 100, 50)],
        [(with_frames(0, 100, 0), "openlabel.frames.2.frame_properties.timestamp")],
    ),
    Case(
        "stream_missing",
        [box(TEXT, [{"val": ""}, {"name": "streams", "val": "x"}, {"name": "stream", "val": "CAM"}])],
        [
            (drop(boxes(), f"{BOX}.attributes"), f"{BOX}.{TEXT}"),
            (box("attributes", None), f"{BOX}.{TEXT}"),
            (box(TEXT, []), f"{BOX}.{TEXT}"),
            (box(f"{TEXT}[0].name", "Stream"), f"{BOX}.{TEXT}"),
            (box(TEXT, [{"name": "stream", "val": "CAM"}] * 2), f"{BOX}.{TEXT}[1]"),
            (box("attributes.boolean", [{"name": "stream", "val": True}]), f"{BOX}.attributes.boolean[0]"),
            (box("attributes.num", [{"name": "stream", "val": 1}]), f"{BOX}.attributes.num[0]"),
            (drop(boxes(), f"{CUBOID}.attributes"), f"{CUBOID}.{TEXT}"),
            (drop(segmentation(), f"{IMAGE}.attributes"), f"{IMAGE}.{TEXT}"),
        ],
    ),
    Case(
        "stream_undeclared",
        [boxes()],
        [
            (box(f"{TEXT}[0].val", "cam"), f"{BOX}.{TEXT}[0].val"),
            (box(f"{TEXT}[0].val", ""), f"{BOX}.{TEXT}[0].val"),
            (drop(boxes(), "openlabel.streams.@lidar"), f"{CUBOID}.{TEXT}[0].val"),
            (put(segmentation(), f"{IMAGE}.{TEXT}[0].val", "CAM2"), f"{IMAGE}.{TEXT}[0].val"),
        ],
    ),
    Case(
        "stream_mismatch",
        [boxes()],
        [
            (box(f"{TEXT}[0].val", "@lidar"), f"{BOX}.{TEXT}[0].val"),
            (put(boxes(), f"{CUBOID}.{TEXT}[0].val", "CAM"), f"{CUBOID}.{TEXT}[0].val"),
            *(
                (put(boxes(), "openlabel.streams.CAM.type", kind), f"{BOX}.{TEXT}[0].val")
                for kind in OTHER_SENSORS
            ),
            (
                put(
                    put(boxes(), "openlabel.streams.X", {"type": "radar"}),
                    f"{CUBOID}.{TEXT}[0].val",
                    "X",
                ),
                f"{CUBOID}.{TEXT}[0].val",
            ),
            (
                put(
                    put(segmentation(), "openlabel.streams.@lidar", {"type": "lidar"}),
                    f"{IMAGE}.{TEXT}[0].val",
                    "@lidar",
                ),
                f"{IMAGE}.{TEXT}[0].val",
            ),
        ],
    ),
    Case(
        "bbox_values",
        [box("val", [-1, 0, 0.5, 1e5])],
        [
            (box("val", [1, 2, 3]), f"{BOX}.val"),
            (box("val", [1, 2, 3, 4, 5]), f"{BOX}.val"),
            (box("val", []), f"{BOX}.val"),
            (box("val", None), f"{BOX}.val"),
            (box("val[0]", "1"), f"{BOX}.val[0]"),
            (box("val[3]", None), f"{BOX}.val[3]"),
            (box("val[2]", True), f"{BOX}.val[2]"),  # noqa: FBT003 - JSON
        ],
    ),
    Case(
        "bbox_size",
        [box("val", [0, 0, 1e-9, 1e-9])],
        [
            (box("val[2]", 0), f"{BOX}.val[2]"),
            (box("val[3]", 0.0), f"{BOX}.val[3]"),
            (box("val[2]", -5), f"{BOX}.val[2]"),
            (box("val[3]", -5), f"{BOX}.val[3]"),
        ],
    ),
    Case(
        "cuboid_values",
        [cuboid(x=-1e5)],
        [
            (put(boxes(), f"{CUBOID}.val", boxes_cuboid()[:9]), f"{CUBOID}.val"),
            (put(boxes(), f"{CUBOID}.val", [*boxes_cuboid(), 1]), f"{CUBOID}.val"),
            (put(boxes(), f"{CUBOID}.val", None), f"{CUBOID}.val"),
            (put(boxes(), f"{CUBOID}.val[5]", "0"), f"{CUBOID}.val[5]"),
        ],
    ),
    Case(
        "cuboid_size",
        [cuboid(width=1e-9, length=1, height=1e-9)],
        [
            (cuboid(width=0), f"{CUBOID}.val[7]"),
            (cuboid(length=-4.5), f"{CUBOID}.val[8]"),
            (cuboid(height=0), f"{CUBOID}.val[9]"),
        ],
    ),
    Case(
        "cuboid_rotation",
        [
            cuboid(qz=0.6, qw=0.8),
            cuboid(qw=0.991),
            cuboid(qw=-1.009),
            cuboid(qx=0.5, qy=-0.5, qz=0.5, qw=-0.5),
        ],
        [
            (cuboid(qw=0), f"{CUBOID}.val"),
            (cuboid(qw=0.98), f"{CUBOID}.val"),
            (cuboid(qw=1.02), f"{CUBOID}.val"),
            (cuboid(qx=0.3), f"{CUBOID}.val"),
            (cuboid(qy=0.3), f"{CUBOID}.val"),
            (cuboid(qz=1), f"{CUBOID}.val"),
            (cuboid(qw=1e300), f"{CUBOID}.val"),
        ],
    ),
    Case(
        "confidence",
        [
            box("attributes.num[0].val", 0),
            box("attributes.num[0].val", 1),
            drop(boxes(), f"{BOX}.attributes.num"),
            box("attributes.num", [{"name": "other", "val": 7}, {"val": -3}]),
        ],
        [
            (box("attributes.num[0].val", -0.01), f"{BOX}.attributes.num[0].val"),
            (box("attributes.num[0].val", 1.01), f"{BOX}.attributes.num[0].val"),
            (box("attributes.num[0].val", 95), f"{BOX}.attributes.num[0].val"),
            (put(boxes(), f"{CUBOID}.attributes.num[0].val", 2), f"{CUBOID}.attributes.num[0].val"),
            (box("attributes.num", [{"name": "confidence", "val": 0.5}] * 2), f"{BOX}.attributes.num[1]"),
            (
                box(f"{TEXT}", [*attributes("CAM")["text"], {"name": "confidence", "val": "0.5"}]),
                f"{BOX}.{TEXT}[1]",
            ),
            (box("attributes.vec", [{"name": "confidence", "val": [0.5]}]), f"{BOX}.attributes.vec[0]"),
        ],
    ),
    Case(
        "no_classifications",
        [drop(empty(segmentation(), "0"), "openlabel.ontologies"), segmentation()],
        [
            (drop(segmentation(), "openlabel.ontologies"), "openlabel.ontologies"),
            (put(segmentation(), "openlabel.ontologies", {"1": {"uri": ""}}), "openlabel.ontologies"),
            (drop(segmentation(), CLASSES), "openlabel.ontologies"),
            (put(segmentation(), CLASSES, {}), "openlabel.ontologies"),
            (put(segmentation(), "openlabel.ontologies.0", "uri"), "openlabel.ontologies"),
        ],
    ),
    Case(
        "classifications",
        [put(segmentation(), CLASSES, {str(level): f"class {level}" for level in range(256)})],
        [
            (put(segmentation(), CLASSES, {str(level): "x" for level in range(257)}), f"{CLASSES}.256"),
            (put(segmentation(), f"{CLASSES}.-1", "x"), f"{CLASSES}.-1"),
            (put(segmentation(), f"{CLASSES}.07", "x"), f"{CLASSES}.07"),
            (put(segmentation(), f"{CLASSES}.road", "x"), f"{CLASSES}.road"),
            (put(segmentation(), f"{CLASSES}.7", ""), f"{CLASSES}.7"),
            (put(segmentation(), f"{CLASSES}.7", " "), f"{CLASSES}.7"),
            (put(segmentation(), f"{CLASSES}.7", 7), f"{CLASSES}.7"),
            (put(segmentation(), CLASSES, ["road"]), CLASSES),
        ],
    ),
    Case(
        "bitmap_object",
        [segmentation()],
        [(put(segmentation(), "openlabel.objects.1.type", "road"), "openlabel.objects.1.type")],
    ),
    Case(
        "bitmap_form",
        [segmentation()],
        [
            (put(segmentation(), f"{IMAGE}.mime_type", "image/jpeg"), f"{IMAGE}.mime_type"),
            (put(segmentation(), f"{IMAGE}.encoding", "base32"), f"{IMAGE}.encoding"),
            (put(segmentation(), f"{IMAGE}.encoding", None), f"{IMAGE}.encoding"),
        ],
    ),
    Case(
        "bitmap_base64",
        [segmentation()],
        [
            (picture(""), f"{IMAGE}.val"),
            (picture("="), f"{IMAGE}.val"),
            (picture("===="), f"{IMAGE}.val"),
            (picture("AAA*"), f"{IMAGE}.val"),
            (picture("data:image/png;base64," + base(png(1, 1, levels=[0]))), f"{IMAGE}.val"),
            (picture(base(png(1, 1, levels=[0])) + "\n"), f"{IMAGE}.val"),
            (picture(base(png(1, 1, levels=[0])).rstrip("=") + "A"), f"{IMAGE}.val"),
            (picture("käse"), f"{IMAGE}.val"),
        ],
    ),
    Case(
        "bitmap_png",
        [
            segmentation(png(1, 1, levels=[7])),
            segmentation(png(300, 300, levels=[0] * 90 + [7])),
            segmentation(
                png(4, 2, levels=[0]).replace(
                    chunk(b"IEND", b""), chunk(b"tEXt", b"a\0b") + chunk(b"IEND", b"")
                )
            ),
        ],
        _bitmaps(),
    ),
    Case(
        "bitmap_level",
        [segmentation(png(8, 4, levels=[7]))],
        [
            (segmentation(png(8, 4, levels=[0, 8])), f"{IMAGE}.val"),
            (segmentation(png(8, 4, levels=[0], pixels=b"\0" * 35 + b"\x01")), f"{IMAGE}.val"),
            # Filter 1, "Sub": 7, then 0 more each, is 7 everywhere; 1 more each is another level in each pixel.
            (segmentation(png(3, 1, levels=[0], pixels=b"\x01\x07\x01\x01")), f"{IMAGE}.val"),
        ],
    ),
    Case(
        "empty_frames",
        [empty(with_frames(0, 100), "0")],
        [
            (empty(with_frames(0, 100, 200), "1", "2"), "openlabel.frames.1"),
            (empty(with_frames(0, 100), "0", "1"), "openlabel.frames.0"),
            (
                put(drop(boxes(), "openlabel.frames.1"), f"{FRAME}.objects", {OBJECT: {}}),
                "openlabel.frames.0",
            ),
        ],
    ),
    Case(
        "single_frame",
        [with_frames(0)],
        [
            (with_frames(100), "openlabel.frames.0"),
            (
                put(boxes(), "openlabel.frames", {"7": boxes()["openlabel"]["frames"]["0"]}),
                "openlabel.frames.7",
            ),
        ],
    ),
    Case(
        "timestamp_unit",
        [
            with_frames(0, 10, 20),
            with_frames(200, 100, 0),
            with_frames(0, 1, 100, 200),
            with_frames(1_700_000_000_000, 1_700_000_000_100),
        ],
        [
            (with_frames(0, 1, 2, 3), "openlabel.frames"),
            (with_frames(3, 2, 1, 0), "openlabel.frames"),
            (with_frames(1_700_000_000, 1_700_000_100), "openlabel.frames"),
        ],
    ),
    Case(
        "cuboid_axes",
        [
            named("Car", wide=5, of=10),
            named("Pedestrian", wide=20, of=20, width=2.5),
            named("Barrier", wide=5, of=5),
            named("Barrier", wide=14, of=20),
        ],
        [
            (named("Car", wide=1, of=1), "openlabel.frames"),
            (named("Car", wide=6, of=10, width=1.9), "openlabel.frames"),
            (named("PassengerCar", wide=6, of=10), "openlabel.frames"),
            (named("motor_vehicle", wide=6, of=10), "openlabel.frames"),
            (named("Motorvehicles", wide=6, of=10), "openlabel.frames"),
            (named("Fahrzeug", wide=18, of=20), "openlabel.frames"),
        ],
    ),
    Case(
        "confidence_ignored",
        [put(segmentation(), f"{IMAGE}.attributes.num", [{"name": "other", "val": 1}])],
        [
            (
                put(segmentation(), f"{IMAGE}.attributes.num", attributes("", 0.5)["num"]),
                f"{IMAGE}.attributes.num[0]",
            ),
        ],
    ),
]


def document_of(given: Any) -> bytes:
    """The bytes of a case's document."""
    return given if isinstance(given, bytes) else encode(given)


def faults_of(check: Callable[[bytes], Any], cases: list[Case] | None = None) -> Iterator[str]:
    """Say where a checker does not do what the cases want."""
    for case in cases if cases is not None else CASES:
        for number, given in enumerate(case.keep):
            found = check(document_of(given))
            if found.errors or case.rule in found.counts:
                yield f"{case.rule}: document {number} keeps it, but: {found.issues}"
        for number, (given, path) in enumerate(case.breaks):
            found = check(document_of(given))
            places = [(issue.rule.identifier, issue.path) for issue in found.issues]
            if (case.rule, path) not in places:
                yield f"{case.rule}: document {number} breaks it at {path}, but: {places}"
            errors = [issue for issue in found.issues if issue.severity.value == "error"]
            if bool(errors) == found.valid:
                yield f"{case.rule}: document {number} is called valid: {found.valid}"
