"""Checking what an upload would send: every kind of source, every entry in its order, one at a time."""

import json
import os
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.models import Prediction
from airflow_provider_kognic.core.sources.rows import RowsSource
from airflow_provider_kognic.core.validation.offline import check_sources, open_paths, total_of
from airflow_provider_kognic.core.validation.offline_report import (
    CheckedEntry,
    Totals,
    json_report,
    text_report,
)
from airflow_provider_kognic.emulator import demo
from tests.core.documents import BOX, boxes, encode, put
from tests.core.support import Listed

VALID = encode(boxes())
INVALID = encode(put(boxes(), f"{BOX}.val[2]", 0))


def examined(*paths: Path, **options: Any) -> list[CheckedEntry]:
    return list(check_sources(open_paths([str(path) for path in paths]), **options))


def rules(entry: CheckedEntry) -> list[str]:
    return [issue.rule.identifier for issue in entry.checked.issues]


def write(folder: Path, *contents: bytes, first: int = 0) -> list[Path]:
    """Write documents, named after scenes of the demo dataset."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{demo.scene_uuid(first + i)}.json" for i in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def row(scene: str, document: bytes) -> bytes:
    return b'{"sceneUuid": "%s", "openlabelContent": %s}\n' % (scene.encode(), document)


def test_files_folders_globs_and_lines_are_checked(tmp_path: Path) -> None:
    one, two = write(tmp_path / "folder", VALID, INVALID)
    for path in (tmp_path / "folder", tmp_path / "f*r" / "*.json"):
        found = examined(path)
        assert {entry.source: entry.checked.valid for entry in found} == {str(one): True, str(two): False}
    lines = tmp_path / "rows.jsonl"
    lines.write_bytes(
        row(demo.scene_uuid(0), VALID) + b"\n" + row(demo.scene_uuid(1), INVALID) + b"nonsense\n"
    )
    found = examined(lines)
    assert [entry.source for entry in found] == [f"{lines}:1", f"{lines}:3", f"{lines}:4"]
    assert [rules(entry) for entry in found] == [[], ["bbox_size"], ["bad_row"]]
    assert [entry.scene_uuid for entry in found] == [demo.scene_uuid(0), demo.scene_uuid(1), ""]


def test_a_scene_counts_once_over_all_paths(tmp_path: Path) -> None:
    (one,) = write(tmp_path / "a", VALID)
    (again,) = write(tmp_path / "b", VALID)
    found = examined(tmp_path / "a", again)
    assert [(entry.source, rules(entry)) for entry in found] == [
        (str(one), []),
        (str(again), ["duplicate_scene"]),
    ]


def test_a_file_with_another_name_is_checked_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_bytes(VALID)
    (tmp_path / "yours.json").write_bytes(INVALID)
    mine, yours = examined(tmp_path)
    assert mine.checked.valid
    assert rules(mine) == ["file_name"]
    assert mine.checked.classes == {"Car"}
    assert not yours.checked.valid
    assert rules(yours) == ["file_name", "bbox_size"]


def test_scenes_that_a_dataset_does_not_have_are_reported(tmp_path: Path) -> None:
    write(tmp_path, VALID, INVALID, VALID)
    (tmp_path / "zzz.json").write_bytes(VALID)
    scenes = {demo.scene_uuid(0)}
    found = {entry.scene_uuid: rules(entry) for entry in examined(tmp_path, scenes=scenes)}
    assert found == {
        demo.scene_uuid(0): [],
        demo.scene_uuid(1): ["unknown_scene", "bbox_size"],
        demo.scene_uuid(2): ["unknown_scene"],
        "zzz": ["file_name", "unknown_scene"],
    }


def test_a_pipe_named_like_a_document_is_unreadable_and_a_folder_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f"{demo.scene_uuid(0)}.json")
    (tmp_path / f"{demo.scene_uuid(1)}.json").mkdir()
    (entry,) = examined(tmp_path)
    assert (rules(entry), entry.read, entry.checked.valid) == (["unreadable"], False, False)


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    (path,) = write(tmp_path, VALID)
    with path.open("r+b") as file:
        file.truncate(300 << 20)
    tracemalloc.start()
    (entry,) = examined(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rules(entry) == ["too_large"]
    assert peak < 10 << 20


def test_memory_does_not_grow_with_the_documents(tmp_path: Path) -> None:
    document = encode(boxes() | {"openlabel": boxes()["openlabel"] | {"resources": {"1": "x" * 100_000}}})
    lines = tmp_path / "rows.jsonl"
    with lines.open("wb") as file:
        for number in range(300):
            file.write(row(demo.scene_uuid(number), document))
    sources = open_paths([str(lines)])
    totals = Totals()
    list(text_report(check_sources(open_paths([str(lines)])[:1]), Totals()))
    tracemalloc.start()
    for _ in text_report(check_sources(sources), totals):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (totals.documents, totals.valid) == (300, 300)
    assert peak < 20 * len(document)


def test_the_total_is_known_where_it_can_be(tmp_path: Path) -> None:
    write(tmp_path, VALID, VALID)
    lines = tmp_path / "rows.jsonl"
    lines.write_bytes(row(demo.scene_uuid(5), VALID))
    assert total_of(open_paths([str(tmp_path)] * 2)) == 4
    assert total_of(open_paths([str(tmp_path), str(lines)])) is None


@pytest.mark.parametrize("name", ["nowhere.json", "no*.json", "."])
def test_nothing_to_check_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(KognicInputError, match=r"nothing to check|does not exist"):
        open_paths([str(tmp_path / name)])


def test_the_text_report_names_all_that_has_issues_and_counts_the_rest() -> None:
    rows = [{"sceneUuid": demo.scene_uuid(i), "openlabelContent": boxes()} for i in range(3)]
    rows[1]["openlabelContent"] = put(boxes(), f"{BOX}.val[2]", 0)
    totals = Totals()
    text = "".join(text_report(check_sources([RowsSource(rows)]), totals))
    assert text == (
        "predictions[1]: invalid, 1 error, 0 warnings\n"
        f"  error: bbox_size at {BOX}.val[2]\n"
        "    found: 0\n"
        "    Write the size, not the second corner; leave out boxes without area.\n"
        "\n"
        "3 documents: 2 valid, 1 invalid; 1 error, 0 warnings.\n"
    )
    assert (totals.documents, totals.valid, totals.invalid, totals.errors) == (3, 2, 1, 1)


def test_the_json_report_is_json_with_a_row_for_each_document() -> None:
    many = put(boxes(), f"{BOX}.attributes.num", [{"name": "confidence", "val": 7}] * 30)
    rows = [{"sceneUuid": demo.scene_uuid(i), "openlabelContent": boxes()} for i in range(2)]
    rows.append({"sceneUuid": demo.scene_uuid(2), "openlabelContent": many})
    report = json.loads("".join(json_report(check_sources([RowsSource(rows)]), Totals())))
    assert [document["valid"] for document in report["documents"]] == [True, True, False]
    last = report["documents"][-1]
    assert last["scene_uuid"] == demo.scene_uuid(2)
    assert last["counts"] == {"confidence": 30}
    assert Counter(issue["rule"] for issue in last["issues"]) == {"confidence": 10}
    assert report["totals"]["errors"] == last["errors"] == 30
    assert json.loads("".join(json_report([], Totals())))["documents"] == []
    assert "".join(text_report(check_sources([RowsSource(rows)]), Totals())).count("in 20 more places") == 1


def test_an_empty_source_has_an_empty_report() -> None:
    assert "".join(text_report(check_sources([Listed([])]), Totals())).startswith("0 documents")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KognicInputError("rows.jsonl cannot be read: gone"), r"^rows\.jsonl cannot be read: gone$"),
        (
            OSError("the store is gone"),
            r"^the source cannot be read on: OSError: the store is gone\.$",
        ),
    ],
)
def test_a_source_that_breaks_off_is_an_error_after_what_came_before(error: Exception, said: str) -> None:
    """In the source's own words, where it has any: they name the path."""

    class Breaks:
        total = None

        def __iter__(self) -> Iterator[Prediction]:
            yield Prediction(demo.scene_uuid(0), "0", lambda: VALID)
            raise error

    found = check_sources([Breaks()])
    assert next(found).checked.valid
    with pytest.raises(KognicError, match=said):
        next(found)
