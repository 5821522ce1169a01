"""What the check finds in a document: all that is wrong, nothing that is not there."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_kognic.core.openlabel import check
from airflow_provider_kognic.core.openlabel.decoding import limits
from tests.core.documents import BOX, boxes, documents, encode, put, segmentation
from tests.core.openlabel.reference import kognic_openlabel_takes
from tests.core.openlabel.rule_cases import with_frames

slowly = settings(deadline=None, suppress_health_check=list(HealthCheck))


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


def test_the_order_of_frames_and_the_size_of_a_document_do_not_matter() -> None:
    frames = with_frames(*range(0, 20_000, 100))
    large = encode(frames)
    assert len(large) > limits.WHOLE_BYTES_ACCEPT
    assert check(large).valid
    broken = put(frames, "openlabel.frames.199.frame_properties.timestamp", 0)
    (issue,) = check(encode(broken)).issues
    assert (issue.rule.identifier, issue.found) == ("timestamp_repeated", "0, as in frame 0")
