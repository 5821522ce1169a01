"""Of a source what is in a range: the parts together are the whole, in the same order."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.models import Prediction, Result, Span
from airflow_provider_kognic.core.sources.base import Source, nothing_in, unique
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.sources.ranges.cutting import Limits, cut
from airflow_provider_kognic.core.sources.ranges.narrowed import name_of
from tests.core.sources.support import store_in_memory
from tests.core.support import content

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")


def scene(number: int) -> str:
    """Scenes that begin with letters and digits alike."""
    return f"{number % 16:x}{number:03x}abcd-0000-4000-8000-00000000000{number % 10}"


# Names as people write them: one scene twice, in another spelling; what names none; what is odd.
NAMES = [
    *(scene(n) for n in range(40)),
    scene(3).upper(),
    scene(12).upper(),
    "notes",
    "été",
    "~",
    "zz-😀",
    "0",
]


def write_files(place: Any) -> Any:
    for number, name in enumerate(NAMES):
        with (place / f"{name}.json").open("wb") as file:
            file.write(json.dumps(content(number)).encode())
    return place


def write_folder(place: Any) -> tuple[Any, None]:
    return write_files(place), None


def write_glob(place: Any) -> tuple[Any, None]:
    write_files(place)
    return place / "*.json", None


def write_lines(place: Any) -> tuple[Any, None]:
    path = place / "p.jsonl"
    rows = [json.dumps({"sceneUuid": name, "openlabelContent": content()}) for name in NAMES]
    with path.open("wb") as file:
        file.write("\n".join([*rows, "no row", "{}"]).encode())
    return path, None


def write_manifest(place: Any) -> tuple[None, Any]:
    write_files(place)
    path = place / "m.csv"
    with path.open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["scene_uuid", "path"])
        rows.writerows([name, f"{name}.json"] for name in [*NAMES, scene(1)])
        rows.writerow([scene(2), ""])
    return None, path


Written = Callable[[Any], tuple[Any, Any]]


def told(source: Source) -> list[tuple[str, str, str]]:
    return [
        (entry.scene_uuid, entry.source, str(entry.reason) if isinstance(entry, Result) else "")
        for entry in unique(source)
    ]


@pytest.mark.parametrize("where", ["disk", "store"])
@pytest.mark.parametrize("write", [write_folder, write_glob, write_lines, write_manifest])
def test_the_parts_are_the_whole(tmp_path: Path, write: Written, where: str) -> None:
    """Each entry is in one part, in the order of the whole, and so the first of a scene stays the first."""
    place: Any = tmp_path if where == "disk" else store_in_memory(tmp_path)
    if where == "store":
        place.fs.mkdirs(str(place.path), exist_ok=True)
    predictions, manifest = write(place)

    def opened(within: Span | None = None) -> Source:
        return open_source(predictions, manifest, resolve=Path, within=within)

    whole = told(opened())
    assert len(whole) >= len(NAMES)
    for shards in (1, 3, 8):
        pieces = cut(opened(), Limits(shards=shards))
        assert len(pieces) == shards
        parts = [told(opened(piece.span)) for piece in pieces]
        assert sorted(row for part in parts for row in part) == sorted(whole)
        for piece, part in zip(pieces, parts, strict=True):
            assert part == [row for row in whole if piece.span.holds(name_of(row[0]))]
            sent = sum(reason in {"", "duplicate_scene"} for *_, reason in part)
            assert piece.items == sent
            source = opened(piece.span)
            assert source.total in {len(part), None}


def test_the_total_of_files_is_known(tmp_path: Path) -> None:
    write_files(tmp_path)
    source = open_source(tmp_path, None, resolve=Path, within=Span(scene(10), None))
    assert source.total == len(list(source))
    assert source.total < len(NAMES)


def test_a_file_that_comes_later_is_in_the_range_of_its_name(tmp_path: Path) -> None:
    write_files(tmp_path)
    spans = [piece.span for piece in cut(open_source(tmp_path, None, resolve=Path), Limits(shards=4))]
    before = [told(open_source(tmp_path, None, resolve=Path, within=span)) for span in spans]
    new = "00000000-0000-4000-8000-000000000001"
    (tmp_path / f"{new}.json").write_text("{}")
    after = [told(open_source(tmp_path, None, resolve=Path, within=span)) for span in spans]
    assert after[1:] == before[1:]
    assert [row for row in after[0] if row not in before[0]] == [(new, str(tmp_path / f"{new}.json"), "")]


def test_a_range_in_which_nothing_is_says_so(tmp_path: Path) -> None:
    (tmp_path / f"{scene(1)}.json").write_text("{}")
    (tmp_path / "p.jsonl").write_text(json.dumps({"sceneUuid": scene(1), "openlabelContent": {}}))
    for path in (tmp_path, tmp_path / "p.jsonl"):
        source = open_source(
            path, None, resolve=Path, within=Span("ffffffff-0000-4000-8000-000000000000", None)
        )
        assert [entry for entry in source if isinstance(entry, Prediction)] == []
        assert nothing_in(source).startswith("Nothing of it is in this shard.")
