"""What the checker finds in a document: every rule, every fault, nothing that is not there."""

import copy
import json
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.openlabel import accept as quick
from airflow_provider_kognic.core.openlabel import check, check_content, rules
from airflow_provider_kognic.core.openlabel import explain as thorough
from airflow_provider_kognic.core.openlabel import issues as findings
from airflow_provider_kognic.core.openlabel.decoding import pieces
from tests.core.documents import BOX, boxes, documents, encode, mutants, png, put, segmentation
from tests.core.openlabel.rulebook import CASES, Case, base, document_of, faults_of, with_frames

Path = findings.Path
slowly = settings(deadline=None, suppress_health_check=list(HealthCheck))


def kognic_openlabel_takes(document: bytes) -> None:
    """Raise pydantic's ValidationError if kognic-openlabel does not take a document."""
    from kognic.openlabel.models import OpenLabelAnnotation

    OpenLabelAnnotation.model_validate_json(document)


def test_every_rule_has_documents_that_keep_it_and_documents_that_break_it() -> None:
    assert [case.rule for case in CASES if case.keep and case.breaks] == [case.rule for case in CASES]
    assert {case.rule for case in CASES} == {rule.identifier for rule in rules.RULES}
    assert len(rules.BY_IDENTIFIER) == len(rules.RULES) + len(rules.ENTRY_RULES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_rule_is_broken_where_it_is_and_nowhere_else(case: Case) -> None:
    assert list(faults_of(check, [case])) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_the_same_is_found_in_pieces(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large documents are read a frame at a time; here, small ones are."""
    monkeypatch.setattr(quick, "WHOLE_BYTES_QUICK", 0)
    monkeypatch.setattr(thorough, "WHOLE_BYTES_THOROUGH", 0)
    for document in case.keep:
        assert check(document_of(document)).valid
    for document, path in case.breaks:
        found = check(document_of(document))
        assert found.valid == (rules.BY_IDENTIFIER[case.rule].severity is rules.Severity.WARNING)
        if case.rule in IN_PIECES:
            continue  # said of the whole document
        assert (case.rule, path) in [(issue.rule.identifier, issue.path) for issue in found.issues]


# Where a large document is no JSON, or has odd keys around its pieces, that is said without the exact place.
IN_PIECES = {
    "not_json",
    "duplicate_key",
    "not_finite",
    "too_large",
    "no_openlabel",
    "unknown_key",
    "no_frames",
}
IN_PIECES |= {"wrong_type"}


def test_all_faults_are_told_at_once() -> None:
    document = with_frames(0, 100, 100)
    document = put(document, f"{BOX}.val", [1, 2, -3, 4])
    document = put(document, f"{BOX}.attributes.num[0].val", 95)
    document = put(document, "openlabel.metadata.schema_version", "2")
    document = put(document, "openlabel.frames.2.objects", {"9": {"object_data": {"poly2d": [{}]}}})
    found = check(encode(document))
    assert {issue.rule.identifier: issue.path for issue in found.issues} == {
        "schema_version": "openlabel.metadata.schema_version",
        "bbox_size": f"{BOX}.val[2]",
        "confidence": f"{BOX}.attributes.num[0].val",
        "timestamp_repeated": "openlabel.frames.2.frame_properties.timestamp",
        "object_undeclared": "openlabel.frames.2.objects.9",
        "geometry_unsupported": "openlabel.frames.2.objects.9.object_data.poly2d",
    }
    assert (found.errors, found.warnings, found.valid) == (6, 0, False)


def test_of_each_rule_ten_are_listed_and_all_are_counted() -> None:
    document = put(with_frames(*range(0, 50_000, 100)), "openlabel.metadata.schema_version", "2")
    document = put(document, "openlabel.streams.CAM.type", "radar")
    found = check(encode(document).replace(b'"val": [10, ', b'"val": ["", '))
    assert found.counts["bbox_values"] == 500
    listed = [issue for issue in found.issues if issue.rule.identifier == "bbox_values"]
    assert len(listed) == findings.LISTED
    assert {"schema_version", "stream_type"} <= {issue.rule.identifier for issue in found.issues}


def test_a_million_faults_take_no_memory() -> None:
    document = encode(boxes()).replace(b'"external_id": ""', b'"a": [%s]' % b",".join([b"1e999"] * 150_000))
    check(document[:100])
    tracemalloc.start()
    found = check(document)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.counts == {"not_finite": findings.COUNTED, "too_large": 1}
    assert peak < 30 * len(document)
    assert sum(len(issue.found) + len(issue.path) for issue in found.issues) < 10_000


def test_warnings_refuse_nothing_and_come_last() -> None:
    document = put(with_frames(5), f"{BOX}.val[2]", 0)
    found = check(encode(document))
    assert [issue.rule.identifier for issue in found.issues] == ["bbox_size", "single_frame"]
    found = check(encode(with_frames(5)))
    assert found.valid
    assert (found.errors, found.warnings) == (0, 1)


def test_the_classes_are_the_types_and_those_of_the_ontology() -> None:
    both = segmentation()
    both["openlabel"]["objects"]["2"] = {"name": "", "type": "Tram"}
    assert check(encode(both)).classes == {"_background", "road", "Tram"}
    broken = put(both, "openlabel.metadata", {})
    assert check(encode(broken)).classes == {"_background", "road", "Tram"}
    assert check(b"").classes == frozenset()


def test_what_is_shown_of_a_document_is_short_and_printable() -> None:
    nasty = "\x1b[31m\u202e\ud800\x9b" + "x" * 10_000
    document = put(boxes(), "openlabel.objects", {nasty: {"name": "", "type": "", nasty: nasty}})
    for issue in check(encode(document)).issues:
        assert len(issue.path) < 300
        assert len(issue.found) < 300
        assert issue.path.isprintable()
        assert issue.found.isprintable()
        issue.path.encode()


def test_more_than_the_limit_is_not_read() -> None:
    document = encode(boxes())
    assert check(document, max_bytes=len(document)).valid
    found = check(document, max_bytes=len(document) - 1)
    assert [(issue.rule.identifier, issue.path) for issue in found.issues] == [("too_large", "(document)")]


@slowly
@given(documents())
def test_no_valid_document_is_refused(document: dict[str, Any]) -> None:
    """Nor does kognic-openlabel refuse it: the documents that hypothesis makes are what the rules allow."""
    found = check(encode(document))
    assert found.valid, found.issues
    kognic_openlabel_takes(encode(document))


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
    yield "lidar_name", ("streams", "LIDAR"), {"type": "lidar"}
    yield "wrong_value", ("frames", "0", "frame_properties", "streams"), {"CAM": {"type": "sonar"}}
    for name in openlabel["streams"]:
        yield "stream_type", ("streams", name, "type"), "radar"
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
        path = findings.show_path(("openlabel", *(ELSEWHERE[rule](place) if rule in ELSEWHERE else place)))
        found = check(encode(changed))
        assert not found.valid
        if rule == "too_large":
            assert found.issues[0].path == "openlabel.metadata.mine[0]"
            continue
        assert (rule, path) in [(issue.rule.identifier, issue.path) for issue in found.issues]


def test_the_changes_break_every_rule_that_can_be_broken_in_a_value() -> None:
    """The others are about the document as a whole, or warn."""
    broken = {rule for made in (boxes(), segmentation()) for rule, _, _ in changes(made)}
    errors = {rule.identifier for rule in rules.RULES if rule.severity is rules.Severity.ERROR}
    assert errors - broken == {"not_json", "duplicate_key", "no_openlabel", "no_streams", "no_objects"}


@settings(slowly, max_examples=300)
@given(mutants())
def test_what_is_accepted_kognic_openlabel_accepts(document: dict[str, Any]) -> None:
    """Both ways to read a document agree, whatever is wrong with it."""
    content = encode(document)
    found = check(content)
    if found.valid:
        kognic_openlabel_takes(content)
    explained = findings.Findings()
    facts = thorough.explain(content, explained)
    counted = quick.examine(content)
    if counted is not None:
        assert not explained.counts
        assert counted == facts


@settings(slowly, max_examples=100)
@given(
    st.sampled_from([boxes(), segmentation()]), st.integers(0, 3000), st.binary(max_size=4), st.integers(0, 4)
)
def test_bytes_that_are_damaged_anywhere_do_no_harm(
    document: dict[str, Any], position: int, new: bytes, length: int
) -> None:
    content = encode(document)
    damaged = content[:position] + new + content[position + length :]
    found = check(damaged)
    if found.valid:
        kognic_openlabel_takes(damaged)


def test_a_document_written_by_kognic_openlabel_is_accepted() -> None:
    """Its models write null for everything that is not there."""
    from kognic.openlabel.models import OpenLabelAnnotation

    for document in (boxes(), segmentation()):
        # It does not know `classifications`, but keeps what it does not know.
        written = OpenLabelAnnotation.model_validate(document).model_dump_json().encode()
        assert b'"poly2d":null' in written
        assert check(written) == check(encode(document))


def test_unusual_but_valid_json_is_accepted() -> None:
    document = encode(boxes()).replace(b'"', b'"').replace(b":", b" : \n").replace(b",", b"\t,\r\n")
    assert check(document).valid
    extra = put(boxes(), "openlabel.frames.0.frame_properties.of_mine", {"a": {"b": [None, {"c": "d:e"}]}})
    assert quick.examine(encode(extra)) is not None


def test_the_order_of_frames_and_the_size_of_a_document_do_not_matter() -> None:
    frames = with_frames(*range(0, 20_000, 100))
    large = encode(frames)
    assert len(large) > pieces.WHOLE_BYTES_QUICK
    assert check(large).valid
    broken = put(frames, "openlabel.frames.199.frame_properties.timestamp", 0)
    (issue,) = check(encode(broken)).issues
    assert (issue.rule.identifier, issue.found) == ("timestamp_repeated", "0, as in frame 0")


def test_an_issue_says_what_where_and_what_to_do() -> None:
    (issue,) = check(encode(put(boxes(), f"{BOX}.val[2]", -3))).issues
    assert issue.to_dict() == {
        "rule": "bbox_size",
        "severity": "error",
        "path": f"{BOX}.val[2]",
        "found": "-3",
        "advice": "Write the size, not the second corner; leave out boxes without area.",
    }
    assert json.loads(json.dumps(issue.to_dict())) == issue.to_dict()


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b'\xef\xbb\xbf{"openlabel": {}}', "not_json"),
        (b'{"openlabel": "\xff"}', "not_json"),
        (b'{"openlabel": ' + b"[" * 100_000, "not_json"),
        (b"[]", "no_openlabel"),
        (b"{}", "no_openlabel"),
        (b'{"openlabel": 1}', "no_openlabel"),
    ],
)
def test_the_content_check_asks_for_little(document: bytes, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        check_content(document)
    assert caught.value.reason == reason
    assert not check(document).valid


def test_the_content_check_takes_anything_with_an_object_openlabel() -> None:
    check_content(b'{"openlabel": {"anything": 1}}')


def test_the_schema_keeps_every_key_that_kognic_openlabel_knows() -> None:
    """Each of its models that the schema follows has the same fields, and as many required ones or more."""
    from kognic.openlabel import models

    from airflow_provider_kognic.core.openlabel.schema import document as schema

    pairs = {
        "Text": "Text", "Num": "Num", "Boolean": "Boolean", "Vec": "Vec", "Attributes": "Attributes",
        "Bbox": "Bbox", "Cuboid": "Cuboid", "Image": "Image", "FrameData": "ObjectData", "RootData": "ObjectData",
        "DataPointer": "ElementDataPointer", "RootObject": "Object", "Action": "Action", "Context": "Context",
        "Event": "Event", "Agent": "RdfAgent", "Relation": "Relation", "Ontology": "OntologyItem", "Tag": "Tag",
        "TagData": "TagDatum", "Metadata": "Metadata", "Stream": "Stream", "Sensor": "Stream",
        "Transform": "Transform", "CoordinateSystem": "CoordinateSystem", "FrameProperties": "FrameProperties",
        "FrameObject": "Objects", "FrameAction": "Actions", "FrameContext": "Contexts", "FrameEvent": "Events",
        "Frame": "Frame", "OpenLabel": "Openlabel", "Document": "OpenLabelAnnotation",
        "FrameInterval": "FrameInterval",
    }  # fmt: skip
    for ours, theirs in pairs.items():
        own = {field.name: field for field in msgspec.structs.fields(getattr(schema, ours))}
        other = getattr(models, theirs).model_fields
        assert set(own) - {"classifications"} == set(other), ours
        for name, field in other.items():
            assert not field.is_required() or own[name].required, f"{ours}.{name}"
