"""The trigger that watches a dataset: what appears is told of once, across restarts and whatever goes wrong."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.groups.watching import MOST_MEMORY_BYTES, MOST_NAMED
from airflow_provider_kognic.triggers.predictions import DatasetEventTrigger

from .watches import GROUPS, SCENES, Store, Watch, create_group, run

if TYPE_CHECKING:
    from airflow_provider_kognic.emulator.testing import Emulator

pytestmark = pytest.mark.usefixtures("watched_connection")


def test_a_group_that_somebody_makes_is_told_of_and_what_was_there_is_not(
    server: Emulator, dataset: dict[str, Any]
) -> None:
    create_group(server, dataset, "old")
    store = Store()

    async def watch() -> None:
        async with Watch(dataset["name"], GROUPS, store) as watching:
            await watching.until(lambda: store.values)
            await watching.looks(server)
            assert watching.told == []
            made = create_group(server, dataset, "detector v7")
            await watching.until(lambda: watching.told)
            await watching.looks(server)
            (told,) = watching.told
            host = server.url.partition("://")[2]
            assert told["event"] == GROUPS
            assert (told["predictions_group_uuid"], told["predictions_group"]) == (made, "detector v7")
            assert (told["dataset_uuid"], told["dataset"]) == (dataset["uuid"], dataset["name"])
            assert told["asset"] == f"kognic://{host}/datasets/{dataset['uuid']}/predictions-groups/{made}"
            assert told["link"] == f"https://app.kognic.com/dataset/{dataset['uuid']}/predictions/{made}"
            assert (told["count"], told["total"]) == (1, 2)

    run(watch())


def test_scenes_that_are_annotated_are_told_of_once_by_their_names(
    server: Emulator, dataset: dict[str, Any]
) -> None:
    store, scenes = Store(), dataset["scenes"]

    async def watch() -> None:
        async with Watch(dataset["uuid"], SCENES, store) as watching:
            await watching.until(lambda: store.values)
            server.annotate(dataset["uuid"], scenes[2:4])
            await watching.until(lambda: watching.told)
            server.annotate(dataset["uuid"], [scenes[0], scenes[5]])  # the first one once more
            await watching.until(lambda: len(watching.told) == 2)
            await watching.looks(server)
        first, second = watching.told
        assert sorted(first["scene_uuids"]) == sorted(scenes[2:4])
        assert (first["count"], first["total"], first["named_all"]) == (2, 4, True)
        assert second["scene_uuids"] == [scenes[5]]
        assert first["id"] != second["id"]

    run(watch())


def test_a_restart_tells_what_came_meanwhile_and_nothing_twice(
    server: Emulator, dataset: dict[str, Any]
) -> None:
    store = Store()

    async def watch() -> None:
        async with Watch(dataset["uuid"], GROUPS, store) as before:
            await before.until(lambda: store.values)
            create_group(server, dataset, "a")
            await before.until(lambda: before.told)
            await before.looks(server)
        create_group(server, dataset, "b")
        async with Watch(dataset["uuid"], GROUPS, store) as after:
            await after.until(lambda: after.told)
            await after.looks(server)
        assert [told["predictions_group"] for told in (*before.told, *after.told)] == ["a", "b"]

    run(watch())


def test_who_dies_before_it_is_remembered_tells_it_again_by_the_same_id(
    server: Emulator, dataset: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost; whoever gets it twice can know."""
    monkeypatch.setattr("airflow_provider_kognic.triggers.predictions._STORED_AFTER", 60.0)
    store = Store()

    async def watch() -> None:
        async with Watch(dataset["uuid"], GROUPS, store) as before:
            await before.until(lambda: store.values)
            create_group(server, dataset, "a")
            await before.until(lambda: before.told)
        async with Watch(dataset["uuid"], GROUPS, store) as after:
            await after.until(lambda: after.told)
        assert before.told == after.told

    run(watch())


def test_two_triggerers_do_not_both_tell_what_one_has_told(server: Emulator, dataset: dict[str, Any]) -> None:
    store = Store()

    async def watch() -> None:
        async with Watch(dataset["uuid"], GROUPS, store) as one:
            await one.until(lambda: store.values)
            create_group(server, dataset, "a")
            await one.until(lambda: one.told)
            await one.looks(server)
            async with Watch(dataset["uuid"], GROUPS, store) as other:
                await other.looks(server, 6)
                create_group(server, dataset, "b")
                await other.until(lambda: one.told[1:] or other.told)
                await other.looks(server, 6)
        told = {payload["id"]: payload["predictions_group"] for payload in (*one.told, *other.told)}
        assert sorted(told.values()) == ["a", "b"]

    run(watch())


def test_without_a_store_it_remembers_as_long_as_it_runs(
    server: Emulator, dataset: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def watch() -> None:
        server.reset_stats()
        async with Watch(dataset["uuid"], GROUPS, None) as before:
            await before.looks(server)
            create_group(server, dataset, "a")
            await before.until(lambda: before.told)
        create_group(server, dataset, "missed")
        async with Watch(dataset["uuid"], GROUPS, None) as after:
            await after.looks(server)
            assert after.told == []
            create_group(server, dataset, "b")
            await after.until(lambda: after.told)
            assert [told["predictions_group"] for told in after.told] == ["b"]

    with caplog.at_level(logging.INFO):
        run(watch())
    assert "after a restart what is there then is known" in caplog.text


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "429"},
        {"kind": "503_before"},
        {"kind": "html_error"},
        {"kind": "drop_before"},
        {"kind": "status", "status": 401},
        {"kind": "status", "status": 403},
    ],
    ids=lambda fault: str(fault.get("status", fault["kind"])),
)
def test_trouble_does_not_end_it_and_is_said_once(
    server: Emulator, dataset: dict[str, Any], fault: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    store = Store()

    async def watch() -> None:
        async with Watch(dataset["uuid"], GROUPS, store) as watching:
            await watching.until(lambda: store.values)
            caplog.clear()
            server.set_faults(rules=[{**fault, "match": {"method": "GET"}}])
            await watching.looks(server, 20)
            server.clear_faults()
            create_group(server, dataset, "a")
            await watching.until(lambda: watching.told)

    with caplog.at_level(logging.INFO):
        run(watch())
    of_the_watcher = [
        one for one in caplog.records if one.name == "airflow_provider_kognic.triggers.predictions"
    ]
    warned = [one for one in of_the_watcher if one.levelno >= logging.WARNING]
    assert 1 <= len(warned) <= 3, [one.getMessage() for one in warned]
    assert "cannot be asked now, trying again" in warned[0].getMessage()


def test_a_dataset_that_is_not_there_yet_is_waited_for(server: Emulator) -> None:
    store, name = Store(), f"later {uuid.uuid4()}"

    async def watch() -> None:
        async with Watch(name, SCENES, store) as watching:
            await watching.looks(server)
            made = server.create_dataset(name, count=2, annotated=1)
            await watching.until(lambda: store.values)
            server.annotate(made["uuid"], made["scenes"])
            await watching.until(lambda: watching.told)

    run(watch())


def test_a_store_that_is_away_is_not_taken_for_an_empty_one(
    server: Emulator, dataset: dict[str, Any]
) -> None:
    store = Store()

    async def watch() -> None:
        async with Watch(dataset["uuid"], GROUPS, store) as before:
            await before.until(lambda: store.values)
        create_group(server, dataset, "a")
        store.fails = True
        async with Watch(dataset["uuid"], GROUPS, store) as after:
            await asyncio.sleep(0.3)
            assert after.told == []
            store.fails = False
            await after.until(lambda: after.told)

    run(watch())


def test_what_is_remembered_is_bounded_and_a_crowd_is_counted(
    server: Emulator, dataset: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through all pages of a listing; of many at once some are named."""
    many = [str(uuid.uuid4()) for _ in range(3000)]
    made = server.create_dataset(f"many {uuid.uuid4()}", scenes=many, annotated=False)
    store = Store()

    async def watch() -> None:
        async with Watch(made["uuid"], SCENES, store) as watching:
            await watching.until(lambda: store.values)
            await asyncio.to_thread(server.annotate, made["uuid"], many[:700])
            await watching.until(lambda: sum(told["count"] for told in watching.told) >= 700)
            named = len(watching.told)
            await asyncio.to_thread(server.annotate, made["uuid"], many[700:])
            await watching.until(lambda: sum(told["count"] for told in watching.told) >= 3000)
            await watching.looks(server)
        assert sum(told["count"] for told in watching.told) == 3000
        assert all(len(told["scene_uuids"]) <= MOST_NAMED for told in watching.told)
        assert all(set(told["scene_uuids"]) <= set(many[:700]) for told in watching.told[:named])
        assert all(len(json.dumps(told)) < 16_000 for told in watching.told)

    run(watch())
    assert 20_000 < max(map(len, store.values.values())) <= MOST_MEMORY_BYTES < 65_535


@pytest.mark.parametrize("value", ["text", 3, {"version": 9}, {"version": 1, "count": 1, "sketch": "!"}])
def test_a_memory_that_cannot_be_understood_is_begun_anew(
    server: Emulator, dataset: dict[str, Any], value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store()

    async def watch() -> None:
        async with Watch(dataset["uuid"], GROUPS, store) as watching:
            await watching.until(lambda: store.values)
        (key,) = store.values
        kept = json.loads(store.values[key])
        store.values[key] = json.dumps({**kept, **value} if isinstance(value, dict) else value)
        async with Watch(dataset["uuid"], GROUPS, store) as watching:
            await watching.looks(server)
            create_group(server, dataset, "a")
            await watching.until(lambda: watching.told)

    with caplog.at_level(logging.INFO):
        run(watch())
    (said,) = [one for one in caplog.records if "What is remembered cannot be understood" in one.getMessage()]
    assert said.levelname == "WARNING"


def test_watchers_of_one_asset_remember_apart(server: Emulator, dataset: dict[str, Any]) -> None:
    store = Store()

    async def watch() -> None:
        async with (
            Watch(dataset["uuid"], GROUPS, store) as groups,
            Watch(dataset["uuid"], SCENES, store) as scenes,
        ):
            await groups.until(lambda: len(store.values) == 2)
            create_group(server, dataset, "a")
            await groups.until(lambda: groups.told)
            assert scenes.told == []

    run(watch())


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"dataset": " "}, "'dataset' of a watcher must be text"),
        ({"dataset": "{{ params.dataset }}"}, "no template"),
        ({"dataset": None}, "'dataset' of a watcher must be text"),
        ({"event": "annotated"}, "event must be one of 'predictions_group_created', 'scenes_annotated'"),
        ({"poke_interval": 0}, "poke_interval must be a number of seconds above 0"),
        ({"poke_interval": float("nan")}, "poke_interval must be a number of seconds above 0"),
        ({"poke_interval": timedelta(minutes=5)}, "poke_interval must be a number of seconds above 0"),
        ({"poke_interval": 1e-9}, "poke_interval must be at least 0.05 s, not 1e-09"),
        ({"kognic_conn_id": ""}, "'kognic_conn_id' of a watcher"),
    ],
)
def test_a_wrong_argument_is_said_where_the_dag_file_is_parsed(given: dict[str, Any], wrong: str) -> None:
    with pytest.raises(KognicInputError, match="must be") as raised:
        DatasetEventTrigger(**{"dataset": "demo", "event": GROUPS, **given})
    assert wrong in str(raised.value)


def test_an_asset_takes_it_as_a_watcher() -> None:
    from airflow.sdk import Asset, AssetWatcher

    trigger = DatasetEventTrigger(dataset="demo", event=SCENES)
    asset = Asset("annotated", watchers=[AssetWatcher(name="people", trigger=trigger)])
    assert asset.watchers[0].trigger.serialize()[1]["dataset"] == "demo"


def test_an_asset_that_is_added_or_removed_loses_nothing_for_the_others(
    server: Emulator, dataset: dict[str, Any]
) -> None:
    """Airflow runs equal watchers of several assets as one trigger, in which each has a store of its own."""
    night, added = Store(), Store()

    class Stores:
        def __init__(self, **stores: Store) -> None:
            self._by_name = stores

    async def told_by(stores: Any, name: str) -> list[str]:
        create_group(server, dataset, name)
        async with Watch(dataset["uuid"], GROUPS, stores) as watching:
            await watching.until(lambda: watching.told)
            await watching.looks(server)
            return [told["predictions_group"] for told in watching.told]

    async def watch() -> None:
        async with Watch(dataset["uuid"], GROUPS, night) as before:
            await before.until(lambda: night.values)
        assert await told_by(Stores(night=night, added=added), "a") == ["a"]
        assert await told_by(added, "b") == ["b"]

    run(watch())
