"""An input API that is not there, says no, or does not answer: said once, and gone on without."""

import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.api.input_api.records import SceneSummary
from airflow_provider_kognic.core.errors import KognicServerError
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.scenes.asking import Asker, ClosedError, NotAskedError
from airflow_provider_kognic.core.scenes.cache import SceneCache
from airflow_provider_kognic.core.scenes.known import KnownScenes
from airflow_provider_kognic.core.scenes.once import Once
from airflow_provider_kognic.core.upload.stop import Stop
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import UUID
from tests.patience import wait_for

from .worlds import CALIBRATIONS, PLANTED, SCENES, SETUPS, World, full, planted, upload_checked

OF_SCENES = {"method": "GET", "path": "^/v2/scenes/"}


def off(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        line for line in caplog.messages if line.startswith(("No scenes are asked", "No calibrations are"))
    ]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"scopes": {"{client}": ["api:write", "api:read"]}, "input_scope": "input:read"}, "input:read"),
        ({"rules": [{"kind": "status", "status": 405, "match": OF_SCENES}]}, "HTTP 405"),
        ({"rules": [{"kind": "redirect", "location": "/login", "match": OF_SCENES}]}, "HTTP 302"),
        ({"rules": [{"kind": "status", "status": 401, "match": OF_SCENES}]}, "HTTP 401"),
    ],
    ids=["scope", "405", "redirect", "401"],
)
def test_an_api_that_says_no_is_asked_no_further(
    emulator: Emulator, caplog: pytest.LogCaptureFixture, settings: dict[str, Any], said: str
) -> None:
    """Of a few scenes, as that many were asked for at the same time; it is said once, and counted."""
    world = World(emulator, [SETUPS[0]] * 45)
    if "scopes" in settings:
        settings = {**settings, "scopes": {emulator.client_id: settings["scopes"]["{client}"]}}
    emulator.change_faults(**settings)
    spoiled = [planted(PLANTED[0][0], SETUPS[0])] * 45
    with caplog.at_level(logging.WARNING):
        done = upload_checked(world, world.rows(spoiled))
    assert {one.outcome for one in done.results.values()} == {Outcome.CREATED}
    assert done.counts == {"checked": 0, "unchecked": 45, "refused": 0, "warned": 0, "found": {}}
    (line,) = off(caplog)
    assert said in line
    assert "Documents go on unchecked" in line
    assert world.asked(SCENES) <= 40
    assert any("0 documents were checked against their scenes, 45 not" in one for one in caplog.messages)


@pytest.mark.parametrize("endpoints", [False, ["calibrations"]])
def test_where_there_is_no_such_endpoint_everything_is_404(
    emulator: Emulator, caplog: pytest.LogCaptureFixture, endpoints: Any
) -> None:
    """Then no scene is unknown for that; after some it is given up."""
    world = World(emulator, [SETUPS[0]] * 45)
    emulator.change_faults(input_api=endpoints)
    with caplog.at_level(logging.WARNING):
        done = upload_checked(world, world.rows([full(SETUPS[0])] * 45))
    assert {one.outcome for one in done.results.values()} == {Outcome.CREATED}
    assert done.counts["unchecked"] == 45
    (line,) = off(caplog)
    assert "all answered with 404" in line
    assert sum("has shown no scene before" in one for one in caplog.messages) == 1
    asked = emulator.stats()["requests"]
    assert sum(sum(asked[route].values()) for route in asked if "/v2/scenes" in route) <= 120


def test_credentials_that_see_no_scene_refuse_no_document(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """All is answered as by an API that is there and has no such scene; that is said, and given up after some."""
    world = World(emulator, [SETUPS[0]] * 45)
    world.scenes = emulator.create_dataset(count=45)["scenes"]
    emulator.annotate(world.dataset, world.scenes)
    with caplog.at_level(logging.WARNING):
        done = upload_checked(world, world.rows([full(SETUPS[0])] * 45))
    assert {one.outcome for one in done.results.values()} == {Outcome.CREATED}
    assert done.counts["unchecked"] == 45
    (line,) = off(caplog)
    assert "these credentials see none of them" in line


def test_the_answer_of_another_scene_is_none_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    class Api:
        def scene(self, _: str) -> SceneSummary:
            return SceneSummary(UUID)

    known = KnownScenes(Api(), SceneCache(None, "h"))  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        found = [known.scene(f"00000000-0000-4000-8000-{number:012x}") for number in range(5)]
    assert found == [None] * 5
    (line,) = caplog.messages
    assert line.endswith(f"the API answered with {UUID}.")


def test_without_the_calibrations_images_have_no_size(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """What needs none is found all the same."""
    spoils = [PLANTED[0][0], PLANTED[7][0], PLANTED[9][0]]
    world = World(emulator, [SETUPS[1]] * 3)
    emulator.change_faults(rules=[{"kind": "status", "status": 403, "match": {"path": "^/v1/calibrations"}}])
    with caplog.at_level(logging.WARNING):
        done = upload_checked(world, world.rows([planted(spoil, SETUPS[1]) for spoil in spoils]))
    outcomes = [done.results[scene].outcome for scene in world.scenes]
    assert outcomes == [Outcome.REFUSED, Outcome.CREATED, Outcome.CREATED]
    (line,) = off(caplog)
    assert "not held against the sizes of images" in line
    assert world.asked(CALIBRATIONS) == 1


def test_without_the_query_a_scene_that_is_not_there_is_unknown(emulator: Emulator) -> None:
    """Once any scene was found: so the endpoint is there."""
    world = World(emulator, [SETUPS[0]] * 3)
    emulator.change_faults(input_api=["scenes", "calibrations"])
    emulator.set_scene_status(world.scenes[2], "invalidated:duplicate")
    done = upload_checked(world, world.rows([full(SETUPS[0])] * 3), options={"max_connections": 1})
    assert done.results[world.scenes[2]].reason == "scene_mismatch"
    assert "scene_unknown" in str(done.results[world.scenes[2]].message)


@pytest.mark.parametrize("kind", ["503_before", "drop_after", "429", "garbage"])
def test_an_api_that_does_not_answer_is_given_up_after_a_while(
    emulator: Emulator, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    world = World(emulator, [SETUPS[0]] * 30)
    emulator.change_faults(rules=[{"kind": kind, "match": OF_SCENES}])
    with caplog.at_level(logging.WARNING):
        done = upload_checked(world, world.rows([full(SETUPS[0])] * 30), patience=0.3)
    assert {one.outcome for one in done.results.values()} == {Outcome.CREATED}
    assert done.counts["unchecked"] == 30
    (line,) = off(caplog)
    assert "there was no answer for" in line


def test_an_outage_that_passes_is_waited_for(emulator: Emulator) -> None:
    world = World(emulator, [SETUPS[0]] * 20)
    emulator.change_faults(rules=[{"kind": "503_before", "match": OF_SCENES, "times": 25}])
    done = upload_checked(world, world.rows([full(SETUPS[0])] * 20), patience=60.0)
    assert done.counts["checked"] == 20


def test_one_scene_that_alone_gets_no_answer_goes_without(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(emulator, [SETUPS[0]] * 30)
    path = f"^/v2/scenes/{world.scenes[0]}"
    emulator.change_faults(rules=[{"kind": "503_before", "match": {"path": path}}])
    with caplog.at_level(logging.WARNING):
        done = upload_checked(world, world.rows([full(SETUPS[0])] * 30))
    assert (done.counts["checked"], done.counts["unchecked"]) == (29, 1)
    assert not off(caplog)
    assert sum("one could not be had, and goes without" in line for line in caplog.messages) == 1


def test_a_stop_waits_for_no_scene(emulator: Emulator) -> None:
    """However long an answer takes; what was not sent is unsent, and the truth is told."""
    world = World(emulator, [SETUPS[0]] * 40)
    emulator.change_faults(rules=[{"kind": "hang", "seconds": 60, "match": OF_SCENES}])
    stop = Stop()

    def end_it() -> None:
        wait_for(lambda: emulator.stats()["faults"].get("hang", 0) >= 5)
        stop.request("killed")

    thread = threading.Thread(target=end_it)
    thread.start()
    done = upload_checked(world, world.rows([full(SETUPS[0])] * 40), stop=stop)
    thread.join()
    assert {one.outcome for one in done.results.values()} == {Outcome.UNSENT}
    assert len(done.results) == 40
    assert emulator.predictions(world.group) == []


def test_what_is_kept_outlives_an_api_that_is_gone(emulator: Emulator, tmp_path: Path) -> None:
    world = World(emulator, [SETUPS[1]] * 5)
    upload_checked(world, world.rows([full(SETUPS[1])] * 5), folder=tmp_path)
    emulator.change_faults(input_api=False)
    world.group = emulator.create_group(world.dataset)
    done = upload_checked(world, world.rows([planted(PLANTED[0][0], SETUPS[1])] * 5), folder=tmp_path)
    assert done.counts["refused"] == 5


def test_ten_who_want_the_same_wait_for_one() -> None:
    """Where it fails, it does for all of them, and the next one tries again."""
    asked: list[str] = []
    may_go = threading.Event()

    def find(key: str) -> str:
        asked.append(key)
        may_go.wait()
        if len(asked) == 1:
            raise LookupError(key)
        return key.upper()

    once: Once[str] = Once(find)

    def all_of_ten() -> set[object]:
        found: list[object] = []
        may_go.clear()

        def get() -> None:
            try:
                found.append(once.get("a"))
            except LookupError as error:
                found.append(type(error))

        threads = [threading.Thread(target=get) for _ in range(10)]
        before = len(asked)
        threads[0].start()
        wait_for(lambda: len(asked) > before)
        for thread in threads[1:]:
            thread.start()
        may_go.set()
        for thread in threads:
            thread.join()
        return set(found)

    assert LookupError in all_of_ten()
    asked[:] = ["before"]
    once = Once(find)
    assert all_of_ten() == {"A"}
    assert len(asked) == 2
    assert once.get("a") == "A"


def test_who_waits_is_let_go_at_the_end() -> None:
    asker = Asker("scenes", "", backoff=Backoff(first=60, most=60))
    ended: list[type[BaseException]] = []

    def fail() -> None:
        raise KognicServerError("busy")

    def ask() -> None:
        try:
            asker.ask(fail)
        except (ClosedError, NotAskedError) as error:
            ended.append(type(error))

    thread = threading.Thread(target=ask)
    thread.start()
    asker.close()
    thread.join()
    assert ended == [ClosedError]


def test_how_long_is_waited_for_those_that_get_no_answer_has_a_bound() -> None:
    """However many are answered beside them: an upload of ten thousand scenes does not wait for each tenth."""
    asker = Asker("scenes", "", patience=0.02, backoff=Backoff(first=0.05, most=0.05, attempts=3))

    def fail_beside_another() -> None:
        asker.ask(lambda: None)
        raise KognicServerError("busy")

    given_up = 0
    while asker.off is None and given_up < 1000:
        with pytest.raises(NotAskedError):
            asker.ask(fail_beside_another)
        given_up += 1
    assert asker.off is not None
    assert "too many get no answer" in asker.off
    assert given_up > 1
