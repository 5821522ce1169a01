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

    Raises:
        KognicInputError: Airflow knows no store of that scheme, or the text cannot be a path in it.
    """
    text = str(value)
    if "://" not in text:
        return value if isinstance(value, Path) else Path(text).expanduser()
    if text.startswith("file:///"):
        return Path(text.removeprefix("file://"))
    if not isinstance(value, str):
        return cast("PathLike", value)
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_kognic.core.errors import KognicInputError

    try:
        return cast("PathLike", ObjectStoragePath(text))
    except Exception as error:  # stores raise errors of many libraries
        raise KognicInputError(
            f"{text} cannot be opened: {type(error).__name__}: {error}. Is the provider of that store installed?"
        ) from error
