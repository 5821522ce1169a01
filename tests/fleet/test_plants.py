"""What `--plant` does to a server is there to be seen."""

from collections import Counter
from collections.abc import Iterator

import pytest

from airflow_provider_kognic.emulator.testing import Emulator, running_emulator

from .plants import PLANTS
from .verdict import MOST_IN_FLIGHT


@pytest.fixture
def kognic() -> Iterator[Emulator]:
    with running_emulator() as emulator:
        yield emulator


@pytest.fixture
def group(kognic: Emulator) -> str:
    scenes = kognic.create_dataset(count=3)
    group = kognic.create_group(scenes["uuid"])
    for scene in scenes["scenes"]:
        kognic.add_prediction(group, scene)
    kognic.reset_stats()
    return group


@pytest.mark.parametrize(("plant", "counts"), [("double", [1, 1, 2]), ("lose", [1, 1])])
def test_a_scene_is_there_twice_or_not_at_all(
    kognic: Emulator, group: str, plant: str, counts: list[int]
) -> None:
    PLANTS[plant](kognic, group)

    assert sorted(Counter(row["scene_uuid"] for row in kognic.predictions(group)).values()) == counts


def test_more_are_in_flight_than_may_be(kognic: Emulator, group: str) -> None:
    PLANTS["crowd"](kognic, group)

    assert kognic.stats()["most_in_flight"] == MOST_IN_FLIGHT + 1
