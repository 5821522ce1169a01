"""Writing sources down, opening them, and going through them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airflow_provider_kognic.core.models import Prediction, Result
from airflow_provider_kognic.core.sources.base import Source, unique
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.emulator import demo
from tests.core.support import content


def open_(predictions: Any = None, manifest: Any = None) -> Source:
    return open_source(predictions, manifest, resolve=Path)


def write(folder: Path, count: int, first: int = 0) -> list[str]:
    """Write documents of the first scenes; returns the scenes in the order of a source."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes = [demo.scene_uuid(i) for i in range(first, first + count)]
    for i, scene in enumerate(scenes, start=first):
        (folder / f"{scene}.json").write_text(json.dumps(content(i)))
    return sorted(scenes)


def row(number: int, **more: Any) -> dict[str, Any]:
    return {"sceneUuid": demo.scene_uuid(number), "openlabelContent": content(number), **more}


def receipt(number: int, source: object, **more: Any) -> str:
    return json.dumps({"scene_uuid": demo.scene_uuid(number), "source": source, **more})


def rewrite(path: Any, raw: bytes) -> None:
    with path.open("wb") as file:
        file.write(raw)


def predictions(source: Source) -> Iterator[Prediction]:
    return (entry for entry in unique(source) if isinstance(entry, Prediction))


def reasons(source: Source) -> dict[str, str | None]:
    """What each entry that is no prediction is refused for, by the end of its name."""
    return {Path(entry.source).name: entry.reason for entry in unique(source) if isinstance(entry, Result)}


def store_in_memory(path: Path) -> Any:
    """A folder of an object store that is this process's memory."""
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import attach
    from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

    attach("memory", fs=MemoryFileSystem())
    return ObjectStoragePath(f"memory://bucket{path}")
