"""What the table of scenes calls a frame: images and points lie under such names."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from airflow_provider_kognic.core.sources.converting.inputs import InputFile
from airflow_provider_kognic.core.sources.converting.tables import WrongRow, rows_of, scene_row

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_provider_kognic.core.sources.base import PathLike

# Scene, frame and stream.
Spot: TypeAlias = "tuple[str, str, str]"
_MOST = 100_000


def keys_of(table: PathLike | None, scenes: Collection[str]) -> dict[Spot, str]:
    """Return the keys of some scenes, by scene, frame and stream; rows that cannot be used are left out.

    Args:
        table: The table of scenes, or None where there is none.
        scenes: The scenes, lower case.

    Raises:
        KognicInputError: The table cannot be read.
    """
    found: dict[Spot, str] = {}
    if table is None:
        return found
    for _, row in rows_of(InputFile(table), "the table of scenes"):
        if isinstance(row, str):
            continue
        try:
            one = scene_row(row, needs_size=False)
        except WrongRow:
            continue
        if one.scene_uuid in scenes and len(found) < _MOST:
            found.setdefault((one.scene_uuid, str(one.frame), one.stream), one.key)
    return found
