"""Files of text in columns, taken the whole way to documents by the command `convert`."""

import gzip
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.cli import main
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.sources.converting.inputs import InputFile
from airflow_provider_kognic.core.sources.formats.opening import recognise
from tests.core.sources.converting.support import opened

# A folder with real files of models: `kitti`, `mot`, `yolo`. Their licences do not let them be here. Beside it is
# `oracles/expected`, which is what devkits of others make of them.
REAL = Path(os.environ.get("TESTS_MODEL_FILES", "nowhere"))


def expected(name: str) -> list[dict[str, Any]]:
    """What a devkit makes of the real files."""
    found: list[dict[str, Any]] = json.loads((REAL.parent / "oracles" / "expected" / name).read_bytes())
    return found


def converted(format_: str, given: Path, table: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run `convert`; return its exit code, and the documents by scene."""
    out = table.parent / "out"
    code = main(["convert", format_, str(given), "--scenes", str(table), "--out", str(out), *arguments])
    found = {path.stem: json.loads(path.read_bytes())["openlabel"] for path in out.glob("*.json")}
    return code, found


def write_classes(folder: Path, classes: Mapping[str, str]) -> str:
    """Write a classes file, and return its path."""
    path = folder / "classes.json"
    path.write_text(json.dumps(classes))
    return str(path)


def geometries(document: Any, frame: str = "0", kind: str = "bbox") -> list[list[float]]:
    """The boxes or cuboids of a frame, in order."""
    objects = document["frames"][frame]["objects"].values()
    return [one["val"] for item in objects for one in item["object_data"].get(kind, ())]


def recognised(text: str, path: Path, table: Path) -> bool:
    """Whether a file is read where nobody has said what it is."""
    path.write_text(text)
    found = recognise(InputFile(path))
    if found is None:
        with pytest.raises(KognicInputError, match="cannot be told for certain"):
            opened(path, table, format=None)
    else:
        opened(path, table, format=None)
    return found is not None


def text_of(rows: Iterable[Sequence[object]], between: str = " ") -> str:
    """Rows as a file has them, each number with all of its digits."""
    return "".join(between.join(map(str, row)) + "\n" for row in rows)


def made(name: str) -> dict[str, Any]:
    """What a library of others made of texts (scripts/make-box-texts): `files`, `boxes` and more."""
    path = Path(__file__).parent / "data" / f"{name}.json.gz"
    found: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return found


def middle(sides: Sequence[float]) -> list[float]:
    """Left, top, right and bottom as a document has them."""
    left, top, right, bottom = sides
    return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
