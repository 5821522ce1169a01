"""Shards of a folder in S3: cut by one listing, and each lists its own names only."""

import json
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.sharding import shard_predictions
from airflow_provider_kognic.task.paths import to_source
from tests.conftest import DOCUMENT
from tests.stores.s3 import BUCKET, S3

ROOT = f"s3://ml@{BUCKET}"
FOLDER = f"{ROOT}/day/"
CONTENT = json.dumps(DOCUMENT)


def told(source: Any) -> list[tuple[str, str]]:
    return [(entry.scene_uuid, entry.source) for entry in source]


def put(s3: S3, *names: str) -> None:
    s3.put_all({f"day/{name}": CONTENT for name in names})


def test_a_source_is_listed_once_and_each_shard_lists_its_own(s3: S3) -> None:
    scenes = [demo.scene_uuid(number) for number in range(4200)]
    put(s3, *(f"{scene}.json" for scene in scenes))
    s3.proxy.requests.clear()
    shards = shard_predictions(FOLDER, shards=4)
    assert len(s3.proxy.requests) <= 5  # pages of a thousand
    assert sum(shard["bytes"] for shard in shards) == len(CONTENT) * 4200
    s3.proxy.requests.clear()
    found = [told(to_source(shard)) for shard in shards]
    assert len(s3.proxy.requests) <= 5 + 4 * 4, s3.proxy.requests  # of the whole four times it were 20
    assert [len(part) for part in found] == [shard["items"] for shard in shards]
    assert sorted(scene for part in found for scene, _ in part) == sorted(scenes)


def test_the_same_cut_as_on_a_disk_and_odd_names_are_in_one_shard(s3: S3, tmp_path: Any) -> None:
    """Capitals, spaces, no scenes, other scripts: each is in one shard, as it is said of the whole."""
    scenes = [demo.scene_uuid(number) for number in range(60)]
    odd = [
        f"{scenes[3].upper()}.json",
        f" {scenes[7]}.json",
        f"\u3000{scenes[9].upper()} .json",
        f"{scenes[1][:8]}.json",
    ]
    odd += ["été.json", "notes.json", "~.json", "Z.json", "G.json", "-.json", "README.md", "😀.json"]
    names = [*(f"{scene}.json" for scene in scenes), *odd]
    put(s3, *names, "below/x.json")
    (tmp_path / "below").mkdir()
    for name in names:
        (tmp_path / name).write_text(CONTENT)
    stored, local = shard_predictions(FOLDER, shards=5), shard_predictions(tmp_path, shards=5)
    whole = told(to_source(FOLDER))
    assert len(whole) == len(names) - 1
    found = []
    for shard, other in zip(stored, local, strict=True):
        assert {**shard, "predictions": ""} == {**other, "predictions": ""}
        part = told(to_source(shard))
        found += part
        assert [scene for scene, _ in part] == [scene for scene, _ in told(to_source(other))]
    assert sorted(found) == sorted(whole)


def test_a_folder_without_a_name_is_refused_in_one_shard(s3: S3) -> None:
    scenes = sorted(demo.scene_uuid(number) for number in range(8))
    put(s3, *(f"{scene}.json" for scene in scenes[:7]), f"/{scenes[7]}.json")
    whole = told(to_source(FOLDER))
    assert len(whole) == 8
    shards = shard_predictions(FOLDER, shards=3)
    assert sorted(one for shard in shards for one in told(to_source(shard))) == sorted(whole)


def test_nothing_at_the_prefix_is_as_it_is_of_the_whole(s3: S3) -> None:
    """It may have been removed since; a bucket that is not there is said so."""
    put(s3, *(f"{demo.scene_uuid(number)}.json" for number in range(4)))
    shards = shard_predictions(FOLDER, shards=2)
    for key in s3.keys("day/"):
        s3.delete(key)
    for shard in shards:
        assert to_source(shard).total == 0
        with pytest.raises(KognicInputError, match="no such bucket"):
            to_source({**shard, "predictions": "s3://ml@gone/day/"})
    (empty,) = shard_predictions(FOLDER, shards=2)
    assert (empty["items"], empty["first"], empty["before"]) == (0, None, None)


@pytest.mark.parametrize("given", ["day/*.json", "**/*.json"])
def test_globs_are_listed_whole(s3: S3, given: str) -> None:
    put(s3, *(f"{demo.scene_uuid(number)}.json" for number in range(9)))
    shards = shard_predictions(f"{ROOT}/{given}", max_items=4)
    assert [to_source(shard).total for shard in shards] == [shard["items"] for shard in shards] == [3, 3, 3]
