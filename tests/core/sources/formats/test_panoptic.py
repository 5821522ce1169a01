"""COCO panoptic results, from JSON and PNG to the PNG in the document: numpy says which pixels there are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Prediction
from tests.core.sources.converting.support import documents, one_scene_each, opened, scene, write_json
from tests.core.sources.formats.painted import Found, names_in, png_of

DATA = Path(__file__).parent / "data"
HEIGHT, WIDTH = 24, 40
CLASSES = {"1": "Person", "3": "Car", "184": "Tree"}
# Ids of which two have the same red, two the same green, and two the same blue.
IDS = {7: 3, 7 + 256 * 5: 1, 9 + 256 * 5: 184, 9 + 65536 * 200: 3, 65536 * 200: 1}
CATEGORIES = [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}, {"id": 184, "name": "tree"}]


def drawn(seed: int = 1) -> Any:
    """An image of segments, and some pixels of none."""
    source = np.random.default_rng(seed)
    blocks = source.choice([0, *IDS], size=(HEIGHT // 4, WIDTH // 4))
    blocks.flat[: len(IDS)] = list(IDS)
    return blocks.repeat(4, axis=0).repeat(4, axis=1)


def coloured(ids: Any) -> bytes:
    """As `id2rgb` of panopticapi has it."""
    return png_of(np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8))


def segments(ids: Any, **more: Any) -> list[dict[str, Any]]:
    return [
        {"id": int(one), "category_id": IDS[int(one)], "area": int((ids == one).sum())} | more
        for one in np.unique(ids)
        if one
    ]


def annotation(ids: Any, image: Any = 5, name: str = "five.png") -> dict[str, Any]:
    return {"image_id": image, "file_name": name, "segments_info": segments(ids)}


def expected(ids: Any, classes: dict[str, str] = CLASSES) -> Any:
    names = {one: classes.get(str(label), "_background") for one, label in IDS.items()}
    return np.vectorize(lambda one: names.get(int(one), "_background"), otypes=[object])(ids)


def write(folder: Path, annotations: Any, pngs: dict[str, bytes], stem: str = "results") -> Path:
    """A JSON, and the PNGs in the folder beside it that is called as it is."""
    (folder / stem).mkdir(exist_ok=True)
    for name, png in pngs.items():
        (folder / stem / name).write_bytes(png)
    return write_json(
        folder / f"{stem}.json", {"images": [], "annotations": annotations, "categories": CATEGORIES}
    )


def of_panoptic(folder: Path, annotations: Any, pngs: dict[str, bytes], **options: Any) -> tuple[Found, Any]:
    """The document of image 5, or the reason why there is none; and the counts."""
    sizes = options.pop("sizes", {})
    given = {"format": "panoptic", "classes": CLASSES} | options
    source = opened(write(folder, annotations, pngs), one_scene_each(folder, [5], **sizes), **given)
    return documents(source)[scene(0)], source.counts


def check_segments(folder: Path) -> None:
    """Hold the pixels of segments to what numpy says."""
    for seed in range(5):
        ids = drawn(seed)
        found, counts = of_panoptic(folder, [annotation(ids)], {"five.png": coloured(ids)})
        assert counts.is_clean
        assert counts.taken == len(IDS)
        assert (names_in(found) == expected(ids)).all()


def test_pixels_have_the_class_of_their_segment(tmp_path: Path) -> None:
    check_segments(tmp_path)


def test_names_of_categories_are_taken_from_the_file_or_from_annotations(tmp_path: Path) -> None:
    """Though they stand behind the annotations; the order of levels is theirs without a classes file."""
    ids = drawn()
    by_name = {"person": "Pedestrian", "car": "PassengerCar", "184": "Tree"}
    wanted = {"1": "Pedestrian", "3": "PassengerCar", "184": "Tree"}
    pngs = {"five.png": coloured(ids)}
    found, _ = of_panoptic(tmp_path, [annotation(ids)], pngs, classes=by_name)
    assert (names_in(found) == expected(ids, wanted)).all()
    found, _ = of_panoptic(tmp_path, [annotation(ids)], pngs, classes=None)
    assert list(found["ontologies"]["0"]["classifications"].values()) == [
        "_background",
        "person",
        "car",
        "tree",
    ]
    bare = write_json(tmp_path / "results.json", {"annotations": [annotation(ids)]})
    categories = write_json(tmp_path / "categories.json", {"categories": CATEGORIES})
    source = opened(
        bare,
        one_scene_each(tmp_path, [5]),
        format="panoptic",
        classes=by_name,
        arguments={"annotations": categories},
    )
    assert (names_in(documents(source)[scene(0)]) == expected(ids, wanted)).all()
    with pytest.raises(KognicInputError, match="no JSON of categories"):
        opened(
            bare,
            one_scene_each(tmp_path, [5]),
            format="panoptic",
            arguments={"annotations": write_json(tmp_path / "categories.json", {"categories": [1]})},
        )


@pytest.mark.parametrize("where", ["stem", "beside", "argument"])
def test_pngs_are_found(tmp_path: Path, where: str) -> None:
    ids = drawn()
    place = {"stem": tmp_path / "results", "beside": tmp_path, "argument": tmp_path / "elsewhere"}[where]
    place.mkdir(exist_ok=True)
    (place / "five.png").write_bytes(coloured(ids))
    results = write_json(tmp_path / "results.json", {"annotations": [annotation(ids)]})
    arguments = {"png_folder": str(place)} if where == "argument" else {}
    source = opened(
        results, one_scene_each(tmp_path, [5]), format="panoptic", classes=CLASSES, arguments=arguments
    )
    assert (names_in(documents(source)[scene(0)]) == expected(ids)).all()


def test_filters_are_applied_to_segments(tmp_path: Path) -> None:
    """What is left out is background."""
    ids = drawn()
    one = annotation(ids)
    for segment in one["segments_info"]:
        segment["score"] = 0.9 if segment["category_id"] == 3 else 0.2
    for options in ({"min_confidence": 0.5}, {"classes_only": ["Car"]}, {"max_per_frame": 2}):
        found, counts = of_panoptic(tmp_path, [one], {"five.png": coloured(ids)}, **options)
        assert (names_in(found) == expected(ids, {"3": "Car"})).all()
        assert sum(counts.skipped.values()) == 3


def test_an_image_without_segments_is_an_empty_scene(tmp_path: Path) -> None:
    nothing = np.zeros((HEIGHT, WIDTH), int)
    source = opened(
        write(tmp_path, [annotation(nothing)], {"five.png": coloured(nothing)}),
        one_scene_each(tmp_path, [5]),
        format="panoptic",
        classes=CLASSES,
    )
    assert documents(source) == {}
    assert source.counts.empty_scenes == 1
    assert source.counts.unseen_keys == 0
    assert source.counts.is_clean


def test_what_does_not_go_together_is_named_and_the_rest_goes_up(tmp_path: Path) -> None:
    """Each in the row of its annotation, with the segment's id."""
    ids = drawn()
    one, other, third, fourth, fifth = segments(ids)
    given = [
        one | {"area": one["area"] + 1},
        other | {"category_id": 99},
        third,
        third,
        {"id": 12345, "category_id": 1},
        fourth,
    ]
    wrong = annotation(ids) | {"segments_info": given}
    found, counts = of_panoptic(tmp_path, [wrong], {"five.png": coloured(ids)})
    kept = np.where(np.isin(ids, [third["id"], fourth["id"]]), ids, 0)
    assert (names_in(found) == expected(kept)).all()
    assert counts.refused == dict.fromkeys(
        ("area", "unknown_class", "duplicate_segment", "no_pixels", "unnamed_segment"), 1
    )
    for texts in counts.named.values():
        assert all(f"{tmp_path / 'results.json'}, row 1, key 5: " in text for text in texts)
    assert f"segment {one['id']}: 'area' is {one['area'] + 1}" in counts.named["area"][0]
    assert f"{fifth['area']:,} pixels of id {fifth['id']}" in counts.named["unnamed_segment"][0]


def test_a_png_that_is_missing_or_none_is_named(tmp_path: Path) -> None:
    ids = drawn()
    good = coloured(ids)
    grey = png_of(ids.astype(np.uint8))
    rows = [annotation(ids, number, f"{number}.png") for number in range(5)]
    pngs = {"0.png": good, "1.png": good[:-20], "2.png": grey, "3.png": coloured(ids.T)}
    source = opened(
        write(tmp_path, rows, pngs),
        one_scene_each(tmp_path, range(5), image_width=WIDTH, image_height=HEIGHT),
        format="panoptic",
        classes=CLASSES,
    )
    found = documents(source)
    assert [isinstance(found[scene(n)], dict) for n in range(5)] == [True, False, False, False, False]
    assert source.counts.refused == {"broken_png": 2, "mask_size": 1, "no_png": 1}
    texts = [text for texts in source.counts.named.values() for text in texts]
    for number in range(1, 5):
        assert any(f"row {number + 1}, key {number}: " in text for text in texts)
    assert "4.png" in source.counts.named["no_png"][0]
    assert "24 x 40 pixels does not fit an image of 40 x 24" in source.counts.named["mask_size"][0]


def test_masks_are_scaled_where_that_is_asked_for(tmp_path: Path) -> None:
    ids = drawn()
    found, _ = of_panoptic(
        tmp_path,
        [annotation(ids)],
        {"five.png": coloured(ids)},
        sizes={"image_width": 3 * WIDTH, "image_height": 2 * HEIGHT},
        arguments={"scale": "nearest"},
    )
    assert (names_in(found) == expected(ids.repeat(2, axis=0).repeat(3, axis=1))).all()


def test_an_image_twice_and_one_without_a_scene_are_named(tmp_path: Path) -> None:
    ids = drawn()
    rows = [annotation(ids), annotation(ids), annotation(ids, 6, "missing.png")]
    found, counts = of_panoptic(tmp_path, rows, {"five.png": coloured(ids)})
    assert (names_in(found) == expected(ids)).all()
    assert counts.refused == {"duplicate_key": 1, "no_scene": 1}
    assert "row 2, key 5" in counts.named["duplicate_key"][0]
    assert "row 3, key 6" in counts.named["no_scene"][0]


@pytest.mark.parametrize(
    "name", ["/etc/five.png", "../five.png", "a/../../five.png", "", 7, None, "c:\\five.png"]
)
def test_files_are_those_of_the_folder(tmp_path: Path, name: Any) -> None:
    ids = drawn()
    (tmp_path / "five.png").write_bytes(coloured(ids))
    found, counts = of_panoptic(tmp_path, [annotation(ids, name=name)], {})
    assert found == "bad_row"
    assert "'file_name' is" in counts.named["bad_row"][0]


def test_it_is_recognised_for_certain(tmp_path: Path) -> None:
    ids = drawn()
    table = one_scene_each(tmp_path, [5])
    found = opened(write(tmp_path, [annotation(ids)], {"five.png": coloured(ids)}), table, format=None)
    assert len(documents(found)) == 1
    others: list[Any] = [{"annotations": [{"segmentation": []}]}, {"images": [], "categories": []}, [1]]
    for other in others:
        with pytest.raises(KognicInputError, match="cannot be told for certain"):
            opened(write_json(tmp_path / "o.json", other), table, format=None)


def test_the_bytes_of_a_document_are_kept() -> None:
    """Other bytes for the same input would make every finished upload a changed one."""
    source = opened(
        DATA / "panoptic.json",
        DATA / "scenes_of_masks.csv",
        classes=DATA / "classes_of_masks.json",
        format="panoptic",
    )
    (entry,) = (entry for entry in source if isinstance(entry, Prediction))
    assert entry.read() == (DATA / "panoptic_documents" / f"{entry.scene_uuid}.json").read_bytes()
    assert json.loads(entry.read())


@pytest.mark.parametrize("named", [False, True])
def test_the_folder_of_the_pngs_is_one_that_is_read(tmp_path: Path, named: bool) -> None:  # noqa: FBT001
    """What is in another one beside it, nobody knows."""
    ids = drawn()
    given = tmp_path / "in"
    given.mkdir()
    write(given, [annotation(ids)], {"five.png": coloured(ids)})
    rows = one_scene_each(tmp_path, [5, 6])
    options = {"arguments": {"png_folder": given / "results"}} if named else {}
    for others in (0, 1):
        source = opened(given, rows, format="panoptic", classes=CLASSES, empty_scenes="send", **options)
        found = documents(source)
        assert found[scene(0)] != "unreadable"
        assert (found[scene(1)] == "unreadable") == (others == 1)
        assert len(source.counts.named.get("not_read", [])) == others
        (given / "other").mkdir(exist_ok=True)


@pytest.mark.parametrize("image", [5, "5", "5.0"])
def test_an_id_that_a_data_frame_wrote_as_a_float_is_that_id(tmp_path: Path, image: Any) -> None:
    ids = drawn()
    results = write(tmp_path, [annotation(ids, image)], {"five.png": coloured(ids)})
    rows = one_scene_each(tmp_path, ["5.0"])
    source = opened(results, rows, format="panoptic", classes=CLASSES, empty_scenes="send")
    assert source.counts.is_clean
    (document,) = documents(source).values()
    assert document["objects"]
