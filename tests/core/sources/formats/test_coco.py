"""COCO results: boxes, with and without the file of images and categories."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Prediction, Refused, Result
from airflow_provider_kognic.core.sources.formats.opening import open_model_source
from airflow_provider_kognic.core.sources.formats.options import FormatOptions
from tests.core.sources.converting.support import (
    box,
    boxes,
    documents,
    one_scene_each,
    opened,
    scene,
    write_json,
    write_scenes,
)
from tests.core.sources.formats.cuboid_files import expected_of, needs_real_files, real_files

DATA = Path(__file__).parent / "data"
ANNOTATIONS = {
    "info": {"year": 2026},
    "annotations": [{"id": 1, "segmentation": {"counts": [1, 2], "size": [1, 3]}}],
    "images": [
        {"id": 7, "file_name": "day/seven.png", "width": 100, "height": 80},
        {"id": 9, "file_name": "nine.png"},
    ],
    "categories": [{"id": 3, "name": "car"}, {"id": 90, "name": "person"}],
}


def test_the_corner_becomes_the_centre(tmp_path: Path) -> None:
    results = write_json(tmp_path / "r.json", [box(1, bbox=(10, 20, 30, 40), score=0.25), box(2, score=1)])
    found = documents(opened(results, one_scene_each(tmp_path, (1, 2))))
    assert boxes(found[scene(0)]) == [("Car", [25.0, 40.0, 30.0, 40.0], 0.25)]
    assert boxes(found[scene(1)]) == [("Car", [25.0, 40.0, 30.0, 40.0], 1.0)]


def test_scattered_rows_are_put_together(tmp_path: Path) -> None:
    """Also of several frames and cameras of a scene; in the order of the file."""
    rows = [box(n % 3, bbox=(n, 0, 2, 2)) for n in range(9)]
    table = write_scenes(
        tmp_path / "s.csv",
        [
            {"key": 0, "scene_uuid": scene(0), "frame_id": 0, "timestamp_ms": 0, "stream": "FRONT"},
            {"key": 1, "scene_uuid": scene(0), "frame_id": 0, "timestamp_ms": 0, "stream": "BACK"},
            {"key": 2, "scene_uuid": scene(0), "frame_id": 1, "timestamp_ms": 50, "stream": "FRONT"},
        ],
    )
    (document,) = documents(opened(write_json(tmp_path / "r.json", rows), table)).values()
    assert [values[0] for _, values, _ in boxes(document)] == [2, 5, 8, 1, 4, 7]
    assert [values[0] for _, values, _ in boxes(document, "1")] == [3, 6, 9]
    assert document["streams"] == {"BACK": {"type": "camera"}, "FRONT": {"type": "camera"}}
    assert document["frames"]["1"]["frame_properties"]["timestamp"] == 50
    assert len(document["objects"]) == 9


def test_an_image_of_two_files_is_that_of_the_first(tmp_path: Path) -> None:
    """Two rows of one number were one object: the second one's class was lost, and nobody was told."""
    place = tmp_path / "results"
    place.mkdir()
    write_json(place / "a.json", [box("a", bbox=(0, 0, 2, 2)), box("b")])
    write_json(place / "b.json", [box("a", category=2, bbox=(4, 4, 2, 2)), box("c"), box("a", category=2)])
    source = opened(place, one_scene_each(tmp_path, "abc"), classes={"1": "Car", "2": "Person"})
    found = documents(source)
    assert boxes(found[scene(0)]) == [("Car", [1.0, 1.0, 2, 2], 0.5)]
    assert [len(boxes(found[scene(number)])) for number in (1, 2)] == [1, 1]
    assert source.counts.refused == {"duplicate_key": 2}
    assert source.counts.named["duplicate_key"] == [
        f"{place / 'b.json'}, row {number}, key a: an earlier file has this key already; the first one counts"
        for number in (1, 3)
    ]


def test_annotations_name_files_and_classes(tmp_path: Path) -> None:
    """Keys are names of files then, and the classes file may have ids or names."""
    results = write_json(tmp_path / "r.json", [box(7, category=3), box(9, category=90), box(8, category=3)])
    annotations = write_json(tmp_path / "images.json", ANNOTATIONS)
    table = one_scene_each(tmp_path, ("day/seven.png", "nine.png"))
    source = opened(
        results,
        table,
        classes={"car": "PassengerCar", "90": "Person"},
        arguments={"annotations": str(annotations)},
    )
    found = documents(source)
    assert [kind for kind, _, _ in boxes(found[scene(0)])] == ["PassengerCar"]
    assert [kind for kind, _, _ in boxes(found[scene(1)])] == ["Person"]
    assert source.counts.refused == {"unknown_image": 1}
    assert source.counts.named["unknown_image"] == [
        f"{results}, row 3, key 8: 'annotations' has no such image"
    ]


def test_without_a_classes_file_the_names_of_the_annotations_are_taken(tmp_path: Path) -> None:
    results = write_json(tmp_path / "r.json", [box(7, category=3), box(9, category=4)])
    annotations = write_json(tmp_path / "images.json", ANNOTATIONS)
    table = one_scene_each(tmp_path, (7, 9))
    source = opened(results, table, classes=None, arguments={"annotations": annotations})
    assert [kind for kind, _, _ in boxes(documents(source)[scene(0)])] == ["car"]
    assert source.counts.refused == {"unknown_class": 1}


def test_a_box_is_held_against_the_size_of_its_image(tmp_path: Path) -> None:
    """Over an edge is taken as it is; wholly outside is refused. The table's size counts, or the annotations'."""
    given = [(95, 0, 10, 10), (-4, -4, 5, 5), (100, 0, 10, 10), (0, -10, 10, 10)]
    results = write_json(tmp_path / "r.json", [box(7, bbox=one) for one in given])
    by_table = opened(results, one_scene_each(tmp_path, (7,), image_width=100, image_height=80))
    annotations = write_json(tmp_path / "images.json", ANNOTATIONS)
    by_images = opened(results, one_scene_each(tmp_path, (7,)), arguments={"annotations": annotations})
    for source in (by_table, by_images):
        assert len(boxes(documents(source)[scene(0)])) == 2
        assert source.counts.refused == {"outside": 2}
        assert "row 3, key 7: a box wholly outside" in source.counts.named["outside"][0]


@pytest.mark.parametrize("raw", [b"[]", b"{", b'{"images": [{"id": 1}]}', b'{"categories": [3]}'])
def test_annotations_that_are_none_end_it(tmp_path: Path, raw: bytes) -> None:
    results = write_json(tmp_path / "r.json", [box(7)])
    (tmp_path / "images.json").write_bytes(raw)
    with pytest.raises(KognicInputError, match="'annotations' is no JSON of images and categories"):
        opened(results, one_scene_each(tmp_path, (7,)), arguments={"annotations": tmp_path / "images.json"})


def test_it_is_recognised_for_certain(tmp_path: Path) -> None:
    results = write_json(tmp_path / "r.json", [box(7)])
    assert len(documents(opened(results, one_scene_each(tmp_path, (7,)), format=None))) == 1
    others: list[Any] = [[{"image_id": 7, "file_name": "x"}], {"annotations": []}, []]
    for other in others:
        write_json(results, other)
        with pytest.raises(KognicInputError, match="cannot be told for certain"):
            opened(results, one_scene_each(tmp_path, (7,)), format=None)


def test_compressed_results_are_unpacked(tmp_path: Path) -> None:
    raw = json.dumps([box(7)]).encode()
    (tmp_path / "r.json.gz").write_bytes(gzip.compress(raw))
    assert len(documents(opened(tmp_path / "r.json.gz", one_scene_each(tmp_path, (7,))))) == 1


def test_the_bytes_of_documents_are_kept() -> None:
    """Other bytes for the same input would make every finished upload a changed one."""
    source = opened(DATA / "coco.json", DATA / "scenes.csv", classes=DATA / "classes.json")
    found = {entry.scene_uuid: entry.read() for entry in source if isinstance(entry, Prediction)}
    kept = {path.stem: path.read_bytes() for path in (DATA / "coco").glob("*.json")}
    assert found == kept


def test_receipts_are_found_again(tmp_path: Path) -> None:
    """As a manifest, with the same options: just those scenes, byte for byte."""
    results = write_json(tmp_path / "r#1.json", [box(n) for n in (3, 1, 2)])
    table = one_scene_each(tmp_path, (1, 2, 3))
    entries = [entry for entry in opened(results, table) if isinstance(entry, Prediction)]
    assert [entry.source for entry in entries] == [f"{results}#{key}" for key in (1, 2, 3)]
    rows = [
        {"scene_uuid": entries[2].scene_uuid, "source": entries[2].source},
        {"scene_uuid": scene(9), "source": f"{results}#2"},
        {"scene_uuid": scene(0), "source": f"{tmp_path}/gone.json#1"},
        {"scene_uuid": entries[0].scene_uuid, "source": entries[0].source},
    ]
    manifest = tmp_path / "failed.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = FormatOptions(format="coco", scenes=table, classes={"*": "Car"})
    again: list[Any] = list(open_model_source(None, manifest, options, resolve=Path))
    assert [entry.source for entry in again] == [row["source"] for row in rows]
    assert isinstance(again[0], Prediction)
    assert again[0].read() == entries[2].read()
    assert isinstance(again[1], Result)
    assert "the table of scenes has no row of the key 2" in str(again[1].message)
    assert isinstance(again[2], Result)
    assert again[2].reason == "unreadable"
    assert isinstance(again[3], Prediction)
    assert again[3].read() == entries[0].read()


def test_receipts_are_found_again_whatever_the_order_of_the_table(tmp_path: Path) -> None:
    """A table is written again, sorted otherwise: the scene is the same."""
    results = write_json(tmp_path / "r.json", [box(n) for n in (1, 2, 3)])
    rows = [
        {"key": n, "scene_uuid": scene(n // 3), "stream": "CAM", "frame_id": n, "timestamp_ms": n}
        for n in (1, 2, 3)
    ]
    first = next(iter(opened(results, write_scenes(tmp_path / "s.csv", rows))))
    assert isinstance(first, Prediction)
    assert first.source == f"{results}#1"
    document = first.read()
    manifest = tmp_path / "failed.jsonl"
    receipts = [{"scene_uuid": scene(0), "source": f"{results}#{key}"} for key in (1, 3)]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in receipts))
    table = write_scenes(tmp_path / "s.csv", rows[::-1])
    options = FormatOptions(format="coco", scenes=table, classes={"*": "Car"})
    again, of_another = open_model_source(None, manifest, options, resolve=Path)
    assert isinstance(again, Prediction)
    assert (again.source, again.read()) == (first.source, document)
    assert isinstance(of_another, Result)
    assert f"has no row of the key 3 in scene {scene(0)}" in str(of_another.message)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("no table", "gone.csv"),
        ("quote", "cannot be read as CSV from line 3 on"),
        ("columns", "no column 'scene_uuid'"),
        ("no classes", "gone.json"),
        ("classes", "is no JSON"),
        ("argument", "annotations.json"),
    ],
)
def test_a_manifest_whose_table_or_classes_cannot_be_read_fails_once(
    tmp_path: Path, wrong: str, says: str
) -> None:
    """Each of its rows was refused, one by one, while the rows of documents between them went up."""
    results = write_json(tmp_path / "r.json", [box(n) for n in (1, 2)])
    table = one_scene_each(tmp_path, (1, 2))
    given: dict[str, Any] = {"scenes": table, "classes": write_json(tmp_path / "c.json", {"*": "Car"})}
    if wrong == "no table":
        given["scenes"] = tmp_path / "gone.csv"
    elif wrong == "quote":
        table.write_text(f'{table.read_text().splitlines()[0]}\n\n"1,2\n')
    elif wrong == "columns":
        table.write_text("key,scene\n1,2\n")
    elif wrong == "no classes":
        given["classes"] = tmp_path / "gone.json"
    elif wrong == "classes":
        given["classes"].write_text("{")
    else:
        given["arguments"] = {"annotations": str(tmp_path / "annotations.json")}
    manifest = tmp_path / "failed.jsonl"
    rows = [{"scene_uuid": scene(n), "source": f"{results}#{n + 1}"} for n in (0, 1)]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(KognicInputError, match=says):
        open_model_source(None, manifest, FormatOptions.of(format="coco", **given), resolve=Path)


def test_a_table_that_breaks_while_a_manifest_is_read_ends_it(tmp_path: Path) -> None:
    results = write_json(tmp_path / "r.json", [box(n) for n in (1, 2)])
    table = one_scene_each(tmp_path, (1, 2))
    manifest = tmp_path / "failed.jsonl"
    rows = [{"scene_uuid": scene(n), "source": f"{results}#{n + 1}"} for n in (0, 1)]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = FormatOptions(format="coco", scenes=table, classes={"*": "Car"})
    source = open_model_source(None, manifest, options, resolve=Path)
    table.unlink()
    with pytest.raises(KognicInputError, match=r"scenes\.csv"):
        list(source)


def test_an_input_of_a_manifest_that_cannot_be_read_is_tried_once(tmp_path: Path) -> None:
    """Its rows are refused; those of others go on."""
    good = write_json(tmp_path / "r.json", [box(1)])
    manifest = tmp_path / "failed.jsonl"
    gone = tmp_path / "gone.json"
    sources = [f"{gone}#1", f"{gone}#2", f"{good}#1"]
    rows = [{"scene_uuid": scene(0), "source": source} for source in sources]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = FormatOptions(format="coco", scenes=one_scene_each(tmp_path, (1, 2)), classes={"*": "Car"})
    asked: list[str] = []

    def resolve(text: str) -> Path:
        asked.append(text)
        return Path(text)

    found: list[Any] = list(open_model_source(None, manifest, options, resolve=resolve))
    assert [type(one) for one in found] == [Result, Result, Prediction]
    assert {one.reason for one in found[:2]} == {"unreadable"}
    assert asked == [str(gone), str(good)]


def test_a_document_that_is_too_large_is_refused(tmp_path: Path) -> None:
    results = write_json(tmp_path / "r.json", [box(1)] * 100 + [box(2)])
    options = FormatOptions(format="coco", scenes=one_scene_each(tmp_path, (1, 2)), classes={"*": "Car"})
    source = open_model_source(results, None, options, resolve=Path, max_document_bytes=2000)
    first, second = (entry for entry in source if isinstance(entry, Prediction))
    with pytest.raises(Refused, match="larger than max_document_bytes"):
        first.read()
    assert second.read()


@needs_real_files
def test_real_results_are_where_the_reference_says(tmp_path: Path) -> None:
    """Every box of the sample results that COCO publishes, against pycocotools."""
    (results,) = real_files("coco", "instances_val2014_fakebbox_first25images.json")
    expected = expected_of("coco")
    rows = json.loads(results.read_text())
    keys = list(dict.fromkeys(row["image_id"] for row in rows))
    source = opened(
        results, one_scene_each(tmp_path, keys), classes={str(n): f"class {n}" for n in range(1, 91)}
    )
    found = documents(source)
    assert source.counts.is_clean
    assert source.counts.taken == len(rows)
    by_image = {key: boxes(found[scene(number)]) for number, key in enumerate(keys)}
    of_image: dict[int, list[Any]] = {}
    for one in expected:
        of_image.setdefault(one["image_id"], []).append(one)
    assert len(expected) == 40
    for image, wanted in of_image.items():
        for (kind, values, score), one in zip(by_image[image], wanted, strict=False):
            assert kind == f"class {one['category_id']}"
            assert score == one["score"]
            assert values == pytest.approx(one["kognic_bbox"], abs=1e-6)
