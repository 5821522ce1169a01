"""Scenes without annotations are refused before anything is sent."""

import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.api.dataset_api.records import Annotation
from airflow_provider_kognic.core.errors import (
    KognicNotFoundError,
    KognicOutageError,
    KognicRowError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.reporting.judgement import judge
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.sources.rows import RowsSource
from airflow_provider_kognic.core.validation.class_coverage import ClassCoverage
from airflow_provider_kognic.core.validation.dataset import DatasetCheck
from airflow_provider_kognic.core.validation.scenes import AnnotatedScenes
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import content, rows, settings_for, upload_all

UNKNOWN = "00000000-0000-4000-8000-00000000000f"


@pytest.fixture
def client(emulator: Emulator) -> Iterator[KognicClient]:
    with KognicClient(settings_for(emulator), backoff=Backoff(first=0.01, most=0.02, attempts=3)) as client:
        yield client


def annotated(client: KognicClient, dataset: str) -> DatasetCheck:
    return DatasetCheck(AnnotatedScenes(lambda: client.iter_annotations(dataset)))


def listings(emulator: Emulator) -> int:
    return sum(
        sum(by_status.values())
        for route, by_status in emulator.stats()["requests"].items()
        if "annotations" in route
    )


def test_scenes_without_annotations_are_refused_unsent(
    emulator: Emulator, group: str, client: KognicClient
) -> None:
    """The listing is asked once, however many scenes and readers; the others are created."""
    emulator.set_faults(page_size=1000)
    source = RowsSource([{"sceneUuid": UNKNOWN, "openlabelContent": content()}, *rows(30).rows])

    run = upload_all(
        source, settings_for(emulator), group, dataset_check=annotated(client, demo.DATASET_UUID)
    )

    assert run.counts() == (30, 1, 0, 0)
    assert run.report.reasons == {"no_annotations": 1}
    assert emulator.stats()["prediction_posts"] == 30
    pages = listings(emulator)
    assert pages == len(list(range(0, demo_annotations(client), 1000))) + 1


def demo_annotations(client: KognicClient) -> int:
    return sum(1 for _ in client.iter_annotations(demo.DATASET_UUID))


def test_it_is_asked_before_the_first_send(emulator: Emulator, group: str, client: KognicClient) -> None:
    """Nothing is sent while the listing is on its way."""
    sent_before: list[int] = []

    def list_annotations() -> Iterable[Annotation]:
        sent_before.append(emulator.stats()["prediction_posts"])
        return client.iter_annotations(demo.DATASET_UUID)

    check = DatasetCheck(AnnotatedScenes(list_annotations))
    run = upload_all(rows(20), settings_for(emulator), group, dataset_check=check)
    assert run.counts() == (20, 0, 0, 0)
    assert sent_before == [0]


def test_off_asks_nobody(emulator: Emulator, group: str) -> None:
    """validation='off' is the content check alone."""

    def never() -> Iterable[Annotation]:
        raise AssertionError("asked")

    check = DatasetCheck(AnnotatedScenes(never), ClassCoverage([], "the mapping"))
    run = upload_all(rows(2), settings_for(emulator), group, dataset_check=check, validation="off")
    assert run.counts() == (2, 0, 0, 0)


@pytest.mark.parametrize(
    ("fault", "error", "retry"),
    [
        ({"kind": "status", "status": 503}, KognicOutageError, True),
        ({"kind": "drop_before"}, KognicOutageError, True),
        ({"kind": "status", "status": 404}, KognicNotFoundError, False),
        ({"kind": "status", "status": 400}, None, False),
    ],
)
def test_a_listing_that_cannot_be_had_never_passes(
    emulator: Emulator, group: str, client: KognicClient, fault: Any, error: Any, *, retry: bool
) -> None:
    """Nothing is sent; an outage is worth a retry, even without a journal; anything else is not."""
    emulator.set_faults(rules=[{**fault, "match": {"path": "annotations"}}])
    run = upload_all(
        rows(30), settings_for(emulator), group, dataset_check=annotated(client, demo.DATASET_UUID)
    )
    assert run.counts() == (0, 0, 0, 30)
    assert emulator.stats()["prediction_posts"] == 0
    assert "which scenes have annotations in the dataset cannot be asked" in str(run.report.stopped)
    if error is not None:
        assert isinstance(run.report.stopped, error)
    failure = judge(run.report, UploadOptions())
    assert failure is not None
    assert failure.retry is retry


@pytest.mark.parametrize(
    "listed",
    [[{"uuid": UNKNOWN}], [{"uuid": UNKNOWN, "sceneUuid": "scene-1"}], [{"uuid": UNKNOWN, "sceneUuid": 7}]],
)
def test_rows_that_name_no_scene_are_that_error(emulator: Emulator, group: str, listed: list[Any]) -> None:
    """Their fields are not documented: a changed API must not pass as a dataset without annotations."""
    check = DatasetCheck(AnnotatedScenes(lambda: map(Annotation.from_api, listed)))
    run = upload_all(rows(3), settings_for(emulator), group, dataset_check=check)
    assert isinstance(run.report.stopped, KognicRowError)
    assert run.counts() == (0, 0, 0, 3)


def test_a_failure_is_not_asked_for_again() -> None:
    """Ten readers do not ask ten times."""
    asked = []

    def fail() -> Iterable[Annotation]:
        asked.append(1)
        raise KognicNotFoundError("gone")

    scenes = AnnotatedScenes(fail)
    for _ in range(3):
        with pytest.raises(KognicNotFoundError, match="cannot be asked: gone"):
            scenes.check(UNKNOWN)
    assert len(asked) == 1


def test_a_long_listing_ends_when_asked_to_stop() -> None:
    """Between two annotations."""
    stop = threading.Event()

    def endless() -> Iterable[Annotation]:
        for number in range(1_000_000):
            if number == 100:
                stop.set()
            yield Annotation("", UNKNOWN, {})

    with pytest.raises(KognicStoppedError):
        AnnotatedScenes(endless, stop.is_set).check(UNKNOWN)
