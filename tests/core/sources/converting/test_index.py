"""Detections in scattered order: all of them come back, in their order, and memory stays what it was."""

import random
import tracemalloc
from math import nan
from pathlib import Path

import pytest

from airflow_provider_kognic.core.sources.converting import index
from airflow_provider_kognic.core.sources.converting.index import (
    DetectionIndex,
    pack_box,
    pack_cuboid,
    pack_mask,
)


@pytest.mark.parametrize(("scenes", "waiting"), [(1, 100), (7, 100), (3000, 5000), (3000, 1 << 20)])
def test_what_was_added_is_found_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenes: int, waiting: int
) -> None:
    """However often what waits in memory was written meanwhile."""
    monkeypatch.setattr(index, "MOST_WAITING", waiting)
    made = DetectionIndex(tmp_path, scenes)
    dice = random.Random(1)
    expected: dict[int, list[tuple[int, object, str]]] = {}
    for row in range(5000):
        scene = dice.randrange(scenes)
        track = dice.choice(["", "7", "ü"])
        packed = [
            pack_box(scene, row, 3, 0, len(track.encode()), 0.5, 1, 2, 3, 4) + track.encode(),
            pack_cuboid(scene, row, 3, 1, len(track.encode()), nan, *range(10)) + track.encode(),
            pack_mask(scene, row, 3, 0.5, b"x" * (row % 5), track.encode()),
        ]
        kind = dice.randrange(3)
        made.add(scene, packed[kind])
        geometry = [[1, 2, 3, 4], list(range(10)), b"x" * (row % 5)][kind]
        expected.setdefault(scene, []).append((row, geometry, track))
    made.flush()
    for scene in range(scenes):
        found = [(one.row, one.geometry, one.track) for one in made.of_key(scene, scene)]
        assert found == expected.get(scene, [])
    made.close()


def test_memory_does_not_grow_with_what_is_added(tmp_path: Path) -> None:
    """A hundred times as many detections need no more of it."""
    most = []
    for count in (3_000, 300_000):
        made = DetectionIndex(tmp_path, 2_000)
        (tmp_path / "detections").unlink()
        tracemalloc.start()
        try:
            for row in range(count):
                scene = row * 7919 % 2_000
                made.add(scene, pack_box(scene, row, 0, 0, 0, 0.5, 1, 2, 3, 4))
            made.flush()
            for scene in range(0, 2_000, 100):
                assert len(made.of_key(scene, scene)) in {count // 2_000, count // 2_000 + 1}
            most.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
            made.close()
    assert most[1] < most[0] + 3 * index.MOST_WAITING
