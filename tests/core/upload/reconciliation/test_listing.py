"""Listings of predictions that are not as they should be: none leads to a wrong conclusion, and none is endless."""

import json
import logging
import random
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import RawServer, Request, http, raw_server, reset, rows, settings_for, upload_all

Page = Callable[[list[dict[str, str]], int], list[dict[str, str]]]


@contextmanager
def kognic(page: Page, *, lose: set[str], commit: bool = True) -> Iterator[RawServer]:
    """Serve predictions, losing the first answer about some scenes; `page` makes a page of what there is."""
    stored: list[dict[str, str]] = []
    lost = set(lose)

    def answer(connection: socket.socket, request: Request) -> None:
        if request.method == "GET":
            offset = int(request.path.partition("offset=")[2] or 0)
            connection.sendall(http(body=json.dumps({"data": page(stored, offset)})))
            return
        scene = json.loads(request.body)["sceneUuid"]
        row = {"uuid": str(uuid.uuid4()), "sceneUuid": scene}
        if scene in lost:
            lost.remove(scene)
            if commit:
                stored.append(row)
            reset(connection)
            return
        stored.append(row)
        connection.sendall(http(body=json.dumps({"data": row["uuid"]})))

    with raw_server(answer) as server:
        server.stored = stored  # type: ignore[attr-defined]
        yield server


def upload_to(server: RawServer, emulator: Emulator, group: str, **options: Any) -> Any:
    settings = settings_for(emulator, base_url=server.url, max_connections=2)
    return upload_all(rows(12), settings, group, **options)


def shuffled(stored: list[dict[str, str]], _offset: int) -> list[dict[str, str]]:
    """Everything, each time in another order."""
    return random.sample(stored, len(stored))


def renamed(stored: list[dict[str, str]], offset: int) -> list[dict[str, str]]:
    return [
        {"id": row["uuid"].upper(), "scene_uuid": row["sceneUuid"]} for row in stored[offset : offset + 3]
    ]


def overlapping(stored: list[dict[str, str]], offset: int) -> list[dict[str, str]]:
    """Pages whose borders move, as when others add to the group: rows come twice."""
    return stored[max(0, offset - 2) : offset + 3] if offset < len(stored) else []


def test_a_listing_that_ignores_the_offset_is_not_followed_for_ever(emulator: Emulator, group: str) -> None:
    """A page that brings nothing new ends it, whatever its order; then doubt stays doubt."""
    scene = demo.scene_uuid(5)
    with kognic(shuffled, lose={scene}) as server:
        run = upload_to(server, emulator, group)
        assert run.scenes(Outcome.IN_DOUBT) == {scene}
        assert not run.report.settles
        assert len(server.requests) < 20


@pytest.mark.parametrize("page", [renamed, overlapping])
@pytest.mark.parametrize("commit", [True, False])
def test_what_it_shows_settles_doubt(
    emulator: Emulator,
    group: str,
    caplog: pytest.LogCaptureFixture,
    page: Page,
    *,
    commit: bool,
) -> None:
    """Other field names and rows that come twice do no harm: none is taken for a second prediction."""
    with kognic(page, lose={demo.scene_uuid(5)}, commit=commit) as server:
        run = upload_to(server, emulator, group)
        assert run.counts() == (12, 0, 0, 0)
        assert len(server.stored) == 12  # type: ignore[attr-defined]
    assert "has to remove" not in caplog.text


def lines(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """What this package said at a level."""
    ours = [one for one in caplog.records if one.name.startswith("airflow_provider_kognic.core.upload")]
    return [one.getMessage() for one in ours if one.levelno == level]


def test_a_listing_that_nobody_needed_is_no_warning(
    emulator: Emulator, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Kognic documents none, so there may be none each day: said once, in words of consequence."""
    caplog.set_level(logging.INFO)
    run = upload_all(rows(12), settings_for(emulator), group)
    assert run.counts() == (12, 0, 0, 0)
    assert lines(caplog, logging.WARNING) == []
    (said,) = [one for one in lines(caplog, logging.INFO) if "cannot be used" in one]
    assert said.startswith(
        "Doubt, if any, will be named, not settled: this server's listing of predictions cannot be used (HTTP 405: "
    )


def test_doubt_that_cannot_be_settled_is_a_warning(
    emulator: Emulator, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Once for all, with their number first; then each is named."""
    caplog.set_level(logging.INFO)
    lost = [{"kind": "503_before", "match": {"scene": demo.scene_uuid(n)}} for n in (3, 5)]
    emulator.set_faults(rules=lost)
    run = upload_all(rows(12), settings_for(emulator), group)
    assert run.counts() == (10, 0, 2, 0)
    (said,) = lines(caplog, logging.WARNING)
    assert said.startswith(
        "2 predictions stay in doubt: what came of that cannot be asked, as this server's "
    )
    assert "(HTTP 405: " in said
    named = [one.getMessage() for one in caplog.records if one.getMessage().startswith("in_doubt: ")]
    assert [one.partition(" (scene ")[0] for one in named] == [
        "in_doubt: http_503: An emulated fault. There is no listing to ask."
    ] * 2


def test_pages_of_one_are_a_warning_only_in_doubt(
    emulator: Emulator, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What was there before is looked up in each upload: that it cannot be checked matters to those in doubt."""

    def one_by_one(stored: list[dict[str, str]], offset: int) -> list[dict[str, str]]:
        return stored[offset : offset + 1]

    caplog.set_level(logging.INFO)
    with kognic(one_by_one, lose=set()) as server:
        server.stored += [{"uuid": str(uuid.uuid4()), "sceneUuid": str(uuid.uuid4())} for _ in range(3)]  # type: ignore[attr-defined]
        assert upload_to(server, emulator, group).counts() == (12, 0, 0, 0)
    assert [one for one in lines(caplog, logging.INFO) if "one prediction each" in one] != []
    assert lines(caplog, logging.WARNING) == []
    with kognic(one_by_one, lose={demo.scene_uuid(5)}) as server:
        assert upload_to(server, emulator, group).counts() == (12, 0, 0, 0)
    assert [one for one in lines(caplog, logging.WARNING) if "one prediction each" in one] != []
