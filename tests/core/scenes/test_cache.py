"""What is known of scenes across tries: kept for a day, whatever else stands in the folder."""

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.scenes.cache import MOST_AGE, SceneCache
from airflow_provider_kognic.core.scenes.facts import Scene
from airflow_provider_kognic.core.scenes.parts import MOST_LINES

HOST = "input.example.com"
NOW = 1_764_300_000.0
SIZES = {"front": (640, 480)}


def scene(number: int, **more: Any) -> Scene:
    given: dict[str, Any] = {
        "cameras": frozenset({"front"}),
        "lidars": frozenset({"top"}),
        "times": (0, 33.5),
        "calibration_id": "c",
    }
    return Scene(f"00000000-0000-4000-8000-{number:012x}", **(given | more))


def cache(folder: Path | None, now: float = NOW, host: str = HOST, **more: Any) -> SceneCache:
    return SceneCache(folder, host, clock=lambda: now, **more)


def kept(folder: Path, *scenes: Scene, now: float = NOW) -> Path:
    """Keep scenes; returns the file that they stand in."""
    there = cache(folder, now)
    for one in scenes:
        there.keep(one)
    there.keep_sizes("c", SIZES)
    there.flush()
    return max(folder.glob("scenes-*.jsonl"))


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"
    scenes = [scene(1), scene(2, lidars=None, times=None, calibration_id=None), scene(3, cameras=frozenset())]
    kept(folder, *scenes)
    again = cache(folder)
    assert [again.scene(one.uuid) for one in scenes] == scenes
    assert again.image_sizes("c") == SIZES
    assert (again.scene(scene(9).uuid), again.image_sizes("other")) == (None, None)


def test_nothing_is_kept_without_a_folder_or_by_a_dry_run(tmp_path: Path) -> None:
    for there in (cache(None), cache(tmp_path / "scenes", writes=False)):
        there.keep(scene(1))
        there.flush()
        assert there.scene(scene(1).uuid) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", ["unknown", "failed", "invalidated:duplicate"])
def test_a_scene_that_is_wrong_is_asked_for_anew(tmp_path: Path, status: str) -> None:
    """It is what somebody mends."""
    kept(tmp_path, scene(1, status=status), scene(2, status="created"))
    assert cache(tmp_path).scene(scene(1).uuid) is None
    assert cache(tmp_path).scene(scene(2).uuid) == scene(2, status="created")


@pytest.mark.parametrize(("later", "found"), [(MOST_AGE - 1, True), (MOST_AGE + 1, False), (-3600.0, False)])
def test_what_is_kept_is_good_for_a_day(tmp_path: Path, later: float, *, found: bool) -> None:
    """And not what somebody keeps who has another day."""
    kept(tmp_path, scene(1))
    there = cache(tmp_path, NOW + later)
    assert (there.scene(scene(1).uuid) is not None) == (there.image_sizes("c") is not None) == found


def test_what_is_of_no_use_any_more_is_removed(tmp_path: Path) -> None:
    old = tmp_path / f"scenes-{int(NOW - 2 * MOST_AGE - 10)}{'0' * 9}-{'0' * 16}.jsonl"
    young = tmp_path / f"scenes-{int(NOW - MOST_AGE)}{'0' * 9}-{'0' * 16}.jsonl"
    others = tmp_path / f"names-{int(NOW - 100 * MOST_AGE)}{'0' * 9}-{'0' * 16}.jsonl"
    for path in (old, young, others):
        path.write_text("{}\n")
    cache(tmp_path, writes=False).scene(scene(1).uuid)
    assert old.exists()
    cache(tmp_path).scene(scene(1).uuid)
    assert (old.exists(), young.exists(), others.exists()) == (False, True, True)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: [],
        lambda lines: [b"", *lines[1:]],
        lambda lines: [lines[0].replace(b'"version": 1', b'"version": 2'), *lines[1:]],
        lambda lines: [lines[0].replace(b"kognic-scenes", b"other"), *lines[1:]],
        lambda lines: [lines[0], lines[1][:-9]],  # its writer was killed
        lambda lines: [lines[0], b"\xff\xfe", b"[]", b"7", b'{"scene": 7}', b'{"scene": "x"}'],
        lambda lines: [lines[0], lines[1].replace(b'"cameras":["front"]', b'"cameras":"front"')],
        lambda lines: [lines[0], lines[1].replace(b'"times":[0,33.5]', b'"times":["0"]')],
        lambda lines: [lines[0], lines[1].replace(b'"at":', b'"on":')],
        lambda lines: [lines[0], b'{"calibration_of": "c", "sizes": {"front": [640]}, "at": %d}' % NOW],
    ],
)
def test_what_cannot_be_read_is_asked_for_anew(tmp_path: Path, spoil: Any) -> None:
    path = kept(tmp_path, scene(1))
    path.write_bytes(b"\n".join(spoil(path.read_bytes().splitlines())))
    there = cache(tmp_path)
    assert (there.scene(scene(1).uuid), there.image_sizes("c")) == (None, None)
    there.keep(scene(1))
    assert cache(tmp_path).scene(scene(1).uuid) == scene(1)


def test_another_host_has_other_scenes(tmp_path: Path) -> None:
    """However the one was typed."""
    cache(tmp_path, host="INPUT.example.com:443").keep(scene(1))
    assert cache(tmp_path, host="other.example.com").scene(scene(1).uuid) is None
    assert cache(tmp_path).scene(scene(1).uuid) == scene(1)


def test_many_scenes_stand_in_many_files(tmp_path: Path) -> None:
    """The last word on each counts; of all files few are in memory."""
    count = 12 * MOST_LINES
    there = cache(tmp_path)
    for number in range(count):
        there.keep(scene(number))
    there.keep(scene(0, times=(1,)))
    assert len(list(tmp_path.iterdir())) >= 12
    again = cache(tmp_path)
    assert again.scene(scene(0).uuid) == scene(0, times=(1,))
    assert [again.scene(scene(number).uuid) for number in range(1, count, 371)] == [
        scene(number) for number in range(1, count, 371)
    ]


def test_a_folder_that_cannot_be_used_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = tmp_path / "file"
    place.write_text("")
    there = cache(place / "below")
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            assert there.scene(scene(number).uuid) is None
            there.keep(scene(number))
    assert [line for line in caplog.messages if "cannot be kept in" in line] == caplog.messages
    assert len(caplog.messages) == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.core.scenes.test_cache import cache, scene
there = cache(Path(sys.argv[1]))
for number in range(700):
    there.keep(scene(number))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_loses_nothing_on_a_disk(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    again = cache(tmp_path)
    assert all(again.scene(scene(number).uuid) for number in range(700))
    (header, *_) = min(tmp_path.iterdir()).read_text().splitlines()
    assert json.loads(header)["host"] == HOST
