"""Both sides surveyed, over real HTTP: what is known of the annotations, and what is not, and why."""

import json
import random
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.classes.annotations import (
    AnnotatedClasses,
    Known,
    annotated_classes,
    sampled,
)
from airflow_provider_kognic.core.classes.counts import LONGEST_NAME, MOST_CLASSES, ClassCount
from airflow_provider_kognic.core.classes.predictions import predicted_classes
from airflow_provider_kognic.core.classes.proposal import Proposal
from airflow_provider_kognic.core.classes.proposal_file import as_bytes
from airflow_provider_kognic.core.classes.survey import survey
from airflow_provider_kognic.core.errors import (
    KognicInputError,
    KognicNotFoundError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.models import Prediction
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.sources.rows import RowsSource
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.task.classes_job import annotations_of
from tests.core.classes.support import boxed, dumped, named, row
from tests.core.support import Listed, settings_for

QUICK = Backoff(0.01, 0.02, attempts=2)
LISTS = {"method": "GET", "path": "^/v2/scenes/[^/]+/annotations$"}
CONTENTS = {"method": "GET", "path": "^/content/"}
ASKED = "GET /v2/scenes/{uuid}/annotations"
READ = "GET /content/{uuid}"


@dataclass
class Data:
    """A dataset whose scenes have an annotation each; the first of them have predictions."""

    uuid: str
    scenes: list[str]

    def rows(self, *documents: Any) -> RowsSource:
        return RowsSource(
            [
                {"sceneUuid": scene, "openlabelContent": document}
                for scene, document in zip(self.scenes, documents, strict=False)
            ]
        )


@pytest.fixture
def data(emulator: Emulator) -> Data:
    emulator.set_faults(input_api=True)
    return dataset(emulator, [named("road", "oak"), named("road", "Traffic Light"), boxed("Car")])


def dataset(emulator: Emulator, annotations: Sequence[Any]) -> Data:
    scenes = [str(uuid4()) for _ in annotations]
    made = emulator.seed(datasets=[{"name": "of a test", "scenes": scenes, "segmentation": True}])
    (uuid,) = made["datasets"]
    emulator.seed(
        scenes=[{"uuid": scene, "annotations": [one]} for scene, one in zip(scenes, annotations, strict=True)]
    )
    emulator.reset_stats()
    return Data(uuid, scenes)


def proposed(
    emulator: Emulator,
    source: Any,
    dataset_uuid: str | None = None,
    *,
    max_scenes: int | None = None,
    readers: int | None = None,
    **more: Any,
) -> Proposal:
    given = settings_for(emulator, **{"input_host": emulator.url, **more})
    with (
        KognicClient(given, backoff=QUICK) as client,
        annotations_of(
            client, dataset_uuid, max_scenes, readers, lambda: False, backoff=QUICK
        ) as annotations,
    ):
        return survey(source, annotations)


def asked(emulator: Emulator, route: str) -> int:
    return sum(emulator.stats()["requests"].get(route, {}).values())


def test_both_sides_are_counted_exactly(emulator: Emulator, data: Data) -> None:
    found = proposed(emulator, data.rows(named("road", "traffic_light"), named("road", "tree")), data.uuid)
    first = min(data.scenes[:2])
    assert found.predictions.classes["road"] == ClassCount(2, 0, 2, Counter(image=2), first)
    assert set(found.predictions.classes) == {"road", "traffic_light", "tree"}
    assert found.annotations == AnnotatedClasses(
        {
            "Car": ClassCount(1, 1, 1, Counter(bbox=1), data.scenes[2]),
            "Traffic Light": ClassCount(1, 0, 1, Counter(image=1), data.scenes[1]),
            "oak": ClassCount(1, 0, 1, Counter(image=1), data.scenes[0]),
            "road": ClassCount(2, 0, 2, Counter(image=2), first),
        },
        Known.ALL,
        scenes=3,
        asked=3,
        documents=3,
        segmentation=True,
    )
    assert list(found.rows) == [
        {"annotated": "Traffic Light", "predicted": "traffic_light"},
        {"annotated": "road", "predicted": "road"},
        {"annotated": "Car"},
        {"annotated": "_background"},
        {"annotated": "oak"},
        {"predicted": "tree"},
    ]
    assert (asked(emulator, ASKED), asked(emulator, READ)) == (3, 3)


def test_without_a_dataset_the_predictions_scenes_are_asked_for(emulator: Emulator, data: Data) -> None:
    found = proposed(emulator, data.rows(named("road")))
    assert (found.annotations.known, found.annotations.asked) == (Known.ALL, 1)
    assert set(found.annotations.classes) == {"road", "oak"}


def test_a_sample_is_said_to_be_one_and_is_the_same_each_time(emulator: Emulator) -> None:
    """Scenes with predictions come first; which others follow from the uuids alone."""
    emulator.set_faults(input_api=True)
    data = dataset(emulator, [named(f"class {number}") for number in range(30)])
    found = proposed(emulator, data.rows(named("road"), named("road")), data.uuid, max_scenes=6)
    assert (found.annotations.known, found.annotations.asked, found.annotations.scenes) == (
        Known.SAMPLE,
        6,
        30,
    )
    assert asked(emulator, ASKED) == 6
    assert {"class 0", "class 1"} < set(found.annotations.classes)
    emulator.change_faults(listing_order="newest", page_size=7)
    again = proposed(emulator, data.rows(named("road"), named("road")), data.uuid, max_scenes=6, readers=1)
    assert as_bytes(again) == as_bytes(found)
    assert "6 of 30 scenes with annotations were asked for (max_scenes)." in found.annotations.why


def test_as_many_requests_are_in_flight_as_are_allowed(emulator: Emulator) -> None:
    emulator.set_faults(
        input_api=True,
        rules=[{"kind": "latency", "seconds": 0.05, "match": {"path": "^/(v2/scenes|content)/"}}],
    )
    data = dataset(emulator, [named("road")] * 24)
    assert proposed(emulator, data.rows(named("road")), data.uuid, readers=3).annotations.known is Known.ALL
    assert 1 < emulator.stats()["most_in_flight"] <= 3
    proposed(emulator, data.rows(named("road")), data.uuid, max_connections=2)
    emulator.reset_stats()
    proposed(emulator, data.rows(named("road")), data.uuid, max_connections=2)
    assert emulator.stats()["most_in_flight"] <= 2


def test_a_dataset_without_annotations_has_none(emulator: Emulator) -> None:
    """Which is another thing than that they are not known."""
    emulator.set_faults(input_api=True)
    scenes = [str(uuid4()) for _ in range(3)]
    (uuid,) = emulator.seed(datasets=[{"name": "bare", "scenes": scenes, "annotated": False}])["datasets"]
    found = proposed(emulator, Data(uuid, scenes).rows(named("road")), uuid)
    assert (found.annotations.known, found.annotations.classes) == (Known.NONE, {})
    emulator.seed(scenes=[{"uuid": scene} for scene in scenes])
    found = proposed(emulator, Data(uuid, scenes).rows(named("road"), named("road")))
    assert (found.annotations.known, found.annotations.asked, found.annotations.why) == (Known.NONE, 2, ())


@pytest.mark.parametrize(
    ("faults", "more", "says", "requests"),
    [
        ({}, {"input_host": None}, "the connection names no input API", 0),
        ({"input_api": ["scenes"]}, {}, "HTTP 404", 3),
        ({"rules": [{"kind": "status", "status": 403, "match": LISTS}]}, {}, "HTTP 403", 1),
        ({"rules": [{"kind": "status", "status": 500, "match": LISTS}]}, {}, "HTTP 500", 2),
        ({"rules": [{"kind": "garbage", "match": LISTS}]}, {}, "no JSON", 2),
        ({"rules": [{"kind": "garbage", "body": "{}", "match": LISTS}]}, {}, "no list but dict", 3),
        ({"rules": [{"kind": "html_error", "status": 200, "match": LISTS}]}, {}, "no JSON", 2),
    ],
)
def test_where_annotations_cannot_be_asked_for_the_predictions_are_surveyed_all_the_same(
    emulator: Emulator,
    data: Data,
    faults: dict[str, Any],
    more: dict[str, Any],
    says: str,
    requests: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is said once why, and given up where asking for other scenes will not help."""
    emulator.change_faults(**faults)
    found = proposed(emulator, data.rows(named("road")), data.uuid, readers=1, **more)
    assert (found.annotations.known, found.annotations.classes) == (Known.UNKNOWN, {})
    assert set(found.predictions.classes) == {"road"}
    assert says in found.annotations.why[0]
    assert asked(emulator, ASKED) == requests
    said = [record.getMessage() for record in caplog.records if record.name.endswith("classes.survey")]
    assert sum(says in message for message in said) == 1


def test_the_scope_that_is_missing_is_named(emulator: Emulator, data: Data) -> None:
    emulator.change_faults(scopes={emulator.client_id: ["api:read"]}, input_scope="input:read")
    found = proposed(emulator, data.rows(named("road")), data.uuid)
    assert found.annotations.known is Known.UNKNOWN
    assert "lacks the scope input:read" in found.annotations.why[0]
    assert set(found.annotations.unread) == {"http_403"}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"kind": "status", "status": 403}, "http_403"),
        ({"kind": "status", "status": 404}, "http_404"),
        ({"kind": "status", "status": 503}, "http_503"),
        ({"kind": "drop_before"}, "NoAnswerError"),
        ({"kind": "redirect", "location": "/"}, "http_302"),
        ({"kind": "garbage"}, "not_json"),
        ({"kind": "html_error", "status": 200}, "not_json"),
        ({"kind": "garbage", "body": "[]"}, "no_openlabel"),
        ({"kind": "huge", "size": 65_000_000}, "AnswerError"),
        ({"kind": "gzip_bomb", "size": 65_000_000}, "AnswerError"),
    ],
)
def test_a_document_that_cannot_be_read_leaves_the_others(
    emulator: Emulator, data: Data, fault: dict[str, Any], reason: str
) -> None:
    """It is counted, and said that there may be more classes: which it has nobody knows."""
    times = 2 if reason in {"http_503", "NoAnswerError"} else 1
    emulator.change_faults(script=[{**fault, "match": CONTENTS, "times": times}])
    found = proposed(emulator, data.rows(named("road")), data.uuid, readers=1)
    assert found.annotations.known is Known.PARTLY
    assert found.annotations.unread == {reason: 1}
    assert (found.annotations.asked, found.annotations.documents) == (3, 2)
    assert found.annotations.why
    assert "signature" not in as_bytes(found).decode()


@pytest.mark.parametrize(
    "more", [{"metadata": {"nextCursorId": "b"}}, {"metadata": {"nextCursorId": 7}, "hasNext": True}]
)
def test_annotations_are_listed_page_by_page_where_an_answer_names_a_next_one(
    emulator: Emulator, more: dict[str, Any]
) -> None:
    """As Kognic's own clients page elsewhere: what the first page has is not taken for all."""
    emulator.set_faults(input_api=True)
    found = dataset(emulator, [named("road")])
    page = json.dumps({"data": [], "metadata": {"nextCursorId": 7}, **more})
    emulator.change_faults(script=[{"kind": "garbage", "body": page, "match": LISTS}])
    survey = proposed(emulator, found.rows(named("road")), found.uuid)
    assert (survey.annotations.known, set(survey.annotations.classes)) == (Known.ALL, {"road"})
    assert asked(emulator, ASKED) == 2


def test_annotations_of_which_there_are_more_that_nobody_can_ask_for_are_not_all(emulator: Emulator) -> None:
    emulator.set_faults(input_api=True)
    found = dataset(emulator, [named("road"), named("road")])
    page = json.dumps({"data": [{"uri": "https://example.invalid/a"}], "hasNext": True})
    emulator.change_faults(script=[{"kind": "garbage", "body": page, "match": LISTS}])
    survey = proposed(emulator, found.rows(named("road")), found.uuid, readers=1)
    assert survey.annotations.known is Known.PARTLY
    assert any("it says that there is more" in why for why in survey.annotations.why)


def test_scenes_that_the_input_api_does_not_know(emulator: Emulator, data: Data) -> None:
    """One leaves the others; where none of twenty is known, the rest is not asked for."""
    gone = data.scenes[0]
    emulator.change_faults(rules=[{"kind": "status", "status": 404, "match": {"path": gone}}])
    found = proposed(emulator, data.rows(named("road")), data.uuid)
    assert (found.annotations.known, found.annotations.unread) == (Known.PARTLY, {"http_404": 1})
    many = dataset(emulator, [named("road")] * 40)
    emulator.change_faults(rules=[{"kind": "status", "status": 404, "match": LISTS}])
    for readers in (1, 10):
        found = proposed(emulator, many.rows(named("road")), many.uuid, readers=readers)
        assert (found.annotations.known, found.annotations.asked) == (Known.UNKNOWN, 20)
        assert "It was given up after 20 scenes." in found.annotations.why


def test_annotations_that_a_dataset_has_and_the_input_api_does_not_list(
    emulator: Emulator, data: Data
) -> None:
    """They are there, and cannot be read: that is not the same as none."""
    hidden = data.scenes[1]
    emulator.change_faults(
        rules=[{"kind": "garbage", "body": "[]", "match": {"path": f"^/v2/scenes/{hidden}"}}]
    )
    found = proposed(emulator, data.rows(named("road")), data.uuid)
    assert (found.annotations.known, found.annotations.unread) == (Known.PARTLY, {"not_listed": 1})
    emulator.change_faults(rules=[{"kind": "garbage", "body": "[]", "match": LISTS}])
    found = proposed(emulator, data.rows(named("road")), data.uuid)
    assert (found.annotations.known, found.annotations.unread) == (Known.UNKNOWN, {"not_listed": 3})
    assert len(found.annotations.why) == 1
    assert "the input API lists no annotations of a scene that has some" in found.annotations.why[0]
    assert proposed(emulator, data.rows(named("road"))).annotations.known is Known.NONE


def test_a_dataset_that_there_is_not_is_an_error(emulator: Emulator, data: Data) -> None:
    """With the input API and without."""
    for host in (emulator.url, None):
        with pytest.raises(KognicInputError, match="there is no dataset 'another'"):
            proposed(emulator, data.rows(named("road")), "another", input_host=host)


def test_documents_that_are_not_valid_are_named_and_counted(
    emulator: Emulator, data: Data, caplog: pytest.LogCaptureFixture
) -> None:
    source = data.rows(named("road"), {"openlabel": {}}, {"openlabel": {}})
    found = proposed(emulator, source, data.uuid)
    assert (found.predictions.documents, found.predictions.invalid) == (1, 2)
    assert caplog.text.count("is not valid") == 2
    with pytest.raises(KognicInputError, match="none of the 1 prediction is valid"):
        proposed(emulator, data.rows({"openlabel": {}}), data.uuid)
    with pytest.raises(KognicInputError, match="the source holds no predictions to take the classes from"):
        proposed(emulator, RowsSource([]), data.uuid)


def test_any_source_that_an_upload_takes(tmp_path: Path) -> None:
    documents = [named("road", "tree"), boxed("Car"), named("void")]
    for number, one in enumerate(documents):
        (tmp_path / f"{demo.scene_uuid(number)}.json").write_bytes(dumped(one))
    (tmp_path / "notes.json").write_text("{}")
    lines = tmp_path / "p.jsonl"
    lines.write_text("".join(json.dumps(row(number, one)) + "\n" for number, one in enumerate(documents)))
    for path in (tmp_path, tmp_path / "*.json", lines):
        found = predicted_classes(open_source(path, None, resolve=Path))
        assert set(found.classes) == {"road", "tree", "Car", "void"}
        assert (found.documents, found.passed_over) == (3, 0 if path == lines else 1)


_documents = st.lists(
    st.one_of(
        st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=4, unique=True).map(
            lambda names: named(*names)
        ),
        st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map(lambda types: boxed(*types)),
    ),
    min_size=1,
    max_size=6,
)


@given(_documents, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_counts_are_exact_in_any_order(documents: list[Any], chance: random.Random) -> None:
    rows = [row(number, one) for number, one in enumerate(documents)]
    found = predicted_classes(RowsSource(rows), readers=1)
    expected: Counter[str] = Counter()
    drawn: Counter[str] = Counter()
    for one in documents:
        openlabel = one["openlabel"]
        if "ontologies" in openlabel:
            names = list(openlabel["ontologies"]["0"]["classifications"].values())
        else:
            names = [item["type"] for item in openlabel["objects"].values()]
        expected.update(set(names))
        drawn.update(names)
    assert {name: count.documents for name, count in found.classes.items()} == expected
    assert {name: sum(count.geometries.values()) for name, count in found.classes.items()} == drawn
    chance.shuffle(rows)
    assert predicted_classes(RowsSource(rows), readers=3).classes == found.classes


@given(
    st.sets(st.uuids().map(str), min_size=1, max_size=20),
    st.integers(1, 25),
    st.randoms(use_true_random=False),
)
def test_a_sample_follows_from_the_uuids(scenes: set[str], most: int, chance: random.Random) -> None:
    listed = sorted(scenes)
    chosen = sampled(listed, most)
    chance.shuffle(listed)
    assert sampled(listed, most) == chosen == sampled(listed, None)[:most]
    first = {UUID(scene).bytes for scene in listed[:3]}
    assert set(sampled(listed, len(first), first)) == set(listed[:3])


def test_memory_does_not_grow_with_the_documents() -> None:
    """As many documents again take no more: only scenes are remembered, in 16 bytes each and a little."""
    document = dumped(boxed(*(f"class {number}" for number in range(20)), frames=10))

    def peak(count: int) -> int:
        entries = (Prediction(demo.scene_uuid(number), "here", lambda: document) for number in range(count))
        tracemalloc.start()
        try:
            predicted_classes(Listed(Lazy(entries)), readers=2)  # type: ignore[arg-type]
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(5)
    # How far two readers happen to be at the same time differs, with few documents and with many.
    few, many = max(peak(20) for _ in range(3)), min(peak(100) for _ in range(3))
    assert many < few + 4 * len(document)


@dataclass
class Lazy:
    """Entries that are made as they are taken."""

    entries: Iterator[Prediction]

    def __iter__(self) -> Iterator[Prediction]:
        return self.entries


def test_more_classes_than_a_mapping_can_have() -> None:
    half = MOST_CLASSES // 2
    rows = [row(one, boxed(*(f"{one} {n}" for n in range(half)))) for one in range(2)]
    assert len(predicted_classes(RowsSource(rows)).classes) == MOST_CLASSES
    with pytest.raises(
        KognicInputError, match=r"more than 2,000 classes; one of them, in scene .*, is 'last'"
    ):
        predicted_classes(RowsSource([*rows, row(2, boxed("last"))]))
    long = "x" * (LONGEST_NAME + 1)
    with pytest.raises(KognicInputError, match=r"have a class of 301 characters in scene "):
        predicted_classes(RowsSource([row(0, boxed(long))]))


@dataclass
class Reader:
    """Annotations that a test makes itself."""

    documents_of: dict[str, list[bytes]] = field(default_factory=dict)

    def documents(self, scene_uuid: str) -> list[Any]:
        if scene_uuid not in self.documents_of:
            raise KognicNotFoundError("no such scene", status=404)
        return [lambda one=one: one for one in self.documents_of[scene_uuid]]


def test_who_is_to_stop_is_heard() -> None:
    scenes = [demo.scene_uuid(number) for number in range(5)]
    reader = Reader({scene: [dumped(named("road"))] for scene in scenes})
    assert annotated_classes(reader, scenes, of=5, readers=2).known is Known.ALL
    with pytest.raises(KognicStoppedError):
        annotated_classes(reader, scenes, of=5, stopping=lambda: True)
    with pytest.raises(KognicStoppedError):
        predicted_classes(RowsSource([row(0, named("road"))]), stopping=lambda: True)
