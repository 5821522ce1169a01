"""One predictions group out of one intent, whatever is lost on the way."""

import time
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_kognic.core.client import KognicClient
from airflow_provider_kognic.core.errors import KognicAmbiguousError, KognicInputError
from airflow_provider_kognic.core.groups import ensure_predictions_group
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator

from .support import settings_for

PATH = "/predictions-groups$"


@pytest.fixture
def client(emulator: Emulator) -> KognicClient:
    return KognicClient(settings_for(emulator, timeout=0.5), backoff=Backoff(0.01, 0.02, attempts=2))


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
