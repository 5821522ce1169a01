"""The parts of a task in its log and in its trace."""

import logging

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from airflow_provider_kognic.task.observing.phases import phase


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


def test_a_part_is_a_group_and_a_span(spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), phase("upload", "Upload") as span:
        logging.getLogger("x").info("within")
        span.knows(created=3, group="6c0e2b1a")
    assert caplog.messages == ["::group::Upload", "within", "::endgroup::"]
    (ended,) = spans.get_finished_spans()
    assert ended.name == "kognic.upload"
    assert dict(ended.attributes or {}) == {"kognic.created": 3, "kognic.group": "6c0e2b1a"}


def test_a_part_that_fails_ends_its_group_and_tells_no_secret(
    spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """Of an exception the trace has the name alone: nobody masks its text there."""
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(ValueError, match="hunter2"),
        phase("setup", "Setup"),
    ):
        raise ValueError("password hunter2")
    assert caplog.messages[-1] == "::endgroup::"
    (ended,) = spans.get_finished_spans()
    assert ended.status.status_code is trace.StatusCode.ERROR
    assert ended.status.description == "ValueError"
    assert "hunter2" not in ended.to_json()


def test_parts_are_children_of_the_span_around_them(spans: InMemorySpanExporter) -> None:
    with trace.get_tracer("airflow").start_as_current_span("task"), phase("setup", "Setup"):
        pass
    inner, outer = spans.get_finished_spans()
    assert inner.parent is not None
    assert outer.context is not None
    assert inner.parent.span_id == outer.context.span_id
