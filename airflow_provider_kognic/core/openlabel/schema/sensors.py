"""Streams, and the transforms between their coordinate systems."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from airflow_provider_kognic.core.openlabel.schema.base import Closed, Maybe, Open

Kind = Literal["camera", "lidar", "radar", "gps_imu", "other"]
"""What OpenLABEL knows as the source of a stream."""


class Stream(Closed):
    """A stream as OpenLABEL has it, in a frame's properties."""

    description: Maybe[str] = UNSET
    stream_properties: Maybe[dict[str, Any]] = UNSET
    type: Maybe[Kind] = UNSET
    uri: Maybe[str] = UNSET


class Sensor(Closed):
    """A stream of the root: any sensor. Which of them geometries may lie on is no matter of the schema."""

    type: Annotated[Maybe[Kind], Meta(extra={"rule": "stream_type"})] = UNSET
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


class TransformData(Closed):
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


class Transform(Open):
    """A transform between coordinate systems."""

    dst: str
    src: str
    transform_src_to_dst: TransformData


class CoordinateSystem(Open):
    """A coordinate system."""

    parent: str
    type: str
    children: Maybe[list[str]] = UNSET
    pose_wrt_parent: Maybe[TransformData] = UNSET
