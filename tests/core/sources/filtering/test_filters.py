"""Filters of documents that are OpenLABEL already."""

import copy
import json
import tracemalloc
from pathlib import Path

import pytest

from airflow_provider_kognic.core.models import Prediction
from airflow_provider_kognic.core.openlabel import check
from airflow_provider_kognic.core.sources.filtering.documents import FilteredSource, filter_document
from airflow_provider_kognic.core.sources.filtering.filters import Filters
from airflow_provider_kognic.core.sources.formats.opening import open_model_source
from airflow_provider_kognic.core.sources.formats.options import FormatOptions
from tests.core.documents import boxes, encode
from tests.core.sources.converting.support import scene


def test_what_is_not_sure_enough_goes(tmp_path: Path) -> None:
    """With the object, where nothing else of it is left; the rest stays as it was."""
    document = boxes()
    sure = copy.deepcopy(document["openlabel"]["objects"])
    document["openlabel"]["objects"]["1"] = {"name": "x", "type": "Person"}
    objects = document["openlabel"]["frames"]["0"]["objects"]
    objects["1"] = copy.deepcopy(next(iter(objects.values())))
    del objects["1"]["object_data"]["cuboid"]
    (tmp_path / f"{scene(0)}.json").write_bytes(encode(document))
    options = FormatOptions(min_confidence={"Person": 0.9})
    source = open_model_source(tmp_path, None, options, resolve=Path)
    assert isinstance(source, FilteredSource)
    assert source.total == 1
    for _ in range(2):
        (entry,) = source
        assert isinstance(entry, Prediction)
        raw = entry.read()
        assert entry.read() == raw
        assert check(raw).valid
        assert json.loads(raw)["openlabel"]["objects"] == sure
    assert source.skipped == {"min_confidence": 2}


def test_of_each_stream_the_surest_stay() -> None:
    document = boxes()
    data = next(iter(document["openlabel"]["frames"]["0"]["objects"].values()))["object_data"]
    data["bbox"] += [copy.deepcopy(data["bbox"][0]) for _ in range(2)]
    for box, confidence in zip(data["bbox"], (0.5, 0.9, 0.9), strict=True):
        box["attributes"]["num"][0]["val"] = confidence
    filtered, skipped, *_ = filter_document(encode(document), Filters(max_per_frame=1))
    assert skipped == {"max_per_frame": 2}
    found = next(iter(json.loads(filtered)["openlabel"]["frames"]["0"]["objects"].values()))["object_data"]
    assert [box["attributes"]["num"][0]["val"] for box in found["bbox"]] == [0.9]
    assert len(found["cuboid"]) == 1


def test_what_is_whole_or_none_stays_byte_for_byte() -> None:
    """What is none is for the checks to say."""
    whole = encode(boxes())
    for raw in (whole, b"{", b'{"openlabel": []}', b'{"openlabel": {"frames": {"0": 1}}}'):
        assert filter_document(raw, Filters(min_confidence=0.5, max_per_frame=1))[:2] == (raw, {})


def test_only_some_classes_stay() -> None:
    filtered, skipped, emptied, classes = filter_document(encode(boxes()), Filters(classes_only=("Person",)))
    assert skipped == {"classes_only": 4}
    assert emptied
    assert classes == {"Car"}
    assert json.loads(filtered)["openlabel"]["objects"] == {}
    assert check(filtered).valid


@pytest.mark.parametrize("twice", ["frame", "object", "kind", "root", "section"])
def test_what_stands_in_a_document_twice_is_not_hidden_from_the_checks(twice: str) -> None:
    """Whoever reads JSON takes the last of two, and would write a document of which nothing is wrong any more."""
    document = boxes()
    name = next(iter(document["openlabel"]["objects"]))
    key = {"frame": "0", "object": name, "kind": "bbox", "root": name, "section": "streams"}[twice]
    text = json.dumps(document)
    at = text.rindex(f'"{key}": ') if twice == "root" else text.index(f'"{key}": ')
    _, end = json.JSONDecoder().raw_decode(text, at + len(key) + 4)
    raw = f"{text[:end]}, {text[at:end]}{text[end:]}".encode()
    assert "duplicate_key" in {issue.rule.identifier for issue in check(raw).issues}
    assert filter_document(raw, Filters(classes_only=("Person",)))[:2] == (raw, {})


def test_an_object_stays_as_long_as_a_frame_has_it() -> None:
    """And bitmaps stay, and all else that a document has, in its order."""
    document = boxes()
    frames, objects = document["openlabel"]["frames"], document["openlabel"]["objects"]
    name = next(iter(objects))
    frames["1"] = copy.deepcopy(frames["0"])
    frames["1"]["frame_properties"]["timestamp"] = 100
    for one in frames["1"]["objects"][name]["object_data"]["bbox"]:
        one["attributes"]["num"] = []  # counts as 1
    objects["painted"] = {"name": "a:b", "type": "segmentation_bitmap"}
    del frames["0"]["objects"][name]["object_data"]["cuboid"]
    frames["0"]["objects"]["painted"] = {"object_data": {"image": [{"val": "1"}]}}
    filtered, skipped, emptied, _ = filter_document(encode(document), Filters(min_confidence={"Car": 1}))
    found = json.loads(filtered)["openlabel"]
    assert skipped == {"min_confidence": 1}
    assert not emptied
    assert list(found["objects"]) == list(objects)
    assert list(found["frames"]["0"]["objects"]) == ["painted"]
    assert list(found["frames"]["1"]["objects"][name]["object_data"]) == ["bbox", "cuboid"]


def test_a_document_of_many_frames_takes_a_few_times_its_bytes() -> None:
    """As Python's objects it would take ten times as many, in each of several threads."""
    document = boxes()
    frame = document["openlabel"]["frames"]["0"]
    for number in range(1, 4000):
        copied = {**frame, "frame_properties": {**frame["frame_properties"], "timestamp": number}}
        document["openlabel"]["frames"][str(number)] = copied
    raw = encode(document)
    del document
    tracemalloc.start()
    try:
        _, skipped, *_ = filter_document(raw, Filters(classes_only=("Person",)))
        assert tracemalloc.get_traced_memory()[1] < 5 * len(raw)
    finally:
        tracemalloc.stop()
    assert skipped["classes_only"] == 8000


def test_classes_that_nothing_has_are_named() -> None:
    filters = Filters(min_confidence={"Cra": 0.5, "*": 0.1, "Van": 0}, classes_only=("Car", "Bsu"))
    said = filters.unmet({"Car", "Van"})
    assert [text.partition(",")[0] for text in said] == [
        "min_confidence names 'Cra'",
        "classes_only names 'Bsu'",
    ]
