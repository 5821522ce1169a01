"""Listings of single calls: each is read to its end, or that it could not be is an error; never half of one."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import KognicAnswerError, KognicError, KognicRowError
from airflow_provider_kognic.core.groups.ensure import ensure_predictions_group
from airflow_provider_kognic.core.groups.waiting import DatasetScenesQuestion, PredictionsGroupQuestion
from airflow_provider_kognic.core.validation.scenes import AnnotatedScenes
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.api.both_clients import ONCE
from tests.core.support import RawServer, Request, http, raw_server, settings_for

Envelope = dict[str, Any]
# The answer to what is asked for of a listing, by the last part of its path.
Listing = Callable[[str, dict[str, str]], Envelope]


def uuid(number: int) -> str:
    return str(UUID(int=number + (1 << 100)))


DATASET = {"uuid": uuid(1), "name": "a dataset"}
NEW = uuid(99)


@contextmanager
def kognic(listing: Listing, emulator: Emulator) -> Iterator[tuple[RawServer, KognicClient]]:
    """Serve listings; a POST makes a group."""

    def answer(connection: socket.socket, request: Request) -> None:
        parts = urlsplit(request.path)
        ask = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        found = {"data": NEW} if request.method == "POST" else listing(parts.path.rpartition("/")[2], ask)
        connection.sendall(http(body=json.dumps(found)))

    with raw_server(answer) as server:
        settings = settings_for(emulator, base_url=server.url)
        with KognicClient(settings, tokens=TokenProvider(settings_for(emulator)), backoff=ONCE) as client:
            yield server, client


def by_cursor(rows: list[Any], *, size: int = 2, number: bool = False) -> Listing:
    """Pages with a cursor; every listing holds the same rows."""

    def page(_: str, ask: dict[str, str]) -> Envelope:
        start = int(ask.get("cursorId", "0"))
        end = start + size
        following: Any = (end if number else str(end)) if end < len(rows) else None
        return {"data": rows[start:end], "metadata": {"nextCursorId": following}, "hasNext": end < len(rows)}

    return page


def groups(count: int) -> list[Any]:
    return [{"uuid": uuid(number), "name": f"group {number}"} for number in range(count)]


def posts(server: RawServer) -> int:
    return sum(request.method == "POST" for request in server.requests)


@pytest.mark.parametrize("number", [False, True])
def test_a_group_on_page_two_is_found(emulator: Emulator, *, number: bool) -> None:
    """And no second one of its name is made; nor is it missed by who waits for it."""
    with kognic(by_cursor(groups(5), number=number), emulator) as (server, client):
        assert ensure_predictions_group(client, uuid(1), "group 4", sleep=lambda _: None) == uuid(4)
        assert posts(server) == 0
        assert len(client.list_predictions_groups(uuid(1))) == 5
        assert [dataset.name for dataset in client.list_datasets()] == [f"group {i}" for i in range(5)]
        assert PredictionsGroupQuestion(uuid(4), "group 3").ask(client)[0] == uuid(3)


@pytest.mark.parametrize("last", [{}, {"metadata": {}}, {"metadata": None}, {"hasNext": False}])
def test_an_answer_that_says_nothing_of_more_is_all(emulator: Emulator, last: Envelope) -> None:
    """As the documentation has it, a listing of groups is one answer."""
    with kognic(lambda *_: {"data": groups(3), **last}, emulator) as (server, client):
        assert len(client.list_predictions_groups(uuid(1))) == 3
        assert len(server.requests) == 1
        assert ensure_predictions_group(client, uuid(1), "another", sleep=lambda _: None) == NEW


def endless() -> Listing:
    """Each page is one new row, and there is always another."""

    def page(_: str, ask: dict[str, str]) -> Envelope:
        at = int(ask.get("cursorId", "0"))
        return {"data": groups(at + 1)[at:], "metadata": {"nextCursorId": at + 1}}

    return page


def in_a_circle(_: str, ask: dict[str, str]) -> Envelope:
    return {"data": groups(2), "metadata": {"nextCursorId": "b" if ask.get("cursorId") == "a" else "a"}}


@pytest.mark.parametrize(
    ("listing", "error", "said"),
    [
        (lambda *_: {"data": groups(2), "hasNext": True}, KognicRowError, "gives no way to it"),
        (lambda *_: {"data": [], "hasNext": True}, KognicRowError, "gives no way to it"),
        (lambda *_: {"data": groups(2), "metadata": {"hasNext": True}}, KognicRowError, "no way to it"),
        (in_a_circle, KognicRowError, "in a circle"),
        (endless(), KognicRowError, "did not end"),
        (lambda *_: {"data": [], "metadata": {"nextCursorId": {"a": 1}}}, KognicAnswerError, "nextCursorId"),
        (lambda *_: {"data": [], "metadata": {"nextCursorId": True}}, KognicAnswerError, "nextCursorId"),
        (lambda *_: {"data": [], "hasNext": "yes"}, KognicAnswerError, "hasNext"),
    ],
)
def test_what_cannot_be_read_to_its_end_is_an_error(
    emulator: Emulator, listing: Listing, error: type[KognicError], said: str
) -> None:
    """Nothing is concluded from it, and no group is made; the message names the listing."""
    with kognic(listing, emulator) as (server, client):
        with pytest.raises(error, match=said) as caught:
            ensure_predictions_group(client, uuid(1), "another", sleep=lambda _: None)
        assert posts(server) == 0
        assert caught.value.method == "GET"
        assert caught.value.url == f"{server.url}/v1/datasets/{uuid(1)}/predictions-groups"
        with pytest.raises(error, match=said):
            client.list_datasets()


def annotations(count: int) -> list[Any]:
    return [{"uuid": uuid(number), "sceneUuid": uuid(number)} for number in range(count)]


def with_dataset(listing: Listing) -> Listing:
    return lambda what, ask: {"data": [DATASET]} if what == "datasets" else listing(what, ask)


def by_offset(rows: list[Any], *, between: Callable[[int], None] = lambda _: None, size: int = 3) -> Listing:
    """The documented pages; `between` is called with each offset after its page was made."""

    def page(_: str, ask: dict[str, str]) -> Envelope:
        start = int(ask.get("offset", "0"))
        data = rows[start : start + size]
        between(start)
        return {"data": data}

    return page


@pytest.mark.parametrize("listing", [by_cursor, by_offset])
def test_annotations_beyond_the_first_page(emulator: Emulator, listing: Any) -> None:
    with kognic(with_dataset(listing(annotations(8))), emulator) as (_, client):
        assert [found.scene_uuid for found in client.iter_annotations(uuid(1))] == list(map(uuid, range(8)))
        AnnotatedScenes(lambda: client.iter_annotations(uuid(1))).check(uuid(7))
        question = DatasetScenesQuestion("a dataset", [uuid(7)])
        assert question.ask(client)[0] == 1


def test_annotations_without_uuid(emulator: Emulator) -> None:
    """The documentation promises none: several of one scene are told apart by the rest of the row."""
    rows = [{"sceneUuid": uuid(number // 2), "task": number} for number in range(8)]
    with kognic(by_offset(rows), emulator) as (_, client):
        assert [found.raw["task"] for found in client.iter_annotations(uuid(1))] == list(range(8))


@pytest.mark.parametrize("name", ["uuid", "task"])
def test_a_listing_that_lost_a_row_is_read_again(emulator: Emulator, name: str) -> None:
    """Somebody removes an annotation while they are listed: none of the others is missed."""
    rows = [{name: uuid(number), "sceneUuid": uuid(number)} for number in range(8)]

    def remove_once(offset: int) -> None:
        if offset == 0 and len(rows) == 8:
            del rows[0]

    with kognic(by_offset(rows, between=remove_once), emulator) as (_, client):
        found = [annotation.scene_uuid for annotation in client.iter_annotations(uuid(1))]
        assert set(found) >= set(map(uuid, range(1, 8)))


def test_a_listing_that_keeps_losing_rows_is_an_error(emulator: Emulator) -> None:
    """Then it is not known which scenes have annotations."""
    rows = annotations(100)

    def remove(offset: int) -> None:
        if offset == 0:
            del rows[0]

    with kognic(by_offset(rows, between=remove), emulator) as (server, client):
        with pytest.raises(KognicAnswerError, match="changed while it was read") as caught:
            list(client.iter_annotations(uuid(1)))
        assert caught.value.url == f"{server.url}/v1/datasets/{uuid(1)}/annotations"
        assert len(rows) == 95


def test_pages_of_one_annotation_each_are_read_to_their_end(emulator: Emulator) -> None:
    """None can overlap with another, so that nobody can tell whether a row went away: read once, as before."""
    dataset = emulator.create_dataset("small pages", scenes=[uuid(number) for number in range(5)])["uuid"]
    emulator.set_faults(page_size=1)
    with KognicClient(settings_for(emulator)) as client:
        found = [annotation.scene_uuid for annotation in client.iter_annotations(dataset)]
    assert sorted(found) == sorted(uuid(number) for number in range(5))
