"""Where nothing is to be sent of a model's results: it is said what became of what was read, and what to do."""

import importlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Result
from airflow_provider_kognic.core.sources.base import nothing_in
from airflow_provider_kognic.core.sources.converting.source import ModelSource
from airflow_provider_kognic.core.sources.filtering.documents import FilteredSource
from airflow_provider_kognic.core.sources.filtering.filters import Filters
from airflow_provider_kognic.core.sources.formats import registry
from airflow_provider_kognic.core.sources.formats.opening import open_model_source
from airflow_provider_kognic.core.sources.formats.options import FormatOptions
from tests.core.sources.converting.support import box, one_scene_each, opened, scene, write_json, write_scenes
from tests.core.sources.formats import test_nuscenes as nuscenes
from tests.core.sources.formats.cuboid_files import UNIT, lidar_rows
from tests.core.sources.support import open_


def refusals(source: ModelSource) -> list[str]:
    return [str(entry.message) for entry in source if isinstance(entry, Result)]


@pytest.mark.parametrize("stream", ["lidar", "LIDAR_TOP", "@Lidar"])
def test_a_table_whose_streams_take_nothing_of_the_format_is_an_input_error(
    tmp_path: Path, stream: str
) -> None:
    """All would be dropped: what is needed is said before anything is sent."""
    file = nuscenes.results(tmp_path, {"a": [nuscenes.box()]})
    rows = [{**row, "stream": stream} for row in lidar_rows("ab", [UNIT] * 2)]
    rows[1]["stream"] = "CAM_FRONT"
    for empty in ("send", "skip"):
        with pytest.raises(
            KognicInputError, match=r"no row of the table .*s\.csv takes .*'nuscenes' has"
        ) as e:
            opened(file, write_scenes(tmp_path / "s.csv", rows), format="nuscenes", empty_scenes=empty)
        assert "which is cuboids: they need a lidar's stream, which is called '@lidar'" in str(e.value)
        assert f"streams are {', '.join(map(repr, sorted(['CAM_FRONT', stream])))}." in str(e.value)


def test_nor_do_the_boxes_of_a_lidar(tmp_path: Path) -> None:
    table = one_scene_each(tmp_path, "ab")
    table.write_text(table.read_text().replace("CAM", "@lidar"))
    with pytest.raises(
        KognicInputError, match=r"boxes and masks: they need a camera's stream, and .* '@lidar'\."
    ):
        opened(write_json(tmp_path / "r.json", [box("a")]), table)


def test_a_table_without_rows_is_called_empty(tmp_path: Path) -> None:
    with pytest.raises(KognicInputError, match=r"the table of scenes .*s\.csv is empty: it has no row"):
        opened(write_json(tmp_path / "r.json", [box("a")]), write_scenes(tmp_path / "s.csv", []))


LEFT_OUT: dict[str, tuple[dict[str, Any], str]] = {
    "a class that nothing has": (
        {"classes_only": ["Carr"]},
        "3 rows were read, and all are left out: classes_only (3).",
    ),
    "too unsure": ({"min_confidence": 0.9}, "3 rows were read, and all are left out: min_confidence (3)."),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_filters_leave_of_nothing_is_said(tmp_path: Path, case: str) -> None:
    options, said = LEFT_OUT[case]
    results = write_json(tmp_path / "r.json", [box("a"), box("a"), box("b")])
    source = opened(results, one_scene_each(tmp_path, "ab"), **options)
    assert (source.total, nothing_in(source)) == (0, said)


def test_of_the_table_of_others_the_first_key_is_named(tmp_path: Path) -> None:
    results = write_json(tmp_path / "r.json", [box("x"), box("y")])
    source = opened(results, one_scene_each(tmp_path, "ab"))
    assert nothing_in(source) == "2 rows were read, and all are left out: no_scene (2)."
    assert nothing_in(opened(write_json(tmp_path / "e.json", []), one_scene_each(tmp_path, "ab"))) == (
        f"There is not one detection in {tmp_path / 'e.json'}."
    )


def test_a_scene_without_a_row_says_why_and_what_to_do(tmp_path: Path) -> None:
    """The most frequent reason of its own rows first, with what was said of it."""
    rows = [box("a")] * 3 + [box("a", bbox=(1, 2, 0, 4))] + [box("b", score=7)]
    source = opened(write_json(tmp_path / "r.json", rows), one_scene_each(tmp_path, "ab"), classes=None)
    one, other = refusals(source)
    assert one == (
        "nothing is left to be sent: 4 of its rows are not taken: unknown_class (4). class 1 has no name: give the"
        " classes, id -> name, or the file that names them."
    )
    assert other.startswith("nothing is left to be sent: 1 of its rows are not taken: unknown_class (1).")
    source = opened(
        write_json(tmp_path / "r.json", rows), one_scene_each(tmp_path, "ab"), classes={"1": "Car"}
    )
    (left,) = refusals(source)
    assert "1 of its rows are not taken: confidence (1)." in left
    assert "confidence='drop' leaves those out" in left


def test_of_very_many_scenes_it_is_said_of_all_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_kognic.core.sources.converting.summary._MOST_SCENES", 1)
    results = write_json(tmp_path / "r.json", [box("a"), box("b"), box("b")])
    source = opened(results, one_scene_each(tmp_path, "ab"), classes=None)
    assert [text.partition(" class")[0] for text in refusals(source)] == [
        "nothing is left to be sent: 1 of its rows are not taken: unknown_class (1).",
        "nothing is left to be sent: of all rows are not taken: unknown_class (3).",
    ]


def test_what_was_not_met_is_named_five_times_each(tmp_path: Path) -> None:
    results = write_json(tmp_path / "r.json", [box("a"), *(box(f"x{n}") for n in range(7))])
    counts = opened(results, one_scene_each(tmp_path, "abcdefgh")).counts
    assert (counts.unseen_keys, counts.empty_scenes, counts.keys_without_scene) == (7, 7, 7)
    assert {what: len(texts) for what, texts in counts.named.items()} == dict.fromkeys(
        ("unseen_keys", "empty_scenes", "no_scene"), 5
    )
    assert counts.named["unseen_keys"][0] == "nothing was found of key b: the input does not have it"
    assert counts.named["empty_scenes"][4] == f"nothing was found in scene {scene(5)}, key f"
    said = "\n".join(counts.lines())
    examples = "\n".join(counts.examples())
    for text in (*counts.named["unseen_keys"], *counts.named["empty_scenes"]):
        assert text in said
        assert text in examples


def test_a_filter_that_names_no_class_says_which_there_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    results = write_json(tmp_path / "r.json", [box("a")])
    opened(
        results, one_scene_each(tmp_path, "a"), classes={"1": "Van", "*": "Car"}, min_confidence={"Carr": 0.5}
    )
    assert [record.getMessage() for record in caplog.records] == [
        "min_confidence names 'Carr', a class that nothing has which was read; there are 'Car', 'Van'."
    ]


# --- no file ---


def no_file(folder: Path, what: str) -> Path:
    place = folder / "in"
    place.mkdir()
    if what == "other files":
        (place / "notes.md").write_text("x")
        (place / "a.json").write_text("{}")
    return place / "*.txt" if what == "glob" else place


SAID = {
    "empty folder": "has no file that ends with .txt, as there is nothing at all: ",
    "other files": "has no file that ends with .txt, but 2 others, such as 'a.json': ",
    "glob": "has a name that matches '*.txt'",
}


@pytest.mark.parametrize("what", SAID)
def test_a_folder_without_a_file_is_an_empty_source_only_where_that_may_be(tmp_path: Path, what: str) -> None:
    given = no_file(tmp_path, what)
    options: dict[str, Any] = {"format": "kitti", "scenes": one_scene_each(tmp_path, "ab")}

    source = open_model_source(given, None, FormatOptions.of(**options), resolve=Path, may_be_empty=True)
    assert (source.total, list(source)) == (0, [])
    assert SAID[what] in nothing_in(source)
    with pytest.raises(KognicInputError) as error:
        open_model_source(given, None, FormatOptions.of(**options), resolve=Path)
    assert SAID[what] in str(error.value)
    with pytest.raises(
        KognicInputError, match=r"not to say that the model saw nothing, so .*empty_scenes='send'"
    ):
        open_model_source(
            given, None, FormatOptions.of(**options, empty_scenes="send"), resolve=Path, may_be_empty=True
        )


def test_what_is_not_there_is_no_empty_source(tmp_path: Path) -> None:
    options = FormatOptions.of(format="kitti", scenes=one_scene_each(tmp_path, "ab"))
    with pytest.raises(KognicInputError, match="'predictions' does not exist"):
        open_model_source(tmp_path / "gone", None, options, resolve=Path, may_be_empty=True)


def test_a_filtered_source_says_what_its_own_source_says(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    source = open_(tmp_path / "in")
    assert nothing_in(source)
    assert nothing_in(FilteredSource(source, Filters(min_confidence=0.5))) == nothing_in(source)


# --- what is wrong beside the predictions ---


@pytest.mark.parametrize("name", ["scenes", "classes", "annotations"])
def test_a_file_that_is_not_there_is_called_by_its_argument(tmp_path: Path, name: str) -> None:
    results = write_json(tmp_path / "r.json", [box("a")])
    given: dict[str, Any] = {"scenes": one_scene_each(tmp_path, "a"), "classes": None, "format": "coco"}
    given |= {"arguments": {name: tmp_path / "gone"}} if name == "annotations" else {name: tmp_path / "gone"}
    receipts = tmp_path / "m.csv"
    receipts.write_text(f"scene_uuid,source\n{scene(0)},{results}#a\n")
    for predictions, manifest in ((results, None), (None, receipts)):
        with pytest.raises(KognicInputError, match=rf"^'{name}': {tmp_path / 'gone'} cannot be read: "):
            open_model_source(predictions, manifest, FormatOptions.of(**given), resolve=Path)


def test_classes_that_are_the_text_of_a_dict_say_how_a_template_makes_one(tmp_path: Path) -> None:
    text: Any = "{'1': 'Car'}"
    with pytest.raises(KognicInputError, match=r"the text of a dict.* render_template_as_native_obj=True"):
        FormatOptions.of(format="coco", scenes="/s.csv", classes=text)


def test_a_reader_with_a_mistake_is_named_with_file_and_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be a stranger's, and no scene goes up that is right by chance."""
    coco = registry.BY_NAME["coco"]

    def read(reading: Any, file: Any) -> Iterator[Any]:
        yield from coco.read(reading, file)
        raise TypeError("'NoneType' object is not subscriptable")

    monkeypatch.setattr(
        importlib.import_module(f"{registry.__package__}.coco"), "COCO", replace(coco, read=read)
    )
    results = write_json(tmp_path / "r.json", [box("a"), box("b")])
    said = rf"{results} cannot be read on after 2 of its rows: the reader of the format 'coco' has a mistake: Type"
    with pytest.raises(KognicInputError, match=said):
        opened(results, one_scene_each(tmp_path, "ab"))
