"""What was there before: only a prediction that is younger than what was looked up for its own scene is adopted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.journal.format import Baseline, Header, encode, to_bytes
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.proofs.simulated_attempts import edition as newer
from tests.core.support import Run, rows, settings_for, upload_all

LISTING = {"method": "GET", "path": "/predictions$"}
POST = {"method": "POST", "path": "/predictions$"}


@pytest.fixture
def attempt(emulator: Emulator, group: str, tmp_path: Path) -> Callable[..., Run]:
    """An attempt of one upload, whose journal is in a folder."""

    def run(
        count: int, *, name: str = "the upload", force: bool = False, edition: int = 0, **options: Any
    ) -> Run:
        settings = settings_for(emulator)
        log = FolderLog(tmp_path, Header(settings.host, group, "a test"), source_key="a source")
        source = newer(count, edition) if edition else rows(count)
        return upload_all(source, settings, group, journal=Journal(log, upload=name, force=force), **options)

    return run


def lose_the_post_of(emulator: Emulator, scene: str, **more: Any) -> None:
    """The next POST of a scene is answered with 503, and not executed."""
    fault = {"kind": "503_before", "match": {**POST, "scene": scene}}
    emulator.set_faults(predictions_listing=True, page_size=2, script=[fault], **more)


def uuids_of(emulator: Emulator, group: str, scene: str) -> set[str]:
    return {row["uuid"] for row in emulator.predictions(group, scene)}


def assert_it_was_sent_again(run: Run, emulator: Emulator, group: str, scene: str, foreign: str) -> None:
    """Nobody else's prediction was taken for its own: there are both."""
    (result,) = [one for one in run.results if one.scene_uuid == scene]
    assert result.outcome is Outcome.CREATED
    assert result.prediction_uuid != foreign
    assert uuids_of(emulator, group, scene) == {foreign, result.prediction_uuid}


@pytest.mark.parametrize("paging", ["offset", "cursor"])
def test_a_scene_that_enters_the_source_later(
    emulator: Emulator, group: str, attempt: Callable[..., Run], paging: str
) -> None:
    """The group holds an older prediction of it, which the first attempt had no reason to note."""
    emulator.set_faults(predictions_listing=True, page_size=2, paging=paging)
    newcomer = demo.scene_uuid(3)
    foreign = emulator.add_prediction(group, newcomer)
    assert attempt(3).counts() == (3, 0, 0, 0)
    lose_the_post_of(emulator, newcomer, paging=paging)
    run = attempt(4)
    assert_it_was_sent_again(run, emulator, group, newcomer, foreign)


@pytest.mark.parametrize("first", [{"status": 422}, {"status": 429}])
def test_a_scene_that_somebody_uploads_by_hand_between_two_attempts(
    emulator: Emulator, group: str, attempt: Callable[..., Run], first: dict[str, Any]
) -> None:
    """It was refused, or not sent, the first time."""
    scene = demo.scene_uuid(1)
    refusal = {"kind": "status", **first, "match": {**POST, "scene": scene}, "times": 99}
    emulator.set_faults(predictions_listing=True, page_size=2, rules=[refusal])
    assert attempt(3).counts()[0] == 2
    foreign = emulator.add_prediction(group, scene)
    lose_the_post_of(emulator, scene)
    assert_it_was_sent_again(attempt(3), emulator, group, scene, foreign)


def test_a_run_that_is_cleared_much_later(
    emulator: Emulator, group: str, attempt: Callable[..., Run]
) -> None:
    """What its first attempt found is long out of date; the same under `force`."""
    emulator.set_faults(predictions_listing=True, page_size=2)
    assert attempt(2, force=True).counts() == (2, 0, 0, 0)
    foreign = emulator.add_prediction(group, demo.scene_uuid(2))
    lose_the_post_of(emulator, demo.scene_uuid(2))
    run = attempt(3, force=True)
    assert run.report.summary.skipped == 2
    assert_it_was_sent_again(run, emulator, group, demo.scene_uuid(2), foreign)


def test_what_came_of_a_lost_answer_is_adopted_all_the_same(
    emulator: Emulator, group: str, attempt: Callable[..., Run]
) -> None:
    """Also of a newcomer, beside the older one of somebody else's."""
    newcomer = demo.scene_uuid(3)
    foreign = emulator.add_prediction(group, newcomer)
    assert attempt(3).counts() == (3, 0, 0, 0)
    fault = {"kind": "503_after", "match": {**POST, "scene": newcomer}}
    emulator.set_faults(predictions_listing=True, page_size=2, script=[fault])
    run = attempt(4)
    assert_it_was_sent_again(run, emulator, group, newcomer, foreign)
    assert emulator.stats()["prediction_posts"] == 4


def test_a_newer_document_after_an_adopted_doubt(
    emulator: Emulator, group: str, attempt: Callable[..., Run]
) -> None:
    """Its POST is lost, and somebody else's prediction of the scene was there when it left: it is not adopted."""
    scene = demo.scene_uuid(0)
    lost = {"kind": "drop_after", "match": {**POST, "scene": scene}}
    hidden = {"kind": "status", "status": 404, "match": LISTING}
    passes = {"kind": "ok", "match": LISTING}
    emulator.set_faults(predictions_listing=True, page_size=2, script=[lost, passes, hidden])
    assert attempt(1).scenes(Outcome.IN_DOUBT) == {scene}
    (own,) = uuids_of(emulator, group, scene)
    foreign = emulator.add_prediction(group, scene)
    lose_the_post_of(emulator, scene)
    run = attempt(2, edition=1, on_changed="send")
    (result,) = [one for one in run.results if one.scene_uuid == scene]
    assert result.outcome is Outcome.CREATED
    assert result.prediction_uuid not in {own, foreign}
    assert uuids_of(emulator, group, scene) == {own, foreign, result.prediction_uuid}


def test_what_another_upload_finds_later_is_not_what_was_there_before(
    emulator: Emulator, group: str, tmp_path: Path
) -> None:
    """Its attempt began first, so that its lines stand first; it looked after this one had sent."""
    settings, scene = settings_for(emulator), demo.scene_uuid(0)

    def log(source: str) -> FolderLog:
        return FolderLog(tmp_path, Header(settings.host, group, "a test"), source_key=source)

    other = log("another source")
    other.open(lambda: False)
    lost = {"kind": "drop_after", "match": {**POST, "scene": scene}}
    hidden = {"kind": "status", "status": 404, "match": LISTING}
    passes = {"kind": "ok", "match": LISTING}
    emulator.set_faults(predictions_listing=True, script=[lost, passes, hidden])
    first = upload_all(rows(1), settings, group, journal=Journal(log("a source"), upload="the upload"))
    assert first.scenes(Outcome.IN_DOUBT) == {scene}
    (own,) = uuids_of(emulator, group, scene)
    other.append([encode(Baseline(to_bytes(scene), (to_bytes(own),), "another upload"))])
    other.close()
    emulator.set_faults(predictions_listing=True)
    run = upload_all(rows(1), settings, group, journal=Journal(log("a source"), upload="the upload"))
    assert (run.only().outcome, run.only().prediction_uuid) == (Outcome.CREATED, own)
    assert uuids_of(emulator, group, scene) == {own}


def test_a_try_that_sends_nothing_does_not_ask(
    emulator: Emulator, group: str, attempt: Callable[..., Run]
) -> None:
    emulator.set_faults(predictions_listing=True)
    attempt(3)
    emulator.reset_stats()
    assert attempt(3).report.summary.skipped == 3
    assert emulator.stats()["requests"] == {}


def test_an_upload_into_an_empty_group_asks_once(
    emulator: Emulator, group: str, attempt: Callable[..., Run]
) -> None:
    emulator.set_faults(predictions_listing=True)
    emulator.reset_stats()
    attempt(3)
    asked = emulator.stats()["requests"]["GET /v1/predictions-groups/{uuid}/predictions"]
    assert sum(asked.values()) == 1


def test_predictions_that_go_away_between_two_pages(
    emulator: Emulator, group: str, attempt: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    """An executed prediction that the listing skips for that is not taken for absent, and not sent again."""
    caplog.set_level("INFO")
    scene = demo.scene_uuid(0)
    for number in (10, 10, 11):
        emulator.add_prediction(group, demo.scene_uuid(number))
    lost = {"kind": "drop_after", "match": {**POST, "scene": scene}}
    # Two requests are what was there before; the third is the first page of the look at what is in doubt.
    away = {"kind": "remove_prediction", "scene": demo.scene_uuid(10), "match": LISTING}
    script = [lost, *({"kind": "ok", "match": LISTING} for _ in range(2)), away]
    emulator.set_faults(predictions_listing=True, page_size=3, script=script)
    assert attempt(1, settle_after=0.0).counts() == (1, 0, 0, 0)
    assert len(uuids_of(emulator, group, scene)) == 1
    assert "listing it again" in caplog.text


def test_a_group_that_is_never_left_alone(
    emulator: Emulator, group: str, attempt: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is concluded from what such a listing does not show; what it shows is adopted."""
    for number in range(10, 60):
        emulator.add_prediction(group, demo.scene_uuid(number))
    lost, executed = demo.scene_uuid(0), demo.scene_uuid(1)
    script = [
        {"kind": "drop_before", "match": {**POST, "scene": lost}},
        {"kind": "drop_after", "match": {**POST, "scene": executed}},
    ]
    away = {"kind": "remove_prediction", "match": LISTING, "probability": 0.4}
    emulator.set_faults(predictions_listing=True, page_size=10, script=script, rules=[away])
    run = attempt(3, settle_after=0.0)
    outcomes = {one.scene_uuid: one.outcome for one in run.results}
    assert outcomes[lost] in {Outcome.IN_DOUBT, Outcome.CREATED}
    assert len(uuids_of(emulator, group, lost)) <= 1
    assert len(uuids_of(emulator, group, executed)) == 1


@pytest.mark.parametrize("kind", ["endless", "no_way_on"])
def test_a_listing_that_cannot_be_believed(
    emulator: Emulator, group: str, attempt: Callable[..., Run], caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """It never ends, or says that there is more and gives no way to it: doubt stays doubt."""
    scene = demo.scene_uuid(1)
    lost = {"kind": "503_before", "match": {**POST, "scene": scene}}
    fault = {"kind": kind, "match": LISTING}
    emulator.set_faults(predictions_listing=True, script=[lost], rules=[fault])
    run = attempt(3)
    assert run.scenes(Outcome.IN_DOUBT) == {scene}
    assert uuids_of(emulator, group, scene) == set()
    assert "cannot be used" in caplog.text


def test_one_uuid_for_all_is_one_prediction(emulator: Emulator, group: str) -> None:
    """A proxy that caches: the first is created, of the others nothing is known."""
    emulator.set_faults(rules=[{"kind": "same_uuid", "match": POST}])
    run = upload_all(rows(5), settings_for(emulator, max_connections=1), group, on_ambiguous="fail")
    assert run.counts() == (1, 0, 4, 0)
    assert len({one.prediction_uuid for one in run.results if one.prediction_uuid}) == 1
    assert all(
        "which is of scene" in (one.message or "") for one in run.results if one.outcome is Outcome.IN_DOUBT
    )


def test_one_uuid_for_all_is_settled_by_the_listing(emulator: Emulator, group: str) -> None:
    """None of the others was executed: once the proxy is away they are sent, each once."""
    emulator.set_faults(predictions_listing=True, script=[{"kind": "same_uuid", "match": POST, "times": 5}])
    run = upload_all(rows(5), settings_for(emulator, max_connections=1), group)
    assert run.counts() == (5, 0, 0, 0)
    assert len({one.prediction_uuid for one in run.results}) == 5
    assert emulator.count_predictions(group) == 5


def test_the_old_uuid_of_the_same_scene_is_created_and_said(
    emulator: Emulator, group: str, attempt: Callable[..., Run]
) -> None:
    """A server may replace a prediction in place."""
    scene = demo.scene_uuid(0)
    foreign = emulator.add_prediction(group, scene)
    emulator.set_faults(
        predictions_listing=True, rules=[{"kind": "same_uuid", "uuid": foreign, "match": POST}]
    )
    result = attempt(1).only()
    assert (result.outcome, result.prediction_uuid) == (Outcome.CREATED, foreign)
    assert "replaced it in place" in (result.message or "")
