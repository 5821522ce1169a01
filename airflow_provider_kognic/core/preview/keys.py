"""What the table of scenes calls a frame, and how it moves it: images and points lie under such names."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from airflow_provider_kognic.core.sources.converting.inputs import InputFile
from airflow_provider_kognic.core.sources.converting.tables import WrongRow, rows_of, scene_row

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_provider_kognic.core.sources.base import PathLike

# Scene, frame and stream.
Spot: TypeAlias = "tuple[str, str, str]"
_MOST = 100_000


@dataclass(frozen=True)
class TableKeys:
    """What the table of scenes says of some scenes, by scene, frame and stream.

    Attributes:
        names: The keys.
        transforms: The rigid matrices, row by row, of the rows that have one.
    """

    names: dict[Spot, str] = field(default_factory=dict)
    transforms: dict[Spot, tuple[float, ...]] = field(default_factory=dict)


def keys_of(table: PathLike | None, scenes: Collection[str], *, has_ids: bool = False) -> TableKeys:
    """Return what the table says of some scenes; rows that cannot be used are left out.

    Args:
        table: The table of scenes, or None where there is none.
        scenes: The scenes, lower case.
        has_ids: Whether keys are ids: `7.0` is 7 then.

    Raises:
        KognicInputError: The table cannot be read.
    """
    found = TableKeys()
    if table is None:
        return found
    for _, row in rows_of(InputFile(table), "the table of scenes", has_ids=has_ids):
        if isinstance(row, str):
            continue
        try:
            one = scene_row(row, needs_size=False, has_ids=has_ids)
        except WrongRow:
            continue
        spot = (one.scene_uuid, str(one.frame), one.stream)
        if one.scene_uuid in scenes and spot not in found.names and len(found.names) < _MOST:
            found.names[spot] = one.key
            if one.transform is not None:
                found.transforms[spot] = tuple(array("d", one.transform))
    return found
