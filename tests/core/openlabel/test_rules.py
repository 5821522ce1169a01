"""Every rule is told where it is broken, and nowhere else."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_kognic.core.openlabel import accept, check, explain, issues, rules
from airflow_provider_kognic.core.openlabel.scene_rules import SCENE_RULES
from tests.core.documents import boxes, documents, encode, png, segmentation
from tests.core.openlabel.reference import kognic_openlabel_takes
from tests.core.openlabel.rule_cases import CASES, Case, base, document_of, faults_of

slowly = settings(deadline=None, suppress_health_check=list(HealthCheck))

Path = issues.Path


def test_every_rule_has_documents_that_keep_it_and_documents_that_break_it() -> None:
    assert [case.rule for case in CASES if case.keep and case.breaks] == [case.rule for case in CASES]
    assert {case.rule for case in CASES} == {rule.identifier for rule in rules.RULES}
    assert len(rules.BY_IDENTIFIER) == len(rules.RULES) + len(rules.ENTRY_RULES) + len(SCENE_RULES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_rule_is_broken_where_it_is_and_nowhere_else(case: Case) -> None:
    assert list(faults_of(check, [case])) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_the_same_is_found_frame_by_frame(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large documents are read a frame at a time; here, small ones are."""
    monkeypatch.setattr(accept, "WHOLE_BYTES_ACCEPT", 0)
    monkeypatch.setattr(explain, "WHOLE_BYTES_EXPLAIN", 0)
    for document in case.keep:
        assert check(document_of(document)).valid
    for document, path in case.breaks:
        found = check(document_of(document))
        assert found.valid == (rules.BY_IDENTIFIER[case.rule].severity is rules.Severity.WARNING)
        if case.rule in FRAME_BY_FRAME:
            continue  # said of the whole document
        assert (case.rule, path) in [(issue.rule.identifier, issue.path) for issue in found.issues]


# Where a large document is no JSON, or has odd keys around its frames, that is said without the exact place.
FRAME_BY_FRAME = {
    "not_json",
    "duplicate_key",
    "not_finite",
    "too_large",
    "no_openlabel",
    "unknown_key",
    "no_frames",
}
FRAME_BY_FRAME |= {"wrong_type"}


def changes(document: dict[str, Any]) -> Iterator[tuple[str, Path, Any]]:
    """Yield for each rule what to put where in a valid document so that it is broken there; LEFT_OUT removes."""
    openlabel = document["openlabel"]
    yield "schema_version", ("metadata", "schema_version"), "1.1.0"
    yield "missing_key", ("metadata",), LEFT_OUT
    yield "unknown_key", ("mine",), 1
    yield "not_finite", ("metadata", "mine"), float("nan")
    yield "too_large", ("metadata", "mine"), json.loads("[" * 120 + "]" * 120)
    yield "no_frames", ("frames",), {}
    yield "wrong_id", ("objects", "car1"), {"name": "", "type": "Car"}
    yield "wrong_value", ("frames", "0", "frame_properties", "streams"), {"CAM": {"type": "sonar"}}
    for name in openlabel["streams"]:
        yield "stream_type", ("streams", name, "type"), "sonar"
    for name in used_streams(openlabel):
        yield "lidar_name", ("streams", name, "type"), "radar" if name == "@lidar" else "lidar"
    for name in openlabel["objects"]:
        yield "object_type", ("objects", name, "type"), ""
        yield "wrong_type", ("objects", name, "name"), 5
        yield "geometry_static", ("objects", name, "object_data"), {"cuboid": [{}]}
    yield "classifications", ("ontologies", "0", "classifications", "256"), "x"
    stamps = []
    for name, frame in openlabel["frames"].items():
        stamp = ("frames", name, "frame_properties", "timestamp")
        stamps.append(frame["frame_properties"]["timestamp"])
        yield "timestamp_missing", stamp, LEFT_OUT
        yield "timestamp_value", stamp, 0.5
        if len(stamps) > 1:
            yield "timestamp_repeated", stamp, stamps[0]
        yield "frame_repeated", ("frames", f"0{name}"), {"frame_properties": {"timestamp": 2**53 - 1}}
        yield "object_undeclared", ("frames", name, "objects"), {"999999999": {}}
        for item, data in frame.get("objects", {}).items():
            where = ("frames", name, "objects", item, "object_data")
            yield "geometry_unsupported", where, data.get("object_data", {}) | {"rbbox": [{}]}
            for kind in ("bbox", "cuboid", "image"):
                for index, geometry in enumerate(data.get("object_data", {}).get(kind, [])):
                    yield from geometry_changes(item, kind, geometry, (*where, kind, index))


def used_streams(openlabel: dict[str, Any]) -> set[str]:
    """The streams that geometries lie on."""
    return {
        attribute["val"]
        for frame in openlabel["frames"].values()
        for item in frame.get("objects", {}).values()
        for kind in ("bbox", "cuboid", "image")
        for geometry in item.get("object_data", {}).get(kind, [])
        for attribute in geometry["attributes"]["text"]
        if attribute.get("name") == "stream"
    }


def geometry_changes(
    item: str, kind: str, geometry: dict[str, Any], where: Path
) -> Iterator[tuple[str, Path, Any]]:
    """The same for one geometry."""
    texts = geometry["attributes"]["text"]
    stream = next(index for index, given in enumerate(texts) if given.get("name") == "stream")
    place = (*where, "attributes", "text", stream)
    yield "stream_missing", (*where, "attributes", "text"), texts[:stream] + texts[stream + 1 :]
    yield "stream_undeclared", (*place, "val"), "no such stream"
    if kind == "image":
        yield "stream_mismatch", (*place, "val"), "@lidar"
        yield "bitmap_object", ("objects", item, "type"), "road"
        yield "bitmap_form", (*where, "encoding"), "hex"
        yield "bitmap_base64", (*where, "val"), ""
        yield "bitmap_png", (*where, "val"), geometry["val"][:-8]
        yield "bitmap_level", (*where, "val"), base(png(3, 3, levels=[250]))
        yield "no_classifications", ("ontologies",), LEFT_OUT
        return
    yield "confidence", (*where, "attributes", "num"), [{"name": "confidence", "val": 1.5}]
    yield f"{kind}_values", (*where, "val"), geometry["val"][:-1]
    yield f"{kind}_size", (*where, "val", len(geometry["val"]) - 1), 0
    if kind == "cuboid":
        yield "cuboid_rotation", (*where, "val", 3), 7
    else:
        yield "stream_mismatch", (*place, "val"), "@lidar"


LEFT_OUT = object()
# The path of what is said, where it is not that of what is changed.
ELSEWHERE: dict[str, Callable[[Path], Path]] = {
    "confidence": lambda path: (*path, 0, "val"),
    "cuboid_rotation": lambda path: path[:-1],
    "geometry_static": lambda path: (*path, "cuboid"),
    "geometry_unsupported": lambda path: (*path, "rbbox"),
    "lidar_name": lambda path: path[:-1],
    "object_undeclared": lambda path: (*path, "999999999"),
    "wrong_value": lambda path: (*path, "CAM", "type"),
}


@settings(slowly, max_examples=40)
@given(documents())
def test_a_valid_document_that_is_changed_against_any_rule_is_caught_there(document: dict[str, Any]) -> None:
    for rule, place, value in changes(document):
        changed = copy.deepcopy(document)
        holder: Any = changed["openlabel"]
        for part in place[:-1]:
            holder = holder[part]
        if value is LEFT_OUT:
            del holder[place[-1]]
        else:
            holder[place[-1]] = value
        path = issues.show_path(("openlabel", *(ELSEWHERE[rule](place) if rule in ELSEWHERE else place)))
        found = check(encode(changed))
        assert not found.valid
        if rule == "too_large":
            assert found.issues[0].path == "openlabel.metadata.mine[0]"
            continue
        assert (rule, path) in [(issue.rule.identifier, issue.path) for issue in found.issues]


@settings(slowly, max_examples=60)
@given(documents(), st.data())
def test_a_stream_that_no_geometry_uses_refuses_nothing(
    document: dict[str, Any], data: st.DataObject
) -> None:
    """Whatever sensor it is, and by both ways to read a document; what kognic-openlabel takes is sent."""
    openlabel = document["openlabel"]
    unused = ["FRONT", "LIDAR", "@lidar", *openlabel["streams"]]
    unused = [name for name in unused if name not in used_streams(openlabel)]
    for name in data.draw(st.lists(st.sampled_from(unused), unique=True)):
        kind = data.draw(st.sampled_from(["camera", "lidar", "radar", "gps_imu", "other", None]))
        openlabel["streams"][name] = {"type": kind} if kind or data.draw(st.booleans()) else {}
    content = encode(document)
    kognic_openlabel_takes(content)
    found = check(content)
    assert found.valid, found.issues
    if accept.accept(content) is not None:
        explained = issues.Issues()
        explain.explain(content, explained)
        assert not explained.counts


def test_the_changes_break_every_rule_that_can_be_broken_in_a_value() -> None:
    """The others are about the document as a whole, or warn."""
    broken = {rule for made in (boxes(), segmentation()) for rule, _, _ in changes(made)}
    errors = {rule.identifier for rule in rules.RULES if rule.severity is rules.Severity.ERROR}
    assert errors - broken == {"not_json", "duplicate_key", "no_openlabel", "no_streams", "no_objects"}
