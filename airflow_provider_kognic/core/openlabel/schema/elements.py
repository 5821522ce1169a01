"""Objects, actions, contexts, events and relations, in the root and in a frame; ontologies and tags."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta

from airflow_provider_kognic.core.openlabel.schema.attributes import Attributes, Boolean, Num, Text, Vec
from airflow_provider_kognic.core.openlabel.schema.base import Closed, FrameInterval, Maybe, Open
from airflow_provider_kognic.core.openlabel.schema.geometry import Bbox, Cuboid, Image, Static, Unsupported

_LEVEL = r"^(?:[0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])\Z"
_NOT_BLANK = r"\S"


class RootData(Closed):
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


class DataPointer(Open):
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


class RootObject(Closed):
    """An object's static facts."""

    name: str
    type: Annotated[str, Meta(min_length=1, pattern=_NOT_BLANK, extra={"rule": "object_type"})]
    coordinate_system: Maybe[str] = UNSET
    frame_intervals: Maybe[list[FrameInterval]] = UNSET
    object_data: Maybe[RootData] = UNSET
    object_data_pointers: Maybe[dict[str, DataPointer]] = UNSET
    ontology_uid: Maybe[str] = UNSET
    resource_uid: Maybe[str] = UNSET


class _Element(Closed):
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


class Agent(Open):
    """A subject or object of a relation."""

    type: Maybe[Literal["object", "action", "event", "context"]] = UNSET
    uid: Maybe[str] = UNSET


class Relation(_Element, kw_only=True):
    """A relation between elements."""

    rdf_objects: list[Agent]
    rdf_subjects: list[Agent]


class Ontology(Open):
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


class TagData(Closed):
    """The data of a tag."""

    boolean: Maybe[list[Boolean]] = UNSET
    num: Maybe[list[Num]] = UNSET
    text: Maybe[list[Text]] = UNSET
    vec: Maybe[list[Vec]] = UNSET


class Tag(Open):
    """A tag of the whole document."""

    ontology_uid: str
    type: str
    resource_uid: Maybe[str] = UNSET
    tag_data: Maybe[TagData | str] = UNSET


# In a frame


class FrameData(Closed):
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


class FrameObject(Closed):
    """An object in a frame."""

    object_data: Maybe[FrameData] = UNSET


class FrameAction(Closed):
    """An action in a frame."""

    action_data: Maybe[Attributes] = UNSET


class FrameContext(Closed):
    """A context in a frame."""

    context_data: Maybe[Attributes] = UNSET


class FrameEvent(Closed):
    """An event in a frame."""

    event_data: Maybe[Attributes] = UNSET
