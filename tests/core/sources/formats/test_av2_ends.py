"""Feather has no checksum: where the end of a file says less than there is, no row may go missing for that."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.sources.feather import names_all
from tests.core.sources.converting.support import opened, write_scenes
from tests.core.sources.formats import test_av2 as av2
from tests.core.sources.formats.cuboid_files import UNIT, lidar_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

arrow: Any = pytest.importorskip("pyarrow")
ipc: Any = pytest.importorskip("pyarrow.ipc")

ROWS, BATCH = 40, 10


def written(folder: Path) -> tuple[Path, bytes]:
    rows = [av2.row(n % 2) for n in range(ROWS)]
    file = av2.write(folder / "d.feather", rows, chunksize=BATCH, compression="uncompressed")
    return file, file.read_bytes()


def flipped(raw: bytes) -> Iterator[bytes]:
    """The file with each bit of its end as another one."""
    size = int.from_bytes(raw[-10:-6], "little")
    for at in range(len(raw) - 10 - size, len(raw)):
        for bit in range(8):
            hurt = bytearray(raw)
            hurt[at] ^= 1 << bit
            yield bytes(hurt)


def said(raw: bytes) -> int:
    """How many rows there are by the end of a file; -1 where it cannot be read by it."""
    try:
        file = ipc.open_file(arrow.BufferReader(raw))
        batches = [file.get_batch(number) for number in range(file.num_record_batches)]
    except (arrow.lib.ArrowException, OSError, ValueError):
        return -1
    return sum(batch.num_rows for batch in batches)


def test_an_end_that_says_less_than_there_is_is_not_gone_by(tmp_path: Path) -> None:
    file, raw = written(tmp_path)
    assert names_all(io.BytesIO(raw))
    table = write_scenes(tmp_path / "s.csv", lidar_rows(av2.KEYS, [UNIT] * 2))
    wrong = [hurt for hurt in flipped(raw) if said(hurt) not in {ROWS, -1}]
    assert wrong
    for hurt in wrong:
        assert not names_all(io.BytesIO(hurt))
        file.write_bytes(hurt)
        counts = opened(file, table, format="av2").counts
        assert (counts.taken, counts.refused) == (ROWS, {})


def test_a_batch_that_is_named_in_place_of_another_is_not_taken_twice(tmp_path: Path) -> None:
    """All of them are as long: the number of rows is the same."""
    file, raw = written(tmp_path)
    end = int.from_bytes(raw[-10:-6], "little")
    footer = raw[-10 - end : -10]
    first = 16 + int.from_bytes(raw[12:16], "little")  # where the columns' names end
    at = footer.index(first.to_bytes(8, "little"))
    second, third = footer[at + 24 : at + 48], footer[at + 48 : at + 72]
    hurt = raw[: -10 - end] + footer.replace(third, second) + raw[-10:]
    assert said(hurt) == ROWS
    assert not names_all(io.BytesIO(hurt))
    file.write_bytes(hurt)
    table = write_scenes(tmp_path / "s.csv", lidar_rows(av2.KEYS, [UNIT] * 2))
    counts = opened(file, table, format="av2").counts
    assert (counts.taken, counts.refused) == (ROWS, {})


@pytest.mark.parametrize("how", [{}, {"chunksize": 3}, {"compression": "zstd"}])
@pytest.mark.parametrize("rows", [0, 1, ROWS])
@pytest.mark.parametrize("is_dictionary", [False, True])
def test_an_end_as_it_is_written_names_all(
    tmp_path: Path, how: dict[str, Any], rows: int, *, is_dictionary: bool
) -> None:
    table = arrow.Table.from_pylist([av2.row(n) for n in range(ROWS)]).slice(0, rows)
    if is_dictionary:
        at = table.schema.get_field_index("category")
        table = table.set_column(at, "category", table["category"].dictionary_encode())
    av2.feather.write_feather(table, str(tmp_path / "d.feather"), **how)
    with (tmp_path / "d.feather").open("rb") as file:
        assert names_all(file)
        assert file.tell() == 8


@pytest.mark.parametrize("size", [0, 5, 10, 40])
def test_what_is_too_short_names_nothing(size: int) -> None:
    assert not names_all(io.BytesIO(b"ARROW1".ljust(size, b"\0")[:size]))
