"""The classes of one document: of a prediction those that the check finds, of an annotation whatever is in it."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings

from airflow_provider_kognic.core.classes.counts import ClassCount
from airflow_provider_kognic.core.classes.documents import classes_in
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.openlabel import check
from tests.core.classes.support import bitmap, boxed, dumped, encoded, picture
from tests.core.documents import boxes, documents, encode, mutants, png


def counted(document: Any) -> dict[str, ClassCount]:
    return classes_in(dumped(document)).classes


def test_a_bitmaps_classes_are_counted_where_they_are_painted() -> None:
    """And are there where they are only declared: a class mapping has to name them, too."""
    found = classes_in(dumped(bitmap({0: "_background", 7: "road", 9: "tree"}, [0, 7])))
    assert found.classes == {
        "_background": ClassCount(1, 0, 1, Counter(image=1)),
        "road": ClassCount(1, 0, 1, Counter(image=1)),
        "tree": ClassCount(1, 0, 0),
    }
    assert (found.segmentation, found.undecoded, found.frames) == (True, 0, 1)


def test_geometries_are_counted_by_class_and_kind() -> None:
    assert counted(boxes()) == {"Car": ClassCount(1, 1, 2, Counter(bbox=2, cuboid=2))}
    assert counted(boxed("Car", "Car", "Pedestrian", frames=3)) == {
        "Car": ClassCount(1, 2, 3, Counter(bbox=6)),
        "Pedestrian": ClassCount(1, 1, 3, Counter(bbox=3)),
    }


def test_an_annotation_may_have_what_a_prediction_may_not() -> None:
    """Polygons, no attributes, properties beside geometries, objects without a type: it counts what there is."""
    document = boxed("Car", "Lane")
    data = document["openlabel"]["frames"]["0"]["objects"]
    data["1"]["object_data"] = {"poly2d": [{"name": "lane", "val": [1, 2, 3, 4]}], "text": [{"val": "wet"}]}
    data["2"] = {"object_data": {"bbox": [{}]}}
    document["openlabel"]["objects"]["3"] = {"name": "nothing"}
    document["openlabel"]["objects"]["4"] = {"name": "blank", "type": " "}
    assert not check(dumped(document)).valid
    assert counted(document) == {
        "Car": ClassCount(1, 1, 1, Counter(bbox=1)),
        "Lane": ClassCount(1, 1, 1, Counter(poly2d=1)),
    }


def test_a_class_of_a_bitmap_may_be_called_anything() -> None:
    """Also as the type is that says that an object is a bitmap."""
    found = counted(bitmap({0: "segmentation_bitmap", 7: "road"}))
    assert {name: count.geometries["image"] for name, count in found.items()} == {
        "segmentation_bitmap": 1,
        "road": 1,
    }


@pytest.mark.parametrize("classifications", [{"9" * 5000: "road"}, {"road": "9" * 5000}, {"road": 10**400}])
def test_a_level_of_thousands_of_digits_is_none_that_is_painted(classifications: Any) -> None:
    document = bitmap({0: "road"})
    document["openlabel"]["ontologies"]["0"]["classifications"] = classifications
    assert counted(document) == {"road": ClassCount(1)}


@pytest.mark.parametrize(
    "classifications",
    [
        {"0": "_background", "7": "road"},
        {"0": {"name": "_background"}, "7": {"name": "road"}},
        {"_background": 0, "road": 7},
        {"_background": "0", "road": "7"},
    ],
)
def test_an_ontology_may_be_written_either_way_round(classifications: Any) -> None:
    """Kognic wrote the class before the level until April 2024."""
    document = bitmap({0: "_background", 7: "road"})
    document["openlabel"]["ontologies"]["0"]["classifications"] = classifications
    assert {name: count.geometries["image"] for name, count in counted(document).items()} == {
        "_background": 1,
        "road": 1,
    }


@pytest.mark.parametrize(
    "value", [encoded(png(8, 4, levels=[0, 7], depth=16)), encoded(b"no PNG"), "no base64", None, 7]
)
def test_a_bitmap_that_cannot_be_decoded_still_declares_its_classes(value: Any) -> None:
    document = bitmap({0: "_background", 7: "road"})
    picture(document)["val"] = value
    found = classes_in(dumped(document))
    assert found.classes == {"_background": ClassCount(1), "road": ClassCount(1)}
    assert found.undecoded == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not_json"),
        (b"<html>", "not_json"),
        (b'{"openlabel": {', "not_json"),
        (b"[]", "no_openlabel"),
        (b'{"openlabel": []}', "no_openlabel"),
        (b'{"data": {}}', "no_openlabel"),
        (b'{"openlabel": {"objects": {"1": "\xff"}}}', "not_json"),
        (b'{"openlabel": {"frames": {"0": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}}", "not_json"),
        (b'{"openlabel": {"objects": [' + b"0," * 1_000_001 + b"0]}}", "too_large"),
    ],
)
def test_what_cannot_be_read_is_refused_by_what_it_is(content: bytes, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        classes_in(content)
    assert caught.value.reason == reason


@given(documents())
@settings(max_examples=60, deadline=None)
def test_of_a_valid_prediction_it_finds_the_classes_that_the_check_finds(document: dict[str, Any]) -> None:
    found, checked = classes_in(encode(document)), check(encode(document))
    assert checked.valid
    assert set(found.classes) == checked.classes
    drawn: Counter[str] = Counter()
    for frame in document["openlabel"]["frames"].values():
        for item in (frame.get("objects") or {}).values():
            data = item.get("object_data") or {}
            drawn.update({kind: len(data[kind]) for kind in ("bbox", "cuboid") if data.get(kind)})
    counts = sum((count.geometries for count in found.classes.values()), Counter())
    assert {kind: counts[kind] for kind in ("bbox", "cuboid")} == {
        kind: drawn[kind] for kind in ("bbox", "cuboid")
    }


@given(mutants())
@settings(max_examples=100, deadline=None)
def test_of_anything_it_finds_something_or_refuses_it(document: dict[str, Any]) -> None:
    """Annotations are read as they come: nothing in one ends a survey."""
    try:
        found = classes_in(encode(document))
    except Refused:
        return
    assert all(name.strip() for name in found.classes)
    assert all(count.documents == 1 and count.objects >= 0 for count in found.classes.values())
