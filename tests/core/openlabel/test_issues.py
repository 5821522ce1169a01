"""What is said of the places where a document breaks rules: bounded, printable, and what to do."""

import json
import tracemalloc

from airflow_provider_kognic.core.openlabel import check, issues
from tests.core.documents import BOX, boxes, encode, put
from tests.core.openlabel.rule_cases import with_frames


def test_of_each_rule_ten_are_listed_and_all_are_counted() -> None:
    document = put(with_frames(*range(0, 50_000, 100)), "openlabel.metadata.schema_version", "2")
    document = put(document, "openlabel.streams.CAM.type", "sonar")
    found = check(encode(document).replace(b'"val": [10, ', b'"val": ["", '))
    assert found.counts["bbox_values"] == 500
    listed = [issue for issue in found.issues if issue.rule.identifier == "bbox_values"]
    assert len(listed) == issues.MOST_LISTED
    assert {"schema_version", "stream_type"} <= {issue.rule.identifier for issue in found.issues}


def test_a_million_faults_take_no_memory() -> None:
    document = encode(boxes()).replace(b'"external_id": ""', b'"a": [%s]' % b",".join([b"1e999"] * 150_000))
    check(document[:100])
    tracemalloc.start()
    found = check(document)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.counts == {"not_finite": issues.MOST_COUNTED, "too_large": 1}
    assert peak < 30 * len(document)
    assert sum(len(issue.found) + len(issue.path) for issue in found.issues) < 10_000


def test_what_is_shown_of_a_document_is_short_and_printable() -> None:
    nasty = "\x1b[31m\u202e\ud800\x9b" + "x" * 10_000
    document = put(boxes(), "openlabel.objects", {nasty: {"name": "", "type": "", nasty: nasty}})
    for issue in check(encode(document)).issues:
        assert len(issue.path) < 300
        assert len(issue.found) < 300
        assert issue.path.isprintable()
        assert issue.found.isprintable()
        issue.path.encode()


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
