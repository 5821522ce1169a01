"""The formats in which models write their results. The only place that knows which there are.

DAG files import this all day, and most of them read no model's results. So a format's file, with all that reading
takes, is imported when the format is first asked for. What has to be known before that stands here: the formats'
names, and those of their own arguments, which operators take.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_kognic.core.sources.converting.rows import ModelFormat

# Of each format the names of its own arguments. The file is called as the format is; what it calls so in capitals,
# such as `coco.COCO`, is the format.
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "av2": ("log_id",),
    "coco": ("annotations", "shapes", "scale"),
    "kitti": (),
    "masks": ("label_ids", "colours", "scale"),
    "mmdet3d": ("axes", "convention", "box_type_3d"),
    "mot": (),
    "nuscenes": (),
    "panoptic": ("annotations", "png_folder", "scale"),
    "yolo": (),
}


class _Formats(Mapping[str, "ModelFormat"]):
    """The formats by their names; each is imported when it is asked for."""

    def __getitem__(self, name: str) -> ModelFormat:
        names = ARGUMENTS[name]
        found: ModelFormat = getattr(import_module(f"{__package__}.{name}"), name.upper())
        own = tuple(argument.name for argument in found.arguments)
        if own != names:
            raise TypeError(f"the format {name!r} has the arguments {own}, and the registry says {names}")
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(ARGUMENTS)

    def __len__(self) -> int:
        return len(ARGUMENTS)


BY_NAME = _Formats()
