"""Scenes without annotations and classes without a row are refused before anything is sent."""

import json
import logging
import re
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.api.records import Annotation, PredictionsGroup
from airflow_provider_kognic.core.errors import (
    KognicInputError,
    KognicNotFoundError,
    KognicOutageError,
    KognicRowError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.openlabel import check
from airflow_provider_kognic.core.options import MaxFailures
from airflow_provider_kognic.core.reporting.judgement import judge
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.sources import RowsSource
from airflow_provider_kognic.core.validation.class_mapping import class_mapping_rows, identity_mapping
from airflow_provider_kognic.core.validation.dataset import (
    AnnotatedScenes,
    ClassCoverage,
    DatasetCheck,
    class_coverage,
)
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.documents import boxes, segmentation
from tests.core.support import content, rows, settings_for, upload_all

UNKNOWN = "00000000-0000-4000-8000-00000000000f"


def row(scene: str, document: Any) -> dict[str, Any]:
    return {"sceneUuid": scene, "openlabelContent": document}


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


# --- scenes ---


def test_scenes_without_annotations_are_refused_unsent(
    emulator: Emulator, group: str, client: KognicClient
) -> None:
    """The listing is asked once, however many scenes and readers; the others are created."""
    emulator.set_faults(page_size=1000)
    source = RowsSource([row(UNKNOWN, content()), *rows(30).rows])

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
    failure = judge(run.report, MaxFailures.parse(0), allow_empty=False)
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


# --- classes ---


def group_row(**more: Any) -> PredictionsGroup:
    return PredictionsGroup.from_api({"uuid": UNKNOWN, "name": "g", **more})


ROWS = [{"annotated": "road", "predicted": "street"}, {"predicted": "Car"}, {"annotated": "oak"}]


@pytest.mark.parametrize(
    "raw",
    [
        {"classMapping": ROWS},
        {"class_mapping": ROWS},
        {"classMapping": [*ROWS, {"id": 7}, "text", {"annotated": None}]},
        {"classMapping": [{**one, "id": "x"} for one in ROWS]},
        {"classMapping": {"road": "street", "oak": None, "x": "Car"}},
    ],
)
def test_the_groups_own_mapping_is_read_leniently(raw: dict[str, Any]) -> None:
    """Kognic does not document that a group shows it, nor how."""
    coverage = class_coverage(group_row(**raw), None)
    assert coverage is not None
    coverage.check(check(json.dumps(content()).encode()))
    document = content()
    document["openlabel"]["objects"]["1"]["type"] = "oak"
    with pytest.raises(
        Refused, match="the group's class mapping has no row whose 'predicted' is 'oak'"
    ) as caught:
        coverage.check(check(json.dumps(document).encode()))
    assert caught.value.reason == "class_not_mapped"


@pytest.mark.parametrize("shown", [{}, {"classMapping": None}, {"classMapping": []}, {"classMapping": "?"}])
def test_where_the_group_shows_none_the_given_one_counts(
    shown: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """And where neither is there, nothing is checked, and that is said."""
    caplog.set_level(logging.INFO, "airflow_provider_kognic")
    given = class_coverage(group_row(**shown), {"auto": "Car"})
    assert given is not None
    given.check(check(json.dumps(content()).encode()))
    assert class_coverage(group_row(**shown), None) is None
    assert "classes are not checked" in caplog.text
    assert class_coverage(None, None) is None
    with pytest.raises(KognicInputError):
        class_coverage(None, "text")


def test_the_group_counts_where_both_are_there(caplog: pytest.LogCaptureFixture) -> None:
    """And a difference is said."""
    coverage = class_coverage(group_row(classMapping=[{"predicted": "Van"}]), [{"predicted": "Car"}])
    assert coverage is not None
    with pytest.raises(Refused):
        coverage.check(check(json.dumps(content()).encode()))
    assert "the group's counts" in caplog.text


def test_missing_rows_are_printed_ready_to_paste(
    emulator: Emulator, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, at the end; what is pasted makes a mapping in which nothing is missing any more."""
    odd = boxes()
    for item in odd["openlabel"]["objects"].values():
        item["type"] = "Straßen\"bahn'"
    bitmap = segmentation()
    source = RowsSource(
        [*rows(2).rows, *(row(demo.scene_uuid(n), d) for n, d in ((2, odd), (3, bitmap), (4, odd)))]
    )
    coverage = ClassCoverage([{"annotated": "a", "predicted": "Car"}], "the group's class mapping")

    run = upload_all(source, settings_for(emulator), group, dataset_check=DatasetCheck(None, coverage))

    assert run.report.reasons == {"class_not_mapped": 3}
    assert run.counts() == (2, 3, 0, 0)
    said = [one.getMessage() for one in caplog.records if "Ready to paste" in one.getMessage()]
    assert len(said) == 2
    lacks, background = said
    python = re.search(r"class_mapping=\{\.\.\.\}:\n((?:    .*\n)+)JSON", lacks)
    jsons = re.search(r"classMapping:\n((?:    .*\n?)+)", lacks)
    assert python is not None
    assert jsons is not None
    import ast

    pasted = class_mapping_rows(ast.literal_eval("{" + python[1] + "}"))
    assert pasted == json.loads("[" + jsons[1].rstrip().rstrip(",") + "]")
    assert pasted is not None
    assert "'_background': None" in background
    assert '{"annotated": "_background"}' in background
    mended = ClassCoverage([{"predicted": "Car"}, {"annotated": "_background"}, *pasted], "it")
    for document in (content(), odd, bitmap):
        mended.check(check(json.dumps(document).encode()))
    caplog.clear()
    mended.log_findings()
    assert not caplog.records


def test_background_is_asked_for_with_segmentation_only(caplog: pytest.LogCaptureFixture) -> None:
    """Boxes have no background; and it is a warning, not a refusal."""
    coverage = ClassCoverage([{"predicted": name} for name in ("Car", "_background", "road")], "it")
    coverage.check(check(json.dumps(content()).encode()))
    coverage.log_findings()
    assert not caplog.records
    coverage.check(check(json.dumps(segmentation()).encode()))
    coverage.log_findings()
    assert "It has no row whose 'annotated' is '_background'" in caplog.text


def test_many_and_long_names_stay_within_bounds(caplog: pytest.LogCaptureFixture) -> None:
    """A document may hold any number of names of any length."""
    document = content()
    document["openlabel"]["objects"] |= {
        str(n): {"name": "x", "type": f"{n}" * (1 + 1000 * (n % 2))} for n in range(2, 3000)
    }
    coverage = ClassCoverage([], "the mapping")
    with pytest.raises(Refused) as caught:
        coverage.check(check(json.dumps(document).encode()))
    coverage.log_findings()
    assert len(caught.value.message) < 2000
    assert len(caplog.text) < 60_000
    assert "too many or too long to list" in caplog.text


# --- the identity mapping ---

IDENTITY: list[tuple[set[str], Any, list[dict[str, str]]]] = [
    (
        {"b", "a"},
        None,
        [
            {"annotated": "a", "predicted": "a"},
            {"annotated": "b", "predicted": "b"},
            {"annotated": "_background"},
        ],
    ),
    ({"_background"}, {}, [{"annotated": "_background", "predicted": "_background"}]),
    (
        {"void", "road"},
        {"_background": "void", "pole": None},
        [
            {"annotated": "_background", "predicted": "void"},
            {"annotated": "pole"},
            {"annotated": "road", "predicted": "road"},
        ],
    ),
    # A predicted class is never lost, also where its name in the annotations is mapped elsewhere.
    (
        {"tree", "oak"},
        {"oak": "tree", "_background": None},
        [{"annotated": "oak", "predicted": "tree"}, {"annotated": "_background"}, {"predicted": "oak"}],
    ),
    (
        {"car"},
        {"car": None, "_background": None},
        [{"annotated": "car"}, {"annotated": "_background"}, {"predicted": "car"}],
    ),
    ({"x"}, {None: "x"}, [{"predicted": "x"}, {"annotated": "_background"}]),
]


@pytest.mark.parametrize(("classes", "overrides", "expected"), IDENTITY)
def test_the_identity_mapping(classes: set[str], overrides: Any, expected: list[dict[str, str]]) -> None:
    """A row for each class, `_background`, and what overrides say; every class keeps a row of its own."""
    made = identity_mapping(classes, overrides)
    assert made == expected
    assert classes <= {one.get("predicted") for one in made}
    assert class_mapping_rows(made) == made


def test_overrides_of_classes_that_nobody_predicts_are_said(caplog: pytest.LogCaptureFixture) -> None:
    """It is probably a misspelt name."""
    identity_mapping({"tree"}, {"oak": "treee"})
    assert "'treee'" in caplog.text
