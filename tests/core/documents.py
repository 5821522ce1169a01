"""Prediction documents for the tests of the checker: small ones by hand, and any valid one by hypothesis."""

import base64
import copy
import json
import struct
import zlib
from typing import Any

from hypothesis import strategies as st

OBJECT = "8a7d1f0e-93b5-4c52-8a3c-3b0f5d1c9e11"
OTHER = "1"
BOX = f"openlabel.frames.0.objects.{OBJECT}.object_data.bbox[0]"
CUBOID = f"openlabel.frames.0.objects.{OBJECT}.object_data.cuboid[0]"
IMAGE = "openlabel.frames.0.objects.1.object_data.image[0]"


def attributes(stream: str, confidence: float | None = None) -> dict[str, Any]:
    """A geometry's attributes."""
    given: dict[str, Any] = {"text": [{"name": "stream", "val": stream}]}
    if confidence is not None:
        given["num"] = [{"name": "confidence", "val": confidence}]
    return given


def boxes() -> dict[str, Any]:
    """A valid document of two frames with a box and a cuboid each."""

    def frame(stamp: int) -> dict[str, Any]:
        box = {"name": "box", "val": [10, 20.5, 30, 40], "attributes": attributes("CAM", 0.5)}
        cuboid = {
            "name": "cuboid",
            "val": [1, 2, 3, 0, 0, 0, 1, 1.8, 4.5, 1.5],
            "attributes": attributes("@lidar", 1),
        }
        data = {"bbox": [box], "cuboid": [cuboid]}
        return {
            "frame_properties": {"timestamp": stamp, "external_id": "", "streams": {}},
            "objects": {OBJECT: {"object_data": data}},
        }

    return {
        "openlabel": {
            "metadata": {"schema_version": "1.0.0"},
            "streams": {"CAM": {"type": "camera"}, "@lidar": {"type": "lidar"}},
            "objects": {OBJECT: {"name": "car 1", "type": "Car"}},
            "frames": {"0": frame(0), "1": frame(100)},
        }
    }


def segmentation(png_bytes: bytes | None = None) -> dict[str, Any]:
    """A valid document of one frame with a bitmap of the grey levels 0 and 7."""
    value = base64.b64encode(png(8, 4, levels=[0, 7]) if png_bytes is None else png_bytes).decode()
    image = {
        "name": "bitmap",
        "val": value,
        "mime_type": "image/png",
        "encoding": "base64",
        "attributes": attributes("CAM"),
    }
    return {
        "openlabel": {
            "metadata": {"schema_version": "1.0.0"},
            "streams": {"CAM": {"type": "camera"}},
            "ontologies": {"0": {"uri": "", "classifications": {"0": "_background", "7": "road"}}},
            "objects": {"1": {"name": "segmentation", "type": "segmentation_bitmap"}},
            "frames": {
                "0": {
                    "frame_properties": {"timestamp": 0, "external_id": "", "streams": {}},
                    "objects": {"1": {"object_data": {"image": [image]}}},
                }
            },
        }
    }


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int,
    height: int,
    *,
    levels: list[int],
    depth: int = 8,
    colour: int = 0,
    pixels: bytes | None = None,
) -> bytes:
    """A PNG whose rows repeat some grey levels; `pixels` in their place are rows with their filter bytes."""
    if pixels is None:
        channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
        size = -(-width * channels * depth // 8)
        pixels = (b"\0" + bytes((levels * size)[:size])) * height
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    extra = chunk(b"PLTE", bytes(768)) if colour == 3 else b""
    data = chunk(b"IDAT", zlib.compress(pixels))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + data + chunk(b"IEND", b"")


def _parts(path: str) -> list[str | int]:
    return [int(part[1:-1]) if part.startswith("[") else part for part in path.replace("[", ".[").split(".")]


def at(document: dict[str, Any], parts: list[str | int]) -> Any:
    """The value at a JSON path in its parts."""
    value: Any = document
    for part in parts:
        value = value[part]
    return value


def put(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The document with another value at a JSON path as the checker writes it."""
    changed = copy.deepcopy(document)
    *parts, last = _parts(path)
    at(changed, parts)[last] = value
    return changed


def drop(document: dict[str, Any], path: str) -> dict[str, Any]:
    """The document without a key."""
    changed = copy.deepcopy(document)
    *parts, last = _parts(path)
    del at(changed, parts)[last]
    return changed


def encode(document: Any) -> bytes:
    """Its JSON, as Python writes it: NaN included."""
    return json.dumps(document).encode()


# What hypothesis makes

_words = st.text(max_size=8)
_finite = st.floats(-1e6, 1e6)
_positive = st.floats(0.01, 1e4)
_ids = st.one_of(
    st.integers(-5, 10**6).map(str), st.uuids().map(str), st.uuids().map(lambda u: str(u).upper())
)
_cameras = st.sampled_from(["CAM", "CAM_REAR", "FC: 1", 'a "b": c'])


def _maybe(**values: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these keys, or none of them."""
    return st.fixed_dictionaries({}, optional=values)


_numbers = st.lists(_finite, max_size=3)
_plain = {
    "text": st.lists(st.fixed_dictionaries({"name": st.just("note"), "val": _words}), max_size=2),
    "num": st.lists(st.fixed_dictionaries({"val": _finite}, optional={"name": st.just("n")}), max_size=2),
    "boolean": st.lists(
        st.fixed_dictionaries({"name": _words.map("b".__add__), "val": st.booleans()}), max_size=2
    ),
    "vec": st.lists(st.fixed_dictionaries({"val": st.one_of(_numbers, st.lists(_words))}), max_size=2),
}
_properties = st.dictionaries(_words, st.one_of(_words, _finite, _numbers, st.none()), max_size=2)


@st.composite
def _attributes(draw: st.DrawFn, stream: str, *, confidence: bool) -> dict[str, Any]:
    given: dict[str, Any] = draw(_maybe(**_plain))
    given["text"] = [*given.get("text", []), {"name": "stream", "val": stream}]
    if confidence and draw(st.booleans()):
        given["num"] = [{"name": "confidence", "val": draw(st.floats(0, 1))}, *given.get("num", [])]
    if draw(st.booleans()):
        nested = {"text": [{"val": "deeper", "attributes": draw(_maybe(**_plain))}]}
        given["text"].append({"name": "nested", "val": "", "attributes": nested})
    return given


@st.composite
def _geometry(draw: st.DrawFn, kind: str, cameras: list[str]) -> dict[str, Any]:
    stream = "@lidar" if kind == "cuboid" else draw(st.sampled_from(cameras))
    geometry: dict[str, Any] = {
        "name": draw(_words),
        "attributes": draw(_attributes(stream, confidence=kind != "image")),
    }
    if kind == "bbox":
        geometry["val"] = [draw(_finite), draw(_finite), draw(_positive), draw(_positive)]
    elif kind == "cuboid":
        # Longer than wide, whatever the class: the axes are a warning of their own.
        width = draw(_positive)
        turn = draw(st.sampled_from([(0, 0, 0, 1), (0, 0, 1, 0), (0.5, 0.5, 0.5, 0.5), (0, 0, 0.6, 0.8)]))
        geometry["val"] = [*(draw(_finite) for _ in range(3)), *turn, width, 2 * width, draw(_positive)]
    else:
        picture = png(draw(st.integers(1, 20)), draw(st.integers(1, 20)), levels=draw(_levels))
        geometry |= {
            "val": base64.b64encode(picture).decode(),
            "mime_type": "image/png",
            "encoding": "base64",
        }
    if draw(st.booleans()):
        geometry["coordinate_system"] = draw(st.one_of(_words, st.none()))
        geometry["of_my_own"] = draw(_properties)
    return geometry


_LEVELS = [0, 1, 7, 99, 200, 255]
_levels = st.lists(st.sampled_from(_LEVELS), min_size=1, max_size=4)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Any valid document, with whatever the schema allows beside; it may have warnings."""
    cameras = draw(st.lists(_cameras, min_size=1, max_size=2, unique=True))
    ids = draw(st.lists(_ids, min_size=1, max_size=4, unique=True))
    bitmap, others = ids[0], ids[1:]
    frames: dict[str, Any] = {}
    stamps = draw(st.lists(st.integers(0, 2**53 - 1), min_size=1, max_size=3, unique=True))
    for number, stamp in enumerate(stamps):
        with_objects = draw(st.booleans())
        objects: dict[str, Any] = {}
        for name in draw(st.lists(st.sampled_from(ids), max_size=4, unique=True)):
            kinds = ["image"] if name == bitmap else ["bbox", "cuboid"]
            data: dict[str, Any] = draw(_maybe(**_plain))
            for kind in draw(st.lists(st.sampled_from(kinds), max_size=2, unique=True)):
                data[kind] = [draw(_geometry(kind, cameras))]
            if draw(st.booleans()):
                data |= {"poly2d": None, "mesh": []}
            objects[name] = {"object_data": data} if draw(st.booleans()) or data else {}
        properties = {"timestamp": stamp} | draw(
            _maybe(
                external_id=_words,
                streams=st.just({"CAM": {"stream_properties": {"x": [1]}}}),
                weather=_words,
            )
        )
        frame: dict[str, Any] = {"frame_properties": properties} | draw(
            _maybe(relations=st.just({"1": {"anything": [1]}}), actions=st.just({"2": {"action_data": {}}}))
        )
        frames[str(number)] = frame | ({"objects": objects} if objects or with_objects else {})
    kinds_of = draw(st.lists(st.sampled_from(["Car", "Fußgänger", "tree: oak", "x"]), min_size=4, max_size=4))
    roots = {name: {"name": draw(_words), "type": kind} for name, kind in zip(others, kinds_of, strict=False)}
    more = _maybe(object_data=_maybe(**_plain), ontology_uid=st.none(), resource_uid=_words)
    roots = {name: item | draw(more) for name, item in roots.items()}
    roots[bitmap] = {"name": "segmentation", "type": "segmentation_bitmap"}
    streams: dict[str, Any] = {name: {"type": "camera"} for name in cameras} | {"@lidar": {"type": "lidar"}}
    if draw(st.booleans()):
        streams[draw(st.sampled_from(["RADAR", "imu: 1"]))] = {
            "type": draw(st.sampled_from(["radar", "gps_imu", "other"]))
        }
    if draw(st.booleans()):
        streams["@lidar"] |= {"stream_properties": draw(_properties), "uri": None}
    ontology = {"uri": "", "classifications": {str(level): f"class {level}" for level in _LEVELS}}
    openlabel = {
        "metadata": {"schema_version": "1.0.0"} | draw(_maybe(comment=_words, of_my_own=_properties)),
        "streams": streams,
        "objects": roots,
        "ontologies": {"0": ontology, "1": "https://example.org/ontology"},
        "frames": frames,
    }
    transforms = [
        {"matrix4x4": [1.0]},
        {"quaternion": [0, 0, 0, 1], "translation": [0, 0, 0]},
        {"euler_angles": [0, 0, 0], "translation": [0, 0, 0], "sequence": "ZYX"},
    ]
    system = st.fixed_dictionaries(
        {"type": st.just("local"), "parent": _words},
        optional={"pose_wrt_parent": st.sampled_from(transforms)},
    )
    agents = st.lists(_maybe(type=st.just("object"), uid=_words, other=_words), max_size=2)
    relation = st.fixed_dictionaries(
        {"name": _words, "type": _words, "rdf_objects": agents, "rdf_subjects": agents}
    )
    tag = st.fixed_dictionaries(
        {"ontology_uid": _words, "type": _words}, optional={"tag_data": st.one_of(_words, _maybe(**_plain))}
    )
    interval = st.fixed_dictionaries({"frame_start": st.integers(0, 9)}, optional={"frame_end": st.none()})
    event = st.fixed_dictionaries({"name": _words, "type": _words}, optional={"event_data": _maybe(**_plain)})
    openlabel |= draw(
        _maybe(
            coordinate_systems=st.dictionaries(_words, system, max_size=1),
            relations=st.dictionaries(_ids, relation, max_size=1),
            tags=st.dictionaries(_ids, tag, max_size=1),
            events=st.dictionaries(_ids, event, max_size=1),
            frame_intervals=st.lists(interval, max_size=1),
            resources=st.dictionaries(_ids, _words, max_size=1),
            actions=st.none(),
        )
    )
    return {"openlabel": openlabel}


_odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 300),
    st.sampled_from([1.0, 0.5, -1e300, 1e308, 2**53, 10**400, float("nan"), float("inf")]),
    st.sampled_from(
        [
            "",
            "1.0.0",
            "camera",
            "lidar",
            "radar",
            "@lidar",
            "CAM",
            "0",
            "stream",
            "confidence",
            "\ud800",
            "\n",
        ]
    ),
    st.sampled_from(["segmentation_bitmap", "values", "min", "image/png", "base64", "-5", "x\0"]),
    st.lists(st.integers(0, 1), max_size=5),
    st.just({}),
    st.just({"name": "stream", "val": "CAM"}),
    st.just([{"name": "confidence", "val": 0.5}]),
    st.integers(50, 250).map(lambda depth: json.loads("[" * depth + "]" * depth)),
)
_KEYS = [
    "frames",
    "0",
    "-1",
    "00",
    "0\n",
    "objects",
    "image",
    "bbox",
    "poly2d",
    "val",
    "type",
    "x",
    "attributes",
]


def _nodes(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every place in a document, as its holder and key."""
    children = list(value.items() if isinstance(value, dict) else enumerate(value))
    for key, child in children:
        found.append((value, key))
        if isinstance(child, (dict, list)):
            _nodes(child, found)
    return found


@st.composite
def mutants(draw: st.DrawFn) -> dict[str, Any]:
    """A valid document with a few changes anywhere, each likely to break something."""
    start = st.one_of(documents(), st.just(boxes()), st.just(segmentation()))
    document: dict[str, Any] = copy.deepcopy(draw(start))
    for _ in range(draw(st.integers(1, 3))):
        places = _nodes(document, [])
        if not places:
            break
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        change = draw(st.sampled_from(["replace", "replace", "remove", "add", "rename"]))
        if change == "replace" or isinstance(holder, list):
            holder[key] = copy.deepcopy(draw(_odd))
        elif change == "remove":
            del holder[key]
        elif change == "add":
            holder[draw(st.sampled_from(_KEYS))] = copy.deepcopy(draw(_odd))
        else:
            holder[draw(st.sampled_from(_KEYS))] = holder.pop(key)
    return document
