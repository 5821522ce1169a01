"""The parts of a task in its log and in its trace."""

import logging

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
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


@pytest.mark.parametrize("fails", ["on_start", "on_end"])
def test_tracing_that_fails_fails_no_task(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fails: str
) -> None:
    """An upload that has sent everything would be tried again."""

    def fail(*_: object, **__: object) -> None:
        raise OSError("no collector at https://collector.example?token=1f2e3d4c")

    processor = SpanProcessor()
    monkeypatch.setattr(processor, fails, fail)
    provider = TracerProvider()
    provider.add_span_processor(processor)
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    with caplog.at_level(logging.INFO):
        with phase("upload", "Upload") as span:
            span.knows(created=3)
        with pytest.raises(ValueError, match="of the upload"), phase("upload", "Upload"):
            raise ValueError("of the upload")
    warned = (
        "This part of the task cannot be traced: OSError: no collector at https://collector.example?token=***"
    )
    part = ["::group::Upload", warned, "::endgroup::"]
    assert caplog.messages == part * 2
