"""The schema of a document: OpenLABEL 1.0.0 as kognic-openlabel 2.2 reads it, narrowed by Kognic's rules.

msgspec decodes and checks a document by these types at once. `Meta.extra` says which rule is broken where it is not
one of the schema's own: `rule` for a value, `missing` for a key that is not there.

What is narrower than kognic-openlabel, which turns text into numbers and numbers into truth where it can: types are
taken at their word. What is not checked there is not checked here either: keys that it allows, `stream_properties`,
relations of frames. `null` stands for a key that is left out, as kognic-openlabel itself writes it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from airflow_provider_kognic.core.openlabel.rules import MOST_TIMESTAMP

_T = TypeVar("_T")

# kognic-openlabel says `$`, which in its language (Rust's) is the end of the text, and in Python not quite.
_ID = r"^(?:-?[0-9]+|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\Z"
_LEVEL = r"^(?:[0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])\Z"
_NOT_BLANK = r"\S"

Id = Annotated[str, Meta(pattern=_ID, extra={"rule": "wrong_id"})]
FrameId = Annotated[str, Meta(pattern=r"^[0-9]+\Z", extra={"rule": "wrong_id"})]
Maybe: TypeAlias = _T | UnsetType | None
_BoxSize = Annotated[float, Meta(gt=0, extra={"rule": "bbox_size"})]
_CuboidSize = Annotated[float, Meta(gt=0, extra={"rule": "cuboid_size"})]


class _Open(Struct, gc=False, omit_defaults=True):
    """An object that may have other keys: they are skipped."""


class _Closed(Struct, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """An object that has no other keys."""


class FrameInterval(_Closed):
    """The first and the last frame of something."""

    frame_end: Maybe[int] = UNSET
    frame_start: Maybe[int] = UNSET


# Attributes, and data that is no geometry


class Text(_Open):
    """A text with a name."""

    val: str
    name: Maybe[str] = UNSET
    attributes: Maybe[Attributes] = UNSET
    coordinate_system: Maybe[str] = UNSET
    type: Maybe[Literal["value"]] = UNSET


class Num(_Open):
    """A number with a name."""

    val: float
    name: Maybe[str] = UNSET
    attributes: Maybe[Attributes] = UNSET
    coordinate_system: Maybe[str] = UNSET
    type: Maybe[Literal["value", "min", "max"]] = UNSET


class Boolean(_Open):
    """A truth with a name."""

    val: bool
    name: Maybe[str] = UNSET
    attributes: Maybe[Attributes] = UNSET
    coordinate_system: Maybe[str] = UNSET
    type: Maybe[Literal["value"]] = UNSET


class Vec(_Open):
    """Numbers or texts with a name."""

    val: list[float | str]
    name: Maybe[str] = UNSET
    attributes: Maybe[Attributes] = UNSET
    coordinate_system: Maybe[str] = UNSET
    type: Maybe[Literal["values", "range"]] = UNSET


class Attributes(_Closed):
    """What is said of a geometry or of another attribute; also the data of actions, contexts, events and tags."""

    boolean: Maybe[list[Boolean]] = UNSET
    num: Maybe[list[Num]] = UNSET
    text: Maybe[list[Text]] = UNSET
    vec: Maybe[list[Vec]] = UNSET


# Geometries


class Bbox(_Open):
    """A box in a camera's picture: centre x, y, width, height (pixels)."""

    name: str
    val: Annotated[
        tuple[float, float, _BoxSize, _BoxSize],
        Meta(extra={"rule": "bbox_values"}),
    ]
    attributes: Maybe[Attributes] = UNSET
    coordinate_system: Maybe[str] = UNSET


class Cuboid(_Open):
    """A cuboid in the lidar's space: centre, quaternion, width, length, height (metres)."""

    name: str
    val: Annotated[
        tuple[float, float, float, float, float, float, float, _CuboidSize, _CuboidSize, _CuboidSize],
        Meta(extra={"rule": "cuboid_values"}),
    ]
    attributes: Maybe[Attributes] = UNSET
    coordinate_system: Maybe[str] = UNSET


class Image(_Open):
    """A segmentation bitmap."""

    encoding: Annotated[Literal["base64"], Meta(extra={"rule": "bitmap_form"})]
    mime_type: Annotated[Literal["image/png"], Meta(extra={"rule": "bitmap_form"})]
    name: str
    val: str
    attributes: Maybe[Attributes] = UNSET
    coordinate_system: Maybe[str] = UNSET


# kognic-openlabel writes null, or an empty list, for each kind of geometry that an object does not have.
_Nothing = Annotated[list[Any], Meta(max_length=0)] | UnsetType | None
Unsupported = Annotated[_Nothing, Meta(extra={"rule": "geometry_unsupported"})]
Static = Annotated[_Nothing, Meta(extra={"rule": "geometry_static"})]


class FrameData(_Closed):
    """An object's data in a frame."""

    bbox: Maybe[list[Bbox]] = UNSET
    cuboid: Maybe[list[Cuboid]] = UNSET
    image: Maybe[list[Image]] = UNSET
    boolean: Maybe[list[Boolean]] = UNSET
    num: Maybe[list[Num]] = UNSET
    text: Maybe[list[Text]] = UNSET
    vec: Maybe[list[Vec]] = UNSET
    area_reference: Unsupported = UNSET
    binary: Unsupported = UNSET
    line_reference: Unsupported = UNSET
    mat: Unsupported = UNSET
    mesh: Unsupported = UNSET
    point2d: Unsupported = UNSET
    point3d: Unsupported = UNSET
    poly2d: Unsupported = UNSET
    poly3d: Unsupported = UNSET
    rbbox: Unsupported = UNSET


class RootData(_Closed):
    """An object's data in the root: facts that hold in all frames."""

    boolean: Maybe[list[Boolean]] = UNSET
    num: Maybe[list[Num]] = UNSET
    text: Maybe[list[Text]] = UNSET
    vec: Maybe[list[Vec]] = UNSET
    area_reference: Static = UNSET
    bbox: Static = UNSET
    binary: Static = UNSET
    cuboid: Static = UNSET
    image: Static = UNSET
    line_reference: Static = UNSET
    mat: Static = UNSET
    mesh: Static = UNSET
    point2d: Static = UNSET
    point3d: Static = UNSET
    poly2d: Static = UNSET
    poly3d: Static = UNSET
    rbbox: Static = UNSET


# Elements of the root


class DataPointer(_Open):
    """Where an element's data of some name is to be found."""

    frame_intervals: list[FrameInterval]
    attribute_pointers: Maybe[dict[str, Literal["num", "text", "boolean", "vec"]]] = UNSET
    type: Maybe[
        Literal[
            "bbox",
            "rbbox",
            "num",
            "text",
            "boolean",
            "poly2d",
            "poly3d",
            "cuboid",
            "image",
            "mat",
            "binary",
            "point2d",
            "point3d",
            "vec",
            "line_reference",
            "area_reference",
            "mesh",
        ]
    ] = UNSET


class RootObject(_Closed):
    """An object's static facts."""

    name: str
    type: Annotated[str, Meta(min_length=1, pattern=_NOT_BLANK, extra={"rule": "object_type"})]
    coordinate_system: Maybe[str] = UNSET
    frame_intervals: Maybe[list[FrameInterval]] = UNSET
    object_data: Maybe[RootData] = UNSET
    object_data_pointers: Maybe[dict[str, DataPointer]] = UNSET
    ontology_uid: Maybe[str] = UNSET
    resource_uid: Maybe[str] = UNSET


class _Element(_Closed):
    name: str
    type: str
    frame_intervals: Maybe[list[FrameInterval]] = UNSET
    ontology_uid: Maybe[str] = UNSET
    resource_uid: Maybe[str] = UNSET


class Action(_Element):
    """An action."""

    action_data: Maybe[Attributes] = UNSET
    action_data_pointers: Maybe[dict[str, DataPointer]] = UNSET


class Context(_Element):
    """A context."""

    context_data: Maybe[Attributes] = UNSET
    context_data_pointers: Maybe[dict[str, DataPointer]] = UNSET


class Event(_Element):
    """An event."""

    event_data: Maybe[Attributes] = UNSET
    event_data_pointers: Maybe[dict[str, DataPointer]] = UNSET


class Agent(_Open):
    """A subject or object of a relation."""

    type: Maybe[Literal["object", "action", "event", "context"]] = UNSET
    uid: Maybe[str] = UNSET


class Relation(_Element, kw_only=True):
    """A relation between elements."""

    rdf_objects: list[Agent]
    rdf_subjects: list[Agent]


class Ontology(_Open):
    """An ontology; the one named 0 names the classes of segmentation bitmaps."""

    uri: str
    boundary_list: Maybe[list[str]] = UNSET
    boundary_mode: Maybe[Literal["include", "exclude"]] = UNSET
    classifications: Annotated[
        Maybe[
            dict[
                Annotated[str, Meta(pattern=_LEVEL, extra={"rule": "classifications"})],
                Annotated[str, Meta(min_length=1, pattern=_NOT_BLANK)],
            ]
        ],
        Meta(extra={"rule": "classifications"}),
    ] = UNSET


class TagData(_Closed):
    """The data of a tag."""

    boolean: Maybe[list[Boolean]] = UNSET
    num: Maybe[list[Num]] = UNSET
    text: Maybe[list[Text]] = UNSET
    vec: Maybe[list[Vec]] = UNSET


class Tag(_Open):
    """A tag of the whole document."""

    ontology_uid: str
    type: str
    resource_uid: Maybe[str] = UNSET
    tag_data: Maybe[TagData | str] = UNSET


class Metadata(_Open):
    """What is said of the document itself."""

    schema_version: Annotated[
        Literal["1.0.0"], Meta(extra={"rule": "schema_version", "missing": "schema_version"})
    ]
    annotator: Maybe[str] = UNSET
    comment: Maybe[str] = UNSET
    file_version: Maybe[str] = UNSET
    name: Maybe[str] = UNSET
    tagged_file: Maybe[str] = UNSET


# Sensors and space


class Stream(_Closed):
    """A stream as OpenLABEL has it, in a frame's properties."""

    description: Maybe[str] = UNSET
    stream_properties: Maybe[dict[str, Any]] = UNSET
    type: Maybe[Literal["camera", "lidar", "radar", "gps_imu", "other"]] = UNSET
    uri: Maybe[str] = UNSET


class Sensor(_Closed):
    """A stream of the root: a camera or the lidar."""

    type: Annotated[Literal["camera", "lidar"], Meta(extra={"rule": "stream_type", "missing": "stream_type"})]
    description: Maybe[str] = UNSET
    stream_properties: Maybe[dict[str, Any]] = UNSET
    uri: Maybe[str] = UNSET


_Three = Annotated[list[float], Meta(min_length=3, max_length=3)]
WRONG_TRANSFORM = "expected matrix4x4, or quaternion and translation, or euler_angles and translation"
TRANSFORMS: tuple[set[str], ...] = (
    {"matrix4x4"},
    {"quaternion", "translation"},
    {"euler_angles", "translation"},
    {"euler_angles", "translation", "sequence"},
)


class TransformData(_Closed):
    """One of three ways to write a transform."""

    matrix4x4: list[float] | UnsetType = UNSET
    quaternion: Annotated[list[float], Meta(min_length=4, max_length=4)] | UnsetType = UNSET
    euler_angles: _Three | UnsetType = UNSET
    translation: _Three | UnsetType = UNSET
    sequence: Maybe[str] = UNSET

    def __post_init__(self) -> None:
        """Raise ValueError, which msgspec passes on, for anything but one of the three."""
        given = {name for name in self.__struct_fields__ if getattr(self, name) is not UNSET}
        if given not in TRANSFORMS:
            raise ValueError(WRONG_TRANSFORM)


class Transform(_Open):
    """A transform between coordinate systems."""

    dst: str
    src: str
    transform_src_to_dst: TransformData


class CoordinateSystem(_Open):
    """A coordinate system."""

    parent: str
    type: str
    children: Maybe[list[str]] = UNSET
    pose_wrt_parent: Maybe[TransformData] = UNSET


# Frames


class FrameProperties(_Open):
    """When a frame was taken, and what holds in it alone."""

    timestamp: Annotated[
        int,
        Meta(ge=0, le=MOST_TIMESTAMP, extra={"rule": "timestamp_value", "missing": "timestamp_missing"}),
    ]
    external_id: Maybe[str] = UNSET
    streams: Maybe[dict[str, Stream]] = UNSET
    transforms: Maybe[dict[str, Transform]] = UNSET


class FrameObject(_Closed):
    """An object in a frame."""

    object_data: Maybe[FrameData] = UNSET


class FrameAction(_Closed):
    """An action in a frame."""

    action_data: Maybe[Attributes] = UNSET


class FrameContext(_Closed):
    """A context in a frame."""

    context_data: Maybe[Attributes] = UNSET


class FrameEvent(_Closed):
    """An event in a frame."""

    event_data: Maybe[Attributes] = UNSET


class Frame(_Closed):
    """A frame."""

    frame_properties: Annotated[
        FrameProperties, Meta(extra={"rule": "timestamp_missing", "missing": "timestamp_missing"})
    ]
    # Their ids have to be among the root's, whose form is checked.
    objects: Maybe[dict[str, FrameObject]] = UNSET
    actions: Maybe[dict[Id, FrameAction]] = UNSET
    contexts: Maybe[dict[Id, FrameContext]] = UNSET
    events: Maybe[dict[Id, FrameEvent]] = UNSET
    relations: Maybe[dict[Id, Any]] = UNSET


class Root(_Closed):
    """What stands under `openlabel`, without the frames."""

    metadata: Metadata
    streams: Maybe[dict[str, Sensor]] = UNSET
    objects: Maybe[dict[Id, RootObject]] = UNSET
    ontologies: Maybe[dict[Id, Ontology | str]] = UNSET
    actions: Maybe[dict[Id, Action]] = UNSET
    contexts: Maybe[dict[Id, Context]] = UNSET
    coordinate_systems: Maybe[dict[str, CoordinateSystem]] = UNSET
    events: Maybe[dict[Id, Event]] = UNSET
    frame_intervals: Maybe[list[FrameInterval]] = UNSET
    relations: Maybe[dict[Id, Relation]] = UNSET
    resources: Maybe[dict[Id, str]] = UNSET
    tags: Maybe[dict[Id, Tag]] = UNSET


_NO_FRAMES = Meta(min_length=1, extra={"rule": "no_frames", "missing": "no_frames"})


class OpenLabel(Root, kw_only=True):
    """What stands under `openlabel`."""

    frames: Annotated[dict[FrameId, Frame], _NO_FRAMES]


class Document(_Closed):
    """A prediction document."""

    openlabel: Annotated[OpenLabel, Meta(extra={"rule": "no_openlabel", "missing": "no_openlabel"})]
