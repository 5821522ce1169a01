"""However many images there are: pixels are in memory only while one document is written."""

import json
import os
import tracemalloc
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from airflow_provider_kognic.core.models import Prediction
from airflow_provider_kognic.core.sources.converting import index
from tests.core.sources.converting.support import one_scene_each, opened
from tests.core.sources.formats.painted import png_of
from tests.core.sources.formats.test_coco_masks import rle_of, row

HEIGHT, WIDTH = 200, 300
FEW, MANY = 50, 600
# Documents that are read of each; what is counted counts its time.
READ = 20
# Of the table, the names of files, and what waits to be written to the index.
BYTES_EACH = 1000
# 16 MB for 99,000 files more are 160 bytes each.
OF_A_FILE = 150


def _disc() -> Any:
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH]
    return ((xs - WIDTH // 2) ** 2 + (ys - HEIGHT // 2) ** 2 <= (HEIGHT // 3) ** 2).astype(np.uint32)


def coco(folder: Path, count: int) -> Path:
    rows = [row(rle_of(_disc()), image=number) for number in range(count)]
    (folder / "r.json").write_text(json.dumps(rows))
    return folder / "r.json"


def _linked(folder: Path, png: bytes, count: int) -> Path:
    (folder / "one").write_bytes(png)
    (folder / "r").mkdir()
    for number in range(count):
        os.link(folder / "one", folder / "r" / f"{number}.png")
    return folder / "r"


def masks(folder: Path, count: int) -> Path:
    return _linked(folder, png_of((_disc() * 3).astype(np.uint8)), count)


def panoptic(folder: Path, count: int) -> Path:
    _linked(folder, png_of(np.stack([_disc() * 3] * 3, axis=-1).astype(np.uint8)), count)
    segment = {"id": 3 + 256 * 3 + 65536 * 3, "category_id": 3}
    rows = [
        {"image_id": number, "file_name": f"{number}.png", "segments_info": [segment]}
        for number in range(count)
    ]
    (folder / "r.json").write_text(json.dumps({"annotations": rows}))
    return folder / "r.json"


@pytest.mark.parametrize("make", [coco, masks, panoptic], ids=lambda make: make.__name__)
def test_memory_does_not_grow_with_the_images(tmp_path: Path, make: Callable[[Path, int], Path]) -> None:
    peaks: list[int] = []
    for count in (FEW, FEW, MANY):  # the first one imports what is needed
        place = tmp_path / str(len(peaks))
        place.mkdir()
        results = make(place, count)
        table = one_scene_each(place, range(count))
        tracemalloc.start()
        try:
            source = opened(results, table, format=make.__name__, classes={"3": "Car"})
            entries = [entry for entry in islice(source, READ) if isinstance(entry, Prediction)]
            assert all(entry.read() for entry in entries)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert (len(entries), source.counts.documents) == (READ, count)
    assert peaks[2] - peaks[1] < BYTES_EACH * MANY


def test_what_is_kept_of_a_file_is_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a hundred thousand in a folder, though of none there is more than its name and a row of the table."""
    monkeypatch.setattr(index, "MOST_WAITING", 1 << 12)  # which comes to an end, and hides what does not
    few, many = 200, 1_700
    peaks: list[int] = []
    for count in (few, few, many):  # the first one imports what is needed
        place = tmp_path / str(len(peaks))
        place.mkdir()
        results = _linked(place, png_of(np.full((4, 6), 3, np.uint8)), count)
        table = one_scene_each(place, range(count))
        tracemalloc.start()
        try:
            source = opened(results, table, format="masks", classes={"3": "Car"})
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert source.counts.taken == count
    assert peaks[2] - peaks[1] < OF_A_FILE * (many - few)
