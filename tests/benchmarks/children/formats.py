"""A model's results made documents: `python -m tests.benchmarks.children.formats HOW FORMAT INPUT TABLE OBJECTS`.

HOW is `ours`, `plain` or `split`. Prints a line of JSON: the microseconds of CPU for an object to read, and to make
documents, with the peak of memory in bytes; or those of plain parsing, or of a bare `str.split` of the same files.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.children.client import peak_memory
from tests.benchmarks.results import CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NAMED = {str(number): f"class {number}" for number in range(CLASSES)}
_CLASSES = {"coco": _NAMED, "yolo": _NAMED, "mmdet3d": _NAMED, "mot": {"*": "Person"}}


def _files(path: Path) -> Iterator[Path]:
    return iter(sorted(path.iterdir())) if path.is_dir() else iter((path,))


def _loaded(path: Path) -> list[Any]:
    return [json.loads(file.read_bytes()) for file in _files(path)]


def _feather(path: Path) -> list[Any]:
    return list(importlib.import_module("pyarrow.feather").read_table(str(path)).to_pylist())


def _lines(path: Path) -> Iterator[str]:
    for one in _files(path):
        with one.open() as file:
            yield from file


def _numbers_with_commas(path: Path) -> list[Any]:
    return [[float(column) for column in line.split(",")] for line in _lines(path)]


def _numbers(path: Path) -> list[Any]:
    return [[float(column) for column in line.split()] for line in _lines(path)]


def _word_and_numbers(path: Path) -> list[Any]:
    rows = (line.split() for line in _lines(path))
    return [(columns[0], [float(column) for column in columns[1:]]) for columns in rows]


_PLAIN: dict[str, Callable[[Path], list[Any]]] = {
    "coco": _loaded,
    "nuscenes": _loaded,
    "mmdet3d": _loaded,
    "av2": _feather,
    "mot": _numbers_with_commas,
    "yolo": _numbers,
    "kitti": _word_and_numbers,
}


def _split(name: str, path: Path) -> list[Any]:
    separator = "," if name == "mot" else None
    return [line.split(separator) for line in _lines(path)]


def _ours(name: str, path: Path, table: Path, count: int) -> dict[str, float]:
    from airflow_provider_kognic.core.models import Prediction
    from airflow_provider_kognic.core.sources.converting.source import ModelSource
    from airflow_provider_kognic.core.sources.formats.opening import open_model_source
    from airflow_provider_kognic.core.sources.formats.options import FormatOptions

    start = time.process_time()
    options = FormatOptions(format=name, scenes=table, classes=_CLASSES.get(name))
    source = open_model_source(path, None, options, resolve=Path, folder=table.parent)
    read = time.process_time()
    assert isinstance(source, ModelSource)
    made = sum(len(entry.read()) for entry in source if isinstance(entry, Prediction))
    if not made or source.counts.taken != count:
        raise RuntimeError(f"{name}: not all of the {count:,} objects were taken")
    return {"read_us": read - start, "make_us": time.process_time() - read}


def main(how: str, name: str, path: Path, table: Path, count: int) -> None:
    """Do it once and print the figures."""
    if name == "av2":  # is no part of what is measured, on either side
        importlib.import_module("pyarrow.feather")
    start = time.process_time()
    if how == "ours":
        figures = _ours(name, path, table, count)
    else:
        found = _split(name, path) if how == "split" else _PLAIN[name](path)
        figures = {f"{how}_us": time.process_time() - start}
        del found
    told = {figure: seconds / count * 1e6 for figure, seconds in figures.items()}
    sys.stdout.write(json.dumps(told | {"peak_bytes": peak_memory()}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5]))
