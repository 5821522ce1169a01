"""One predictions group out of one intent, whatever is lost on the way, and whoever dies."""

import json
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_kognic.core.api import answers
from airflow_provider_kognic.core.api import client as client_module
from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.api.dataset_api import endpoints
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import (
    KognicAmbiguousError,
    KognicError,
    KognicInputError,
    KognicJournalError,
    KognicJournalFormatError,
    KognicRequestError,
    KognicUnclearRedirectError,
)
from airflow_provider_kognic.core.groups import ensure as groups_module
from airflow_provider_kognic.core.groups import intent, lookup
from airflow_provider_kognic.core.groups.ensure import ensure_predictions_group
from airflow_provider_kognic.core.groups.if_exists import IfExists
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import UUID, Request, http, raw_server, settings_for

PATH = "/predictions-groups$"
IF_EXISTS = [choice.value for choice in IfExists]


@pytest.fixture
def client(emulator: Emulator) -> KognicClient:
    return KognicClient(settings_for(emulator, timeout=3), backoff=Backoff(0.01, 0.02, attempts=2))


def ensure(client: KognicClient, name: str, **options: Any) -> str:
    return ensure_predictions_group(
        client, demo.DATASET_UUID, name, **{"sleep": lambda seconds: time.sleep(seconds / 20), **options}
    )


def posts(**fault: Any) -> dict[str, Any]:
    return {"match": {"method": "POST", "path": PATH}, **fault}


def uuids(client: KognicClient, name: str) -> list[str]:
    return [group.uuid for group in client.find_predictions_groups(demo.DATASET_UUID, name)]


@pytest.mark.parametrize("if_exists", ["reuse", "create", "fail"])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_after"},
        {"kind": "503_after"},
        {"kind": "garbage"},
        {"kind": "late_commit", "seconds": 0.7},
        {"kind": "drop_before"},
        {"kind": "503_before"},
    ],
    ids=lambda fault: fault["kind"],
)
def test_a_lost_answer_makes_one_group(
    emulator: Emulator, client: KognicClient, fault: dict[str, Any], if_exists: str
) -> None:
    """Made or not, and made late: afterwards there is one, and its uuid is what is returned."""
    name = f"group {uuid4()}"
    emulator.set_faults(script=[posts(**fault)])
    uuid = ensure(client, name, if_exists=if_exists)
    assert uuids(client, name) == [uuid]


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
def test_what_cannot_be_listed_is_not_created_again(
    emulator: Emulator, client: KognicClient, kind: str
) -> None:
    """Not being able to look does not mean that there is none: the doubt is raised."""
    name = f"group {uuid4()}"
    lost = posts(kind=kind)
    down = {"kind": "503_before", "match": {"method": "GET", "path": PATH}}
    listed_once = {"kind": "ok", "match": {"method": "GET", "path": PATH}}
    emulator.set_faults(script=[listed_once], rules=[lost, down])
    with pytest.raises(KognicAmbiguousError) as caught:
        ensure(client, name)
    assert caught.value.method == "POST"
    emulator.clear_faults()
    assert len(uuids(client, name)) == (1 if kind == "drop_after" else 0)


def test_a_group_that_never_appears_is_an_error(emulator: Emulator, client: KognicClient) -> None:
    """After three creates, each looked for, it is left to the next try."""
    name = f"group {uuid4()}"
    emulator.set_faults(rules=[posts(kind="503_before")])
    with pytest.raises(KognicAmbiguousError):
        ensure(client, name)
    assert uuids(client, name) == []


def test_groups_of_the_name_from_before_are_not_taken_for_the_lost_one(
    emulator: Emulator, client: KognicClient
) -> None:
    """`create` beside one of the same name returns the new one, also when its answer was lost."""
    name = f"group {uuid4()}"
    old = ensure(client, name)
    emulator.set_faults(script=[posts(kind="drop_after")])
    new = ensure(client, name, if_exists="create")
    assert new != old
    assert sorted(uuids(client, name)) == sorted([old, new])
    with pytest.raises(KognicInputError, match="2 predictions groups are named"):
        ensure(client, name)


def test_an_empty_name_is_refused(client: KognicClient) -> None:
    """Before any request."""
    with pytest.raises(KognicInputError, match="name of the predictions group is empty"):
        ensure(client, " ")


# --- from one attempt to the next ---


class Memory:
    """What outlives an attempt: text, as any store keeps it."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.states: list[str] = []

    def load(self) -> Any:
        return None if self.text is None else json.loads(self.text)

    def save(self, intent: Mapping[str, Any]) -> None:
        self.text = json.dumps(intent)
        self.states.append(intent["state"])


class Killed(BaseException):
    """The process dies here."""


@contextmanager
def killed_at(moment: int) -> Iterator[Callable[[], bool]]:
    """Die before a line of `groups` or of the client is run that has not been run since the last request began.

    Args:
        moment: Which of these lines, from 0.

    Yields:
        Tells whether it came to that.
    """
    traced = (groups_module, intent, lookup, client_module, answers, endpoints)
    files = {module.__file__ for module in traced}
    seen: set[tuple[str, int, int]] = set()
    requests, died = 0, False

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal requests, died
        code = frame.f_code
        if code.co_filename not in files:
            return None
        if event == "call" and code.co_name == "_once":
            requests += 1
        if event == "line" and not died:
            seen.add((code.co_filename, frame.f_lineno, requests))
            if len(seen) > moment:
                died = True
                raise Killed
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lambda: died
    except Killed:
        pass
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("if_exists", IF_EXISTS)
def test_killed_at_any_line_the_next_attempt_makes_it_one_group(emulator: Emulator, if_exists: str) -> None:
    """Before the POST, between it and its answer, before the outcome is noted: one group, and its uuid."""
    # Patient: on a busy machine, a group that was given up would be made later, and nobody waits for it here.
    client = KognicClient(settings_for(emulator))
    made_by_the_dead: list[int] = []
    while True:
        name, memory = f"group {uuid4()}", Memory()
        options: dict[str, Any] = {"if_exists": if_exists, "memory": memory, "sleep": lambda _: None}
        with killed_at(len(made_by_the_dead)) as died:
            ensure(client, name, **options)
        if not died():
            break
        made_by_the_dead.append(len(uuids(client, name)))
        uuid = ensure(client, name, **options)
        assert uuids(client, name) == [uuid]
        assert ensure(client, name, **options) == uuid  # cleared after its success
    assert made_by_the_dead.count(0) > 20
    assert made_by_the_dead.count(1) > 10
    assert made_by_the_dead == sorted(made_by_the_dead)


@pytest.mark.parametrize("if_exists", IF_EXISTS)
@pytest.mark.parametrize("kind", ["drop_after", "503_after", "garbage", "drop_before", "503_before"])
def test_an_answer_that_is_lost_for_good_is_settled_by_the_next_attempt(
    emulator: Emulator, client: KognicClient, kind: str, if_exists: str
) -> None:
    """The server vanishes after the POST, so that it cannot be looked for either; then there is a retry."""
    name, memory = f"group {uuid4()}", Memory()
    gone = {"kind": "503_before", "match": {"method": "GET", "path": PATH}}
    listed_once = {"kind": "ok", "match": {"method": "GET", "path": PATH}}
    emulator.set_faults(script=[listed_once], rules=[posts(kind=kind), gone])
    with pytest.raises(KognicAmbiguousError):
        ensure(client, name, if_exists=if_exists, memory=memory)
    emulator.clear_faults()
    uuid = ensure(client, name, if_exists=if_exists, memory=memory)
    assert uuids(client, name) == [uuid]
    assert memory.states[-1] == "created"


@pytest.mark.parametrize("if_exists", IF_EXISTS)
def test_while_the_groups_cannot_be_listed_a_retry_creates_none(
    emulator: Emulator, client: KognicClient, if_exists: str
) -> None:
    name, memory = f"group {uuid4()}", Memory()
    with killed_before_the_answer():
        ensure(client, name, if_exists=if_exists, memory=memory)
    emulator.set_faults(rules=[{"kind": "503_before", "match": {"method": "GET", "path": PATH}}])
    with pytest.raises(KognicAmbiguousError) as caught:
        ensure(client, name, if_exists=if_exists, memory=memory)
    assert caught.value.method == "GET"
    emulator.clear_faults()
    assert len(uuids(client, name)) == 1
    assert memory.states == ["intended"]


@contextmanager
def killed_before_the_answer() -> Iterator[None]:
    """Die when the group is made and its answer has come, before anything is done with it."""

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if event == "call" and frame.f_code.co_name == "created_uuid":
            raise Killed
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with pytest.raises(Killed):
            yield
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("if_exists", IF_EXISTS)
def test_a_cleared_task_returns_the_group_that_it_made(
    emulator: Emulator, client: KognicClient, if_exists: str
) -> None:
    """Also beside others of the name, made before or after it."""
    name, memory = f"group {uuid4()}", Memory()
    if if_exists == "create":
        emulator.create_group(name=name)
    uuid = ensure(client, name, if_exists=if_exists, memory=memory)
    emulator.create_group(name=name)
    assert ensure(client, name, if_exists=if_exists, memory=memory) == uuid


@pytest.mark.parametrize("if_exists", IF_EXISTS)
def test_a_group_that_was_deleted_since_is_made_anew(
    emulator: Emulator, client: KognicClient, if_exists: str, caplog: pytest.LogCaptureFixture
) -> None:
    name, memory = f"group {uuid4()}", Memory()
    first = ensure(client, name, if_exists=if_exists, memory=memory)
    emulator.delete_group(first)
    second = ensure(client, name, if_exists=if_exists, memory=memory)
    assert second != first
    assert f"{first}, which an earlier attempt of this task created, is gone" in caplog.text
    assert ensure(client, name, if_exists=if_exists, memory=memory) == second
    assert uuids(client, name) == [second]


def test_of_several_that_have_appeared_none_is_guessed(emulator: Emulator, client: KognicClient) -> None:
    """Someone else made one of the name while the attempt was dead: which is ours cannot be told."""
    name, memory = f"group {uuid4()}", Memory()
    old = emulator.create_group(name=name)
    with killed_before_the_answer():
        ensure(client, name, if_exists="create", memory=memory)
    other = emulator.create_group(name=name)
    with pytest.raises(KognicInputError, match="2 predictions groups are named") as caught:
        ensure(client, name, if_exists="create", memory=memory)
    assert other in str(caught.value)
    assert old not in str(caught.value)
    assert len(uuids(client, name)) == 3


def test_another_name_is_another_intent(emulator: Emulator, client: KognicClient) -> None:
    """The Dag was changed and the task cleared: what is remembered is of the former group."""
    name, memory = f"group {uuid4()}", Memory()
    first = ensure(client, name, if_exists="create", memory=memory)
    other = ensure(client, f"{name} b", if_exists="create", memory=memory)
    assert other != first
    assert ensure(client, f"{name} b", if_exists="create", memory=memory) == other


def test_a_refused_create_is_not_looked_for_by_the_next_attempt(
    emulator: Emulator, client: KognicClient
) -> None:
    """It was certainly not executed; what is there of the name by then is not ours."""
    name, memory = f"group {uuid4()}", Memory()
    emulator.set_faults(script=[posts(kind="html_error", status=422)])
    with pytest.raises(KognicRequestError):
        ensure(client, name, if_exists="create", memory=memory)
    other = emulator.create_group(name=name)
    assert ensure(client, name, if_exists="create", memory=memory) != other


@pytest.mark.parametrize("status", [301, 303, 304])
@pytest.mark.parametrize("made", [True, False])
def test_a_redirect_may_answer_a_create_that_was_executed(
    emulator: Emulator, status: int, *, made: bool
) -> None:
    """It is looked for; where it is not to be seen, the next attempt looks first, and no second POST is made."""
    listed: list[dict[str, str]] = []
    name, memory = "a group", Memory()

    def answer(connection: socket.socket, request: Request) -> None:
        if request.method == "GET":
            connection.sendall(http(body=json.dumps({"data": listed})))
            return
        if made:
            listed.append({"uuid": UUID, "name": name})
        connection.sendall(http(status, "", ["location: /elsewhere"]))

    with raw_server(answer) as server:
        settings = settings_for(emulator, base_url=server.url)
        with KognicClient(settings, tokens=TokenProvider(settings_for(emulator))) as client:
            if made:
                assert ensure(client, name, memory=memory) == UUID
                assert memory.states == ["intended", "created"]
            else:
                with pytest.raises(KognicUnclearRedirectError):
                    ensure(client, name, memory=memory)
                assert memory.states == ["intended"]
                listed.append({"uuid": UUID, "name": name})  # it has come late
                assert ensure(client, name, memory=memory) == UUID
        assert sum(request.method == "POST" for request in server.requests) == 1


def test_what_nobody_foresaw_may_have_made_the_group(
    emulator: Emulator, client: KognicClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of no kind is doubt, here as for a prediction: what was posted is looked for."""
    name, memory = f"group {uuid4()}", Memory()
    create = client.create_predictions_group

    def strange(*given: Any) -> str:
        create(*given)
        raise KognicError("of no kind")

    monkeypatch.setattr(client, "create_predictions_group", strange)
    uuid = ensure(client, name, memory=memory)
    assert uuids(client, name) == [uuid]
    assert memory.states == ["intended", "created"]


@pytest.mark.parametrize("when", ["load", "save"])
def test_without_its_memory_nothing_is_created(emulator: Emulator, client: KognicClient, when: str) -> None:
    class Broken(Memory):
        def load(self) -> Any:
            if when == "load":
                raise KognicJournalError("no database")
            return None

        def save(self, intent: Mapping[str, Any]) -> None:
            raise KognicJournalError("no database")

    name = f"group {uuid4()}"
    with pytest.raises(KognicJournalError, match="no database"):
        ensure(client, name, memory=Broken())
    assert uuids(client, name) == []


@pytest.mark.parametrize(
    "text", ["[]", '"x"', "{}", '{"state": "created", "before": []}', '{"state": "new", "before": []}']
)
def test_a_memory_that_holds_something_else_is_an_error(
    emulator: Emulator, client: KognicClient, text: str
) -> None:
    name, memory = f"group {uuid4()}", Memory()
    memory.text = text
    with pytest.raises(KognicJournalFormatError, match="cannot be understood"):
        ensure(client, name, memory=memory)
    assert uuids(client, name) == []
