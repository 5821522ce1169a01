"""The trigger that watches a dataset, where Kognic, Airflow's store or the connection fail for a while."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.triggers import looks, saying

from .watches import GROUPS, SCENES, Store, Watch, create_group, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_kognic.emulator.testing import Emulator

pytestmark = pytest.mark.usefixtures("watched_connection")


class ReadOnly(Store):
    """A store that can be read and not written, or that has nothing for anybody, as told."""

    read_only = False
    hidden = False
    shows_when_read = False

    async def aget(self, key: str, default: Any = None) -> Any:
        if self.shows_when_read:  # not between a read and a write, where nobody could know of it
            self.hidden = self.shows_when_read = False
        return default if self.hidden else await super().aget(key, default)

    async def aset(self, key: str, value: Any) -> None:
        if self.read_only or self.hidden:
            raise RuntimeError("no asset of that name is active")
        await super().aset(key, value)


def names(watching: Watch) -> list[str]:
    return [told["predictions_group"] for told in watching.told]


def test_what_cannot_be_written_is_told_once_and_written_when_that_is_possible(
    server: Emulator, dataset: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    store = ReadOnly()

    async def watch() -> None:
        async with Watch(dataset["uuid"], GROUPS, store) as watching:
            await watching.until(lambda: store.values)
            seen = dict(store.values)
            store.read_only = True
            create_group(server, dataset, "a")
            await watching.until(lambda: watching.told)
            await watching.looks(server, 4)
            assert names(watching) == ["a"]
            store.read_only = False
            await watching.until(lambda: store.values != seen)
        async with Watch(dataset["uuid"], GROUPS, store) as after:
            await after.looks(server)
            assert after.told == []

    with caplog.at_level(logging.INFO):
        run(watch())
    said = [text for text in caplog.messages if "written" in text]
    assert [text.partition(",")[0] for text in said] == [
        "What has been seen cannot be written to Airflow's asset state store",
        "What has been seen is written again",
    ]


def test_a_first_look_that_cannot_be_written_is_the_first_all_the_same(
    server: Emulator, dataset: dict[str, Any]
) -> None:
    store = ReadOnly()
    store.read_only = True

    async def watch() -> None:
        async with Watch(dataset["uuid"], GROUPS, store) as watching:
            await watching.looks(server)
            create_group(server, dataset, "a")
            await watching.until(lambda: watching.told)
            assert names(watching) == ["a"]

    run(watch())


def test_a_store_that_loses_what_it_has_makes_nobody_miss_anything(
    server: Emulator, dataset: dict[str, Any]
) -> None:
    store = ReadOnly()

    async def watch() -> None:
        async with Watch(dataset["uuid"], GROUPS, store) as watching:
            await watching.until(lambda: store.values)
            store.hidden = True
            create_group(server, dataset, "a")
            await watching.until(lambda: watching.told)
            store.values.clear()
            store.hidden = False
            await watching.until(lambda: store.values)
            await watching.looks(server)
            assert names(watching) == ["a"]

    run(watch())


def test_an_asset_that_is_not_active_yet_is_not_begun_anew(server: Emulator, dataset: dict[str, Any]) -> None:
    """Airflow says then that there is nothing; what is there comes to light when it is active."""
    store = ReadOnly()

    async def watch() -> None:
        async with Watch(dataset["uuid"], GROUPS, store) as before:
            await before.until(lambda: store.values)
        create_group(server, dataset, "meanwhile")
        store.hidden = True
        async with Watch(dataset["uuid"], GROUPS, store) as after:
            await after.looks(server)
            assert after.told == []
            store.shows_when_read = True
            await after.until(lambda: after.told)
            assert names(after) == ["meanwhile"]

    run(watch())


def test_what_is_gone_for_one_look_only_is_no_news_when_it_is_back(
    server: Emulator, dataset: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A listing may be shown empty for a moment; who is gone for longer is forgotten."""
    empty = {"kind": "garbage", "body": '{"data": []}', "match": {"path": "predictions-groups$"}}
    create_group(server, dataset, "old")
    store = Store()

    async def watch() -> None:
        async with Watch(dataset["uuid"], GROUPS, store) as watching:
            await watching.until(lambda: store.values)
            server.set_faults(script=[empty])
            await watching.until(lambda: "gone: 1" in caplog.text)
            await watching.looks(server)
            assert watching.told == []
            server.set_faults(rules=[empty])
            await watching.looks(server, 4)
            server.clear_faults()
            await watching.until(lambda: watching.told)
            assert names(watching) == ["old"]

    with caplog.at_level(logging.INFO):
        run(watch())


def test_an_outage_is_said_once_and_then_now_and_then_and_its_end(
    server: Emulator,
    dataset: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Store()
    ours = "airflow_provider_kognic"

    async def watch() -> None:
        async with Watch(dataset["uuid"], GROUPS, store) as watching:
            await watching.until(lambda: store.values)
            caplog.clear()
            server.set_faults(rules=[{"kind": "503_before", "match": {"method": "GET"}}])
            await watching.looks(server, 12)
            assert len([one for one in caplog.records if one.name.startswith(ours)]) == 1
            monkeypatch.setattr(saying, "_EVERY", 0.0)
            server.clear_faults()
            create_group(server, dataset, "a")
            await watching.until(lambda: watching.told)
            server.set_faults(rules=[{"kind": "503_before", "match": {"method": "GET"}}])
            await watching.until(lambda: "2 times since" in caplog.text)
            server.clear_faults()
            await watching.until(lambda: caplog.text.count("Kognic can be asked again, after") == 2)

    with caplog.at_level(logging.INFO):
        run(watch())


@pytest.mark.parametrize(
    ("fault", "level"),
    [({"kind": "503_before"}, "WARNING"), ({"kind": "status", "status": 403}, "ERROR")],
    ids=["503", "403"],
)
def test_what_takes_somebody_to_mend_it_is_an_error_in_the_log(
    server: Emulator,
    dataset: dict[str, Any],
    fault: dict[str, Any],
    level: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.set_faults(rules=[{**fault, "match": {"method": "GET"}}])

    async def watch() -> None:
        async with Watch(dataset["uuid"], GROUPS, Store()) as watching:
            await watching.until(lambda: "cannot be asked now" in caplog.text)

    run(watch())
    assert {one.levelname for one in caplog.records if "cannot be asked" in one.getMessage()} == {level}


def test_a_connection_that_is_mended_is_read_anew_after_an_outage_too(
    server: Emulator,
    dataset: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    connection_to: Callable[..., dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    good, store = connection_to(server), Store()
    nowhere = {**good, "host": "http://127.0.0.1:9"}
    monkeypatch.setenv("AIRFLOW_CONN_KOGNIC_DEFAULT", json.dumps(nowhere))

    async def watch() -> None:
        async with Watch(dataset["uuid"], GROUPS, store) as watching:
            await watching.until(lambda: "cannot be asked now" in caplog.text)
            monkeypatch.setenv("AIRFLOW_CONN_KOGNIC_DEFAULT", json.dumps(good))
            await watching.until(lambda: store.values)

    run(watch())


def test_a_silent_server_holds_up_no_thread_of_others(server: Emulator, dataset: dict[str, Any]) -> None:
    """All triggers of a triggerer share its event loop's threads, in which it resolves names."""
    server.set_faults(rules=[{"kind": "hang", "seconds": 300, "match": {"method": "GET"}}])

    async def watch() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        async with Watch(dataset["uuid"], GROUPS, Store()) as watching:
            await watching.until(lambda: server.stats()["token_requests"])
            assert await asyncio.wait_for(asyncio.to_thread(lambda: "done"), 30) == "done"

    server.reset_stats()
    run(watch())


def test_a_crowd_that_goes_away_is_no_event_as_long_as_the_watcher_runs(
    server: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Also of more than the memory tells apart."""
    many = [str(uuid.uuid4()) for _ in range(1500)]
    made = server.create_dataset(f"crowd {uuid.uuid4()}", scenes=many, annotated=True)
    store = Store()

    async def watch() -> None:
        async with Watch(made["uuid"], SCENES, store) as watching:
            await watching.until(lambda: store.values)
            server.set_faults(
                rules=[{"kind": "garbage", "body": '{"data": []}', "match": {"path": "annotations$"}}]
            )
            await watching.until(lambda: "new: 0, gone: 1,500" in caplog.text)
            await watching.looks(server)
            assert watching.told == []

    with caplog.at_level(logging.INFO):
        run(watch())


@pytest.mark.parametrize(
    ("in_vain", "retry_after", "seconds"),
    [
        (0, None, 5),
        (1, None, 5),
        (2, None, 10),
        (4, None, 40),
        (5, None, 50),
        (99_999, None, 50),
        (1, 30, 30),
        (9, 7, 50),
        (1, 1e9, 600),
    ],
)
def test_looks_in_vain_become_rarer_and_wait_as_long_as_the_server_asks(
    in_vain: int, retry_after: float | None, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "_MOST", 60.0)
    assert looks.pause(5.0, in_vain, retry_after) == seconds


def test_who_looks_rarely_looks_no_more_rarely_for_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "_MOST", 60.0)
    assert [looks.pause(300.0, number, None) for number in range(4)] == [300.0] * 4
