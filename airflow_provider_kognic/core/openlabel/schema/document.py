"""A document as a whole: its metadata, its frames, and the sections of its root.

`Root` and `Frame` are types of their own, so that a large document can be decoded a frame at a time.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta

from airflow_provider_kognic.core.openlabel.rules import MOST_TIMESTAMP
from airflow_provider_kognic.core.openlabel.schema.base import Closed, FrameId, FrameInterval, Id, Maybe, Open
from airflow_provider_kognic.core.openlabel.schema.elements import (
    Action,
    Context,
    Event,
    FrameAction,
    FrameContext,
    FrameEvent,
    FrameObject,
    Ontology,
    Relation,
    RootObject,
    Tag,
)
from airflow_provider_kognic.core.openlabel.schema.sensors import CoordinateSystem, Sensor, Stream, Transform


class Metadata(Open):
    """What is said of the document itself."""

    schema_version: Annotated[
        Literal["1.0.0"], Meta(extra={"rule": "schema_version", "missing": "schema_version"})
    ]
    annotator: Maybe[str] = UNSET
    comment: Maybe[str] = UNSET
    file_version: Maybe[str] = UNSET
    name: Maybe[str] = UNSET
    tagged_file: Maybe[str] = UNSET


class FrameProperties(Open):
    """When a frame was taken, and what holds in it alone."""

    timestamp: Annotated[
        int,
        Meta(ge=0, le=MOST_TIMESTAMP, extra={"rule": "timestamp_value", "missing": "timestamp_missing"}),
    ]
    external_id: Maybe[str] = UNSET
    streams: Maybe[dict[str, Stream]] = UNSET
    transforms: Maybe[dict[str, Transform]] = UNSET


class Frame(Closed):
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


class Root(Closed):
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


class Document(Closed):
    """A prediction document."""

    openlabel: Annotated[OpenLabel, Meta(extra={"rule": "no_openlabel", "missing": "no_openlabel"})]
