"""What a look at a dataset tells of: what came, what went and came back, and crowds."""

from __future__ import annotations

import json
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.api.dataset_api.records import Annotation, Dataset, PredictionsGroup
from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.groups.watching import (
    MOST_GROUPS,
    MOST_MEMORY_BYTES,
    MOST_NAMED,
    Appears,
    look,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.core.groups.watching import Exact, News


class Kognic:
    """A dataset as the client of the API shows it."""

    def __init__(self, dataset: str = "night-drives", host: str = "https://a.example") -> None:
        self.settings = Settings(base_url=host)
        self.dataset = Dataset(str(uuid.uuid5(uuid.NAMESPACE_DNS, dataset)), dataset, {})
        self.groups: list[PredictionsGroup] = []
        self.scenes: list[str] = []

    def get_dataset(self, _: str) -> Dataset:
        return self.dataset

    def list_predictions_groups(self, _: str) -> list[PredictionsGroup]:
        return self.groups

    def iter_annotations(self, _: str) -> Iterator[Annotation]:
        return (Annotation("", scene, {}) for scene in self.scenes)

    def look(self, what: Appears, memory: Any, exact: Exact | None = None) -> News:
        client: Any = SimpleNamespace(**{name: getattr(self, name) for name in dir(self) if name[0] != "_"})
        return look(client, "night-drives", what).against(memory, exact)


def uuids(number: int, start: int = 0) -> list[str]:
    return [str(uuid.uuid5(uuid.NAMESPACE_OID, str(one))) for one in range(start, start + number)]


def groups(number: int) -> list[PredictionsGroup]:
    return [PredictionsGroup(one, f"group {at}") for at, one in enumerate(uuids(number))]


def test_the_first_look_tells_of_nothing_and_an_unchanged_dataset_changes_no_memory() -> None:
    kognic = Kognic()
    kognic.scenes = uuids(3)
    first = kognic.look(Appears.SCENES, None)
    assert (first.told, first.first, first.changed) == ((), True, True)
    again = kognic.look(Appears.SCENES, json.loads(json.dumps(first.memory)))
    assert (again.told, again.first, again.changed) == ((), False, False)
    assert again.memory == first.memory


def test_a_scene_with_many_annotations_counts_once() -> None:
    kognic = Kognic()
    memory = kognic.look(Appears.SCENES, None).memory
    kognic.scenes = uuids(2) * 3
    (told,) = kognic.look(Appears.SCENES, memory).told
    assert (sorted(told["scene_uuids"]), told["count"], told["total"]) == (sorted(uuids(2)), 2, 2)


def test_what_goes_away_is_forgotten_and_told_of_when_it_comes_back() -> None:
    kognic = Kognic()
    kognic.groups = groups(3)
    begun = kognic.look(Appears.GROUPS, None)
    gone, kognic.groups = kognic.groups[1], [kognic.groups[0], kognic.groups[2]]
    without = kognic.look(Appears.GROUPS, begun.memory)
    assert (without.told, without.changed) == ((), True)
    kognic.groups.append(gone)
    (told,) = kognic.look(Appears.GROUPS, without.memory).told
    assert (told["predictions_group_uuid"], told["total"]) == (gone.uuid, 3)


def test_of_many_groups_at_once_the_rest_is_told_of_by_the_next_look() -> None:
    kognic = Kognic()
    memory = kognic.look(Appears.GROUPS, None).memory
    kognic.groups = groups(2 * MOST_GROUPS + 7)
    told: list[str] = []
    for expected in (MOST_GROUPS, MOST_GROUPS, 7, 0):
        found = kognic.look(Appears.GROUPS, memory)
        assert len(found.told) == expected
        told += [payload["predictions_group_uuid"] for payload in found.told]
        memory = found.memory
    assert sorted(told) == sorted(group.uuid for group in kognic.groups)


@pytest.mark.parametrize("what", list(Appears))
def test_of_more_than_can_be_named_the_number_is_told(what: Appears) -> None:
    kognic = Kognic()
    kognic.scenes = uuids(10_000)
    kognic.groups = groups(100)
    memory = kognic.look(what, None).memory
    kognic.scenes += uuids(3000, start=10_000)
    kognic.groups = groups(3100)
    found = kognic.look(what, memory)
    (told,) = found.told
    assert (told["count"], told["named_all"]) == (3000, False)
    assert not kognic.look(what, found.memory).told
    assert len(json.dumps(found.memory)) <= MOST_MEMORY_BYTES


def test_of_some_hundred_scenes_the_first_are_named() -> None:
    kognic = Kognic()
    memory = kognic.look(Appears.SCENES, None).memory
    kognic.scenes = uuids(900)
    (told,) = kognic.look(Appears.SCENES, memory).told
    assert (told["count"], told["named_all"], len(told["scene_uuids"])) == (900, False, MOST_NAMED)
    assert set(told["scene_uuids"]) <= set(kognic.scenes)


def test_scenes_that_are_named_otherwise_than_by_uuids_are_named_as_they_are() -> None:
    """Kognic's documentation does not say that they always are."""
    kognic = Kognic()
    memory = kognic.look(Appears.SCENES, None).memory
    kognic.scenes = ["scene 7", "scene 8"]
    (told,) = kognic.look(Appears.SCENES, memory).told
    assert sorted(told["scene_uuids"]) == ["scene 7", "scene 8"]


@pytest.mark.parametrize("other", [Kognic("day-drives"), Kognic(host="https://b.example")])
def test_a_memory_of_another_dataset_or_host_is_none(other: Kognic) -> None:
    memory = other.look(Appears.GROUPS, None).memory
    kognic = Kognic()
    kognic.groups = groups(2)
    found = kognic.look(Appears.GROUPS, memory)
    assert (found.told, found.first) == ((), True)
    assert "of another dataset or host" in found.sentence


def test_the_host_of_a_memory_may_be_written_otherwise() -> None:
    memory = Kognic(host="https://A.example:443").look(Appears.GROUPS, None).memory
    assert not Kognic().look(Appears.GROUPS, memory).first


def test_the_same_process_tells_a_crowd_that_goes_from_one_that_comes() -> None:
    kognic = Kognic()
    kognic.scenes = uuids(4000)
    begun = kognic.look(Appears.SCENES, None)
    kognic.scenes = uuids(2000)
    gone = kognic.look(Appears.SCENES, begun.memory, begun.exact)
    assert (gone.told, gone.changed) == ((), True)
    assert "new: 0, gone: 2,000" in gone.sentence
    kognic.scenes = [*uuids(500), *uuids(1200, start=9000)]
    (told,) = kognic.look(Appears.SCENES, gone.memory, gone.exact).told
    assert (told["count"], told["total"]) == (1200, 1700)
    assert set(told["scene_uuids"]) <= set(uuids(1200, start=9000))


def test_what_another_process_has_remembered_meanwhile_is_held_against_its_memory() -> None:
    kognic = Kognic()
    kognic.scenes = uuids(10)
    begun = kognic.look(Appears.SCENES, None)
    kognic.scenes = uuids(3000)
    other = kognic.look(Appears.SCENES, begun.memory)
    assert not kognic.look(Appears.SCENES, other.memory, begun.exact).told


def test_of_a_crowd_of_groups_one_event_tells_in_the_same_process_too() -> None:
    kognic = Kognic()
    begun = kognic.look(Appears.GROUPS, None)
    kognic.groups = groups(1700)
    found = kognic.look(Appears.GROUPS, begun.memory, begun.exact)
    (told,) = found.told
    assert (told["count"], told["named_all"]) == (1700, False)
    assert not kognic.look(Appears.GROUPS, found.memory, found.exact).told


def test_a_clock_that_is_set_back_makes_no_memory_older(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several assets the newest memory counts."""
    kognic = Kognic()
    earlier = kognic.look(Appears.SCENES, None).memory
    kognic.scenes = uuids(1)
    monkeypatch.setattr("airflow_provider_kognic.core.groups.watching.time.time", lambda: 5.0)
    later = kognic.look(Appears.SCENES, earlier).memory
    assert later["at"] > earlier["at"]
