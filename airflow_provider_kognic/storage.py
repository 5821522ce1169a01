"""Templated text becomes a path: on the worker's disk, or on any object store that Airflow knows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from airflow_provider_kognic.core.sources import PathLike


def to_path(value: Any) -> PathLike:
    """Return a path for text such as `/data/p`, `file:///data/p`, `s3://connection@bucket/p`.

    Local paths become plain ones: they are read several times faster than through Airflow's ObjectStoragePath.

    Args:
        value: Text, or a path object, which is returned as it is unless it is a local ObjectStoragePath.
    """
    text = str(value)
    if "://" not in text:
        return value if isinstance(value, Path) else Path(text).expanduser()
    if text.startswith("file:///"):
        return Path(text.removeprefix("file://"))
    if not isinstance(value, str):
        return cast("PathLike", value)
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    return cast("PathLike", ObjectStoragePath(text))
