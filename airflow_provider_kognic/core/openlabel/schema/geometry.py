"""The geometries that Kognic takes, and where there must be none."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from airflow_provider_kognic.core.openlabel.schema.attributes import Attributes
from airflow_provider_kognic.core.openlabel.schema.base import Maybe, Open

_BoxSize = Annotated[float, Meta(gt=0, extra={"rule": "bbox_size"})]
_CuboidSize = Annotated[float, Meta(gt=0, extra={"rule": "cuboid_size"})]


class Bbox(Open):
    """A box in a camera's picture: centre x, y, width, height (pixels)."""

    name: str
    val: Annotated[
        tuple[float, float, _BoxSize, _BoxSize],
        Meta(extra={"rule": "bbox_values"}),
    ]
    attributes: Maybe[Attributes] = UNSET
    coordinate_system: Maybe[str] = UNSET


class Cuboid(Open):
    """A cuboid in the lidar's space: centre, quaternion, width, length, height (metres)."""

    name: str
    val: Annotated[
        tuple[float, float, float, float, float, float, float, _CuboidSize, _CuboidSize, _CuboidSize],
        Meta(extra={"rule": "cuboid_values"}),
    ]
    attributes: Maybe[Attributes] = UNSET
    coordinate_system: Maybe[str] = UNSET


class Image(Open):
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
