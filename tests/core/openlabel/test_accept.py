"""The fast path and the slow one agree: nothing is accepted that would be explained."""

from typing import Any

from hypothesis import HealthCheck, given, settings

from airflow_provider_kognic.core.openlabel import accept, check, explain, issues
from tests.core.documents import boxes, encode, mutants, put
from tests.core.openlabel.reference import kognic_openlabel_takes

slowly = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(slowly, max_examples=300)
@given(mutants())
def test_what_is_accepted_kognic_openlabel_accepts(document: dict[str, Any]) -> None:
    """Both ways to read a document agree, whatever is wrong with it."""
    content = encode(document)
    found = check(content)
    if found.valid:
        kognic_openlabel_takes(content)
    explained = issues.Issues()
    facts = explain.explain(content, explained)
    counted = accept.accept(content)
    if counted is not None:
        assert not explained.counts
        assert counted == facts


def test_unusual_but_valid_json_is_accepted() -> None:
    document = encode(boxes()).replace(b'"', b'"').replace(b":", b" : \n").replace(b",", b"\t,\r\n")
    assert check(document).valid
    extra = put(boxes(), "openlabel.frames.0.frame_properties.of_mine", {"a": {"b": [None, {"c": "d:e"}]}})
    assert accept.accept(encode(extra)) is not None
