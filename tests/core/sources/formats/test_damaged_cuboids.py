"""Whatever is wrong with a file of cuboids, down to its bytes: it is counted, the rest goes up, nothing crashes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_kognic.core.errors import KognicInputError
from tests.core.sources.converting.support import documents, opened, write_scenes
from tests.core.sources.formats import test_mmdet3d as mmdet3d
from tests.core.sources.formats import test_nuscenes as nuscenes
from tests.core.sources.formats.cuboid_files import UNIT, lidar_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# What a file that cannot be read to its end, or is none of the format, is refused for.
WHOLE = {"truncated", "broken_file", "not_results", "duplicate_key"}
_damage = st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=3)), max_size=3)
_cut = st.none() | st.integers(0, 5000)


def damaged(raw: bytes, cut: int | None, pieces: list[tuple[int, bytes]]) -> bytes:
    found = bytearray(raw)
    for at, piece in pieces:
        at %= len(found)  # noqa: PLW2901
        found[at : at + len(piece)] = piece
    return bytes(found if cut is None else found[: cut % len(found)])


def judge(folder: Path, name: str, given: Path, keys: list[str], rows: int | None) -> None:
    """Open it, read all of it, and see that each row is counted once."""
    table = write_scenes(folder / "s.csv", lidar_rows(keys, [UNIT] * len(keys)))
    classes = {"car": "Car", "0": "Car", "1": "Van", "2": "Bus", "REGULAR_VEHICLE": "Car"}
    try:
        source = opened(given, table, format=name, classes=classes, empty_scenes="send")
    except KognicInputError as error:  # its first bytes may be those of a pickle, or of something packed
        assert str(given) in str(error)  # noqa: PT017
        return
    found = documents(source)
    assert len(found) == len(keys)
    counts = source.counts
    taken = 0
    for document in found.values():
        if isinstance(document, dict):
            for item in document["frames"]["0"]["objects"].values():
                taken += len(item["object_data"]["cuboid"])
    assert taken == counts.taken
    if rows is not None and WHOLE.isdisjoint(counts.refused):
        assert counts.taken + sum(counts.refused.values()) == rows
    for reason in counts.refused:
        assert counts.named[reason][0].startswith(str(given))


def many(test: Callable[..., None]) -> Callable[..., None]:
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=120, deadline=None, suppress_health_check=quiet)(test)


nuscenes_rows = st.lists(
    st.sampled_from(
        [nuscenes.box(), nuscenes.tracked("a", "7"), *(one for one, _ in nuscenes.FAULTS.values())]
    ),
    max_size=6,
)


@many
@given(a=nuscenes_rows, b=nuscenes_rows, cut=_cut, pieces=_damage)
def test_nuscenes(tmp_path: Path, a: Any, b: Any, cut: int | None, pieces: Any) -> None:
    raw = json.dumps({"meta": {}, "results": {"a": a, "b": b, "x": [nuscenes.box("x")]}}).encode()
    (tmp_path / "r.json").write_bytes(damaged(raw, cut, pieces))
    whole = cut is None and not pieces
    judge(tmp_path, "nuscenes", tmp_path / "r.json", ["a", "b"], len(a) + len(b) + 1 if whole else None)


mmdet3d_files = st.sampled_from([mmdet3d.frame([mmdet3d.BOX]), *(one for one, _ in mmdet3d.FAULTS.values())])


@many
@given(value=mmdet3d_files, cut=_cut, pieces=_damage)
def test_mmdet3d(tmp_path: Path, value: Any, cut: int | None, pieces: Any) -> None:
    (tmp_path / "a.json").write_bytes(damaged(json.dumps(value).encode(), cut, pieces))
    whole = cut is None and not pieces
    judge(tmp_path, "mmdet3d", tmp_path / "a.json", ["a"], len(value["bboxes_3d"]) if whole else None)


@many
@given(data=st.data(), cut=_cut, pieces=_damage, size=st.integers(1, 5))
def test_av2(tmp_path: Path, data: st.DataObject, cut: int | None, pieces: Any, size: int) -> None:
    """What reads it is asked whether a batch points beyond itself before it is read: that would end the process."""
    pytest.importorskip("pyarrow")
    from tests.core.sources.formats import test_av2 as av2

    rows = data.draw(
        st.lists(st.sampled_from([av2.row(), *(one for one, _ in av2.FAULTS.values())]), min_size=1)
    )
    how = data.draw(st.sampled_from(["lz4", "zstd", "uncompressed"]))
    file = av2.write(tmp_path / "d.feather", rows, chunksize=size, compression=how)
    raw = file.read_bytes()
    file.write_bytes(damaged(raw, cut, pieces))
    whole = cut is None and not pieces
    judge(tmp_path, "av2", file, av2.KEYS, len(rows) if whole else None)
