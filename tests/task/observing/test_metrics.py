"""What Airflow's metrics are told of an upload."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.task.observing import metrics
from airflow_provider_kognic.task.observing.metrics import COUNTERS, GAUGES, TIMINGS, Metrics, counted
from tests.core.support import rows, settings_for, upload_all

TAGS = {"dag_id": "nightly", "task_id": "upload"}
CONTEXT: Any = {"ti": SimpleNamespace(**TAGS)}


class Backend:
    """In the place of Airflow's own: StatsD and OpenTelemetry servers are not there."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.gauges: dict[str, list[float]] = {}
        self.timings: dict[str, list[timedelta]] = {}
        self.tags: list[dict[str, str]] = []

    def incr(self, name: str, count: int, *, tags: dict[str, str]) -> None:
        self.counts[name] += count
        self.tags.append(tags)

    def gauge(self, name: str, value: float, *, tags: dict[str, str]) -> None:
        self.gauges.setdefault(name, []).append(value)
        self.tags.append(tags)

    def timing(self, name: str, value: timedelta, *, tags: dict[str, str]) -> None:
        self.timings.setdefault(name, []).append(value)
        self.tags.append(tags)


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    backend = Backend()
    monkeypatch.setattr(metrics, "Stats", backend)
    return backend


def test_an_upload_is_counted(emulator: Emulator, backend: Backend) -> None:
    """Each prediction by what became of it, each request once, a 429 and its repetition, too."""
    group = emulator.create_group()
    emulator.set_faults(
        script=[{"kind": "ok", "times": 5}, {"kind": "429", "times": 2, "retry_after": 0}],
        rules=[{"kind": "status", "status": 422, "match": {"scene": demo.scene_uuid(15)}}],
    )
    observer = Metrics(CONTEXT)
    upload_all(rows(20), settings_for(emulator), group, observers=[observer])
    observer.close()

    posts = emulator.stats()["prediction_posts"]
    assert backend.counts == {
        "kognic.predictions.created": 19,
        "kognic.predictions.refused": 1,
        "kognic.requests": posts,
        "kognic.requests.failed": 3,
        "kognic.requests.rate_limited": 2,
        "kognic.requests.retried": 2,
    }
    assert posts == 22
    assert backend.gauges["kognic.upload.in_flight"][-1] == 0
    assert backend.timings["kognic.request.duration"]
    assert len(backend.timings["kognic.upload.duration"]) == 1
    assert all(tags == TAGS for tags in backend.tags)


def test_numbers_are_sent_once_a_second_not_for_each_prediction(
    emulator: Emulator, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And none is lost by that: with a second that never ends, all come at the end."""
    monkeypatch.setattr(metrics, "_EVERY", float("inf"))
    group = emulator.create_group()
    observer = Metrics(CONTEXT)
    upload_all(rows(50), settings_for(emulator), group, observers=[observer])
    assert not backend.tags
    observer.close()
    assert backend.counts["kognic.predictions.created"] == 50
    assert len(backend.tags) == 2 + 2 + 2  # two counters, two gauges, two timings


def test_names_are_those_that_are_documented(
    emulator: Emulator, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "_EVERY", 0.0)
    group = emulator.create_group()
    emulator.set_faults(script=[{"kind": "503_after"}])
    observer = Metrics(CONTEXT)
    upload_all(rows(5), settings_for(emulator), group, observers=[observer])
    observer.close()
    used = {
        name.removeprefix(metrics.PREFIX) for name in (*backend.counts, *backend.gauges, *backend.timings)
    }
    assert used <= {*COUNTERS, *GAUGES, *TIMINGS}
    assert {"predictions.in_doubt", "upload.to_settle"} <= used


def test_the_page_has_each_of_them() -> None:
    page = (Path(__file__).parents[3] / "docs" / "observability.md").read_text(encoding="utf-8")
    for kind, named in (("counter", COUNTERS), ("gauge", GAUGES), ("timing", TIMINGS)):
        for name, says in named.items():
            assert f"| `kognic.{name}` | {kind} | {says} |" in page


def test_a_backend_that_fails_fails_no_upload(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It would be tried again, and without a journal all would be sent twice."""
    password = "hunter22"

    class Broken(Backend):
        def incr(self, name: str, count: int, *, tags: dict[str, str]) -> None:
            raise OSError(f"no route to statsd://reader:{password}@metrics")

        gauge = timing = incr  # type: ignore[assignment]

    monkeypatch.setattr(metrics, "Stats", Broken())
    group = emulator.create_group()
    with counted(CONTEXT) as observer:
        upload_all(rows(3), settings_for(emulator), group, observers=[observer])
    assert emulator.count_predictions(group) == 3
    assert "The last metrics of the upload cannot be reported." in caplog.text
    assert password not in caplog.text
