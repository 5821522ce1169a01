"""The triggers: made from what they serialize to, run against the emulator, and never a POST."""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.triggers import saying
from airflow_provider_kognic.triggers.predictions import DatasetScenesTrigger, PredictionsGroupTrigger
from tests.patience import wait_for

pytestmark = pytest.mark.usefixtures("quick_connection")


def made_again(trigger: Any) -> Any:
    """The trigger as the triggerer makes it from the database."""
    path, kwargs = trigger.serialize()
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)(**json.loads(json.dumps(kwargs)))


async def first_event(trigger: Any, seconds: float = 20.0) -> Any:
    events = trigger.run()
    event = await asyncio.wait_for(anext_of(events), seconds)
    await events.aclose()
    return event.payload


async def anext_of(events: Any) -> Any:
    return await events.__anext__()


def posts(server: Emulator) -> int:
    """POSTs to the API; fetching a token is one to the auth server."""
    return sum(
        sum(answers.values())
        for route, answers in server.stats()["requests"].items()
        if not route.startswith("GET") and "oauth/token" not in route
    )


@pytest.mark.parametrize(
    "trigger",
    [
        PredictionsGroupTrigger(dataset="demo", name="n", poke_interval=1.5, kognic_conn_id="other"),
        PredictionsGroupTrigger(dataset="demo", predictions_group_uuid=demo.DATASET_UUID),
        DatasetScenesTrigger(dataset="demo"),
        DatasetScenesTrigger(dataset="demo", scene_uuids=[demo.scene_uuid(0)], min_count=1),
    ],
)
def test_a_trigger_made_from_what_it_serializes_to_is_the_same(trigger: Any) -> None:
    assert made_again(trigger).serialize() == trigger.serialize()


@pytest.mark.parametrize("by", ["name", "predictions_group_uuid"])
def test_a_group_fires_the_trigger(server: Emulator, by: str) -> None:
    name = str(uuid.uuid4())
    group = server.create_group(name=name)
    server.reset_stats()
    trigger = PredictionsGroupTrigger(dataset="demo", **{by: name if by == "name" else group})  # type: ignore[arg-type]

    assert asyncio.run(first_event(made_again(trigger))) == {"answer": group}
    assert posts(server) == 0


def test_a_trigger_fires_when_what_it_waits_for_comes(server: Emulator) -> None:
    made = server.create_dataset(str(uuid.uuid4()), count=3, annotated=1)
    trigger = DatasetScenesTrigger(dataset=made["uuid"], scene_uuids=made["scenes"], poke_interval=0.05)

    async def wait() -> Any:
        waiting = asyncio.create_task(first_event(made_again(trigger)))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        await asyncio.to_thread(server.annotate, made["uuid"], made["scenes"])
        return await waiting

    assert asyncio.run(wait()) == {"answer": 3}
    assert posts(server) == 0


def test_a_trigger_that_is_ended_and_made_again_goes_on(server: Emulator) -> None:
    """So it survives a restart of the triggerer."""
    name = str(uuid.uuid4())
    trigger = PredictionsGroupTrigger(dataset="demo", name=name, poke_interval=0.05)

    async def interrupted() -> None:
        waiting = asyncio.create_task(first_event(trigger))
        await asyncio.sleep(0.3)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(interrupted())
    group = server.create_group(name=name)

    assert asyncio.run(first_event(made_again(trigger))) == {"answer": group}


@pytest.mark.parametrize("kind", ["503_before", "drop_before", "html_error", "garbage", "429"])
def test_passing_troubles_are_waited_out(server: Emulator, kind: str) -> None:
    server.set_faults(script=[{"kind": kind, "times": 12, "match": {"method": "GET"}}])
    trigger = DatasetScenesTrigger(dataset="demo", poke_interval=0.05)

    assert asyncio.run(first_event(trigger)) == {"answer": 1}
    assert posts(server) == 0


def test_an_api_that_is_away_for_a_while_is_waited_for(server: Emulator) -> None:
    trigger = DatasetScenesTrigger(dataset="demo", poke_interval=0.05)

    async def wait() -> Any:
        await asyncio.to_thread(server.stop)
        try:
            waiting = asyncio.create_task(first_event(trigger))
            await asyncio.sleep(0.5)
        finally:
            await asyncio.to_thread(server.start)
        return await waiting

    assert asyncio.run(wait()) == {"answer": 1}


@pytest.mark.parametrize(
    ("faults", "dataset", "message"),
    [
        ([], "nope", "there is no dataset 'nope'"),
        ([{"kind": "status", "status": 403, "match": {"method": "GET"}}], "demo", "HTTP 403"),
        ([{"kind": "status", "status": 401, "match": {"method": "GET"}}], "demo", "HTTP 401"),
    ],
)
def test_what_waiting_cannot_mend_is_an_event_at_once(
    server: Emulator, faults: list[dict[str, Any]], dataset: str, message: str
) -> None:
    server.set_faults(rules=faults)
    event = asyncio.run(first_event(PredictionsGroupTrigger(dataset=dataset, name="n", poke_interval=60)))

    assert message in event["error"]
    assert posts(server) == 0


def test_a_connection_that_airflow_does_not_know_is_an_event_at_once() -> None:
    """As one that was removed while it was waited."""
    event = asyncio.run(first_event(PredictionsGroupTrigger(dataset="demo", name="n", kognic_conn_id="nope")))

    assert event == {"error": "Airflow knows no connection 'nope'; define it or correct kognic_conn_id."}


def test_a_trigger_does_not_hold_up_its_event_loop(server: Emulator) -> None:
    async def longest_pause() -> float:
        loop = asyncio.get_running_loop()
        waiting = asyncio.create_task(first_event(DatasetScenesTrigger(dataset="demo")))
        longest, last = 0.0, loop.time()
        while not waiting.done():
            await asyncio.sleep(0.01)
            longest, last = max(longest, loop.time() - last), loop.time()
        return longest

    asyncio.run(longest_pause())  # imports
    server.set_faults(rules=[{"kind": "latency", "seconds": 3, "match": {"method": "GET"}}])
    assert asyncio.run(longest_pause()) < 2


def test_a_trigger_refuses_what_no_sensor_would_give_it() -> None:
    with pytest.raises(KognicInputError):
        PredictionsGroupTrigger(dataset="demo")


def test_many_looks_take_one_token(server: Emulator) -> None:
    """A trigger that waits for days does not ask the auth server at every look."""
    scene = demo.scene_uuid(3)
    dataset = server.create_dataset(f"looks {uuid.uuid4()}", scenes=[scene], annotated=False)
    server.reset_stats()
    trigger = DatasetScenesTrigger(dataset=dataset["uuid"], scene_uuids=[scene], poke_interval=0.05)

    async def wait() -> Any:
        event = asyncio.create_task(first_event(trigger))
        while server.stats()["requests"].get("GET /v2/datasets", {}).get("200", 0) < 5:  # noqa: ASYNC110 - asked over HTTP
            await asyncio.sleep(0.05)
        server.annotate(dataset["uuid"], [scene])
        return await event

    assert asyncio.run(wait()) == {"answer": 1}
    assert server.stats()["token_requests"] == 1


def test_a_cancelled_trigger_waits_for_no_answer(server: Emulator) -> None:
    """Its look ends with it, however long the server hangs: the triggerer is not held up by the thread."""
    server.set_faults(rules=[{"kind": "hang", "seconds": 30, "match": {"method": "GET"}}])

    def wait_for_a_token() -> None:
        while not server.stats()["token_requests"]:
            time.sleep(0.05)
        time.sleep(0.3)  # the request after it is under way

    async def cancel() -> None:
        trigger = PredictionsGroupTrigger(dataset="demo", name="n")
        looking = asyncio.create_task(anext_of(trigger.run()))
        await asyncio.to_thread(wait_for_a_token)
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking

    began = time.monotonic()
    asyncio.run(cancel())
    server.clear_faults()
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("fault", [{"kind": "hang", "seconds": 300}, {"kind": "429", "retry_after": 300}])
def test_a_look_ends_with_the_time_for_all(
    server: Emulator, fault: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long Kognic is silent or asks to wait, as after a restart long past it."""
    monkeypatch.setattr("airflow_provider_kognic.triggers.predictions.LEAST_LOOK", 1)
    monkeypatch.setattr("airflow_provider_kognic.core.retries.Backoff.delay", lambda *_: 300.0)
    server.set_faults(rules=[{**fault, "match": {"method": "GET"}}])
    trigger = PredictionsGroupTrigger(dataset="demo", name="n", until=time.time() - 5)

    event = asyncio.run(first_event(made_again(trigger), seconds=60))

    assert event["timed_out"].startswith("Kognic had not answered when the time was over.")


def test_a_wait_without_change_is_said_now_and_then(
    server: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its first look, and then each time that the log has stood still for too long; in between, nothing."""
    made = server.create_dataset(str(uuid.uuid4()), count=3, annotated=1)
    given = {"dataset": made["uuid"], "scene_uuids": made["scenes"], "poke_interval": 0.02}
    # Airflow's own goes past `caplog` from 3.1 on.
    monkeypatch.setattr(DatasetScenesTrigger, "log", logging.getLogger(__name__))

    def said() -> list[str]:
        return [text for text in caplog.messages if "scenes" in text]

    async def wait(trigger: DatasetScenesTrigger, enough: Callable[[], object]) -> None:
        server.reset_stats()
        waiting = asyncio.create_task(first_event(trigger))
        await asyncio.to_thread(wait_for, enough)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    with caplog.at_level(logging.INFO):
        asyncio.run(wait(DatasetScenesTrigger(**given), lambda: looked(server) >= 12))
        assert len(said()) == 1
        monkeypatch.setattr(saying, "_EVERY", 0.0)
        caplog.clear()
        asyncio.run(wait(DatasetScenesTrigger(until=time.time() + 3600, **given), lambda: said()[1:]))
    first, second, *_ = said()
    assert second.startswith(f"{first} Asked 2 times; times out at 20")


def test_an_outage_is_said_once_and_its_end(
    server: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at each look, nor at each of its tries."""
    monkeypatch.setattr(DatasetScenesTrigger, "log", logging.getLogger(__name__))
    server.set_faults(script=[{"kind": "503_before", "times": 20, "match": {"method": "GET"}}])

    with caplog.at_level(logging.INFO):
        asyncio.run(first_event(DatasetScenesTrigger(dataset="demo", poke_interval=0.02)))

    vain, again = [text for text in caplog.messages if "Kognic c" in text or "; try " in text]
    assert vain.startswith("Kognic cannot be asked now, trying again: HTTP 503")
    assert again.startswith("Kognic can be asked again, after 4 times in vain since 20")


def looked(server: Emulator) -> int:
    """How often annotations were asked for: some times a look, however many datasets other tests have left."""
    return int(server.stats()["requests"].get("GET /v1/datasets/{uuid}/annotations", {}).get("200", 0))
