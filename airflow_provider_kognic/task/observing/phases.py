"""The parts of a task: each is a group in its log, which people open and close, and a span in its trace."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.masking import masked

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

# As Airflow's UI knows them, in the place of a message.
_BEGIN, _END = "::group::%s", "::endgroup::"


class Span:
    """A span of OpenTelemetry, or nothing where that is not to be had.

    Args:
        span: The span.
    """

    def __init__(self, span: Any = None) -> None:
        self._span = span

    def knows(self, **values: str | float) -> None:
        """Set attributes, each with `kognic.` before its name."""
        if self._span is not None:
            with _harmless():
                for name, value in values.items():
                    self._span.set_attribute(f"kognic.{name}", value)


@contextmanager
def phase(name: str, title: str) -> Iterator[Span]:
    """Let what happens meanwhile be a part of the task, in its log and in its trace.

    A span is a child of the task's own where Airflow traces tasks (`[traces] otel_on`); else it goes nowhere. It
    has no events: an exception's text belongs into the log, where Airflow masks secrets.

    Args:
        name: The span's, after `kognic.`.
        title: The group's, for people.
    """
    logger.info(_BEGIN, title)
    try:
        with _span(f"kognic.{name}") as span:
            yield span
    finally:
        logger.info(_END)


@contextmanager
def _span(name: str) -> Iterator[Span]:
    try:
        from opentelemetry import trace

        begun = trace.get_tracer(__name__).start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        )
        span = begun.__enter__()
    except Exception as lost:  # noqa: BLE001 - whoever builds an Airflow without it, or traces with something that fails
        _say_that_it_fails(lost)
        yield Span()
        return
    try:
        yield Span(span)
    except BaseException as error:
        with _harmless():
            span.set_status(trace.Status(trace.StatusCode.ERROR, type(error).__name__))
        raise
    finally:
        with _harmless():
            begun.__exit__(None, None, None)


@contextmanager
def _harmless() -> Iterator[None]:
    """Let tracing that fails fail nothing else: a task whose predictions are sent would be tried again."""
    try:
        yield
    except Exception as lost:  # noqa: BLE001 - whatever it is
        _say_that_it_fails(lost)


def _say_that_it_fails(lost: Exception) -> None:
    if not isinstance(lost, ImportError):
        logger.warning(
            "This part of the task cannot be traced: %s: %s", type(lost).__name__, masked(str(lost))
        )
