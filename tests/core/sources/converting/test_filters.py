"""Filters of documents that are OpenLABEL already."""

import copy
import json
from pathlib import Path

from airflow_provider_kognic.core.models import Prediction
from airflow_provider_kognic.core.openlabel import check
from airflow_provider_kognic.core.sources.converting.filters import FilteredSource, Filters, filter_document
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
    filtered, skipped = filter_document(encode(document), Filters(max_per_frame=1))
    assert skipped == {"max_per_frame": 2}
    found = next(iter(json.loads(filtered)["openlabel"]["frames"]["0"]["objects"].values()))["object_data"]
    assert [box["attributes"]["num"][0]["val"] for box in found["bbox"]] == [0.9]
    assert len(found["cuboid"]) == 1


def test_what_is_whole_or_none_stays_byte_for_byte() -> None:
    """What is none is for the checks to say."""
    whole = encode(boxes())
    for raw in (whole, b"{", b'{"openlabel": []}', b'{"openlabel": {"frames": {"0": 1}}}'):
        assert filter_document(raw, Filters(min_confidence=0.5, max_per_frame=1)) == (raw, {})


def test_only_some_classes_stay() -> None:
    filtered, skipped = filter_document(encode(boxes()), Filters(classes_only=("Person",)))
    assert skipped == {"classes_only": 4}
    assert json.loads(filtered)["openlabel"]["objects"] == {}
    assert check(filtered).valid
