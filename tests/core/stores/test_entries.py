"""What stores list of a folder's files, in whatever words their libraries have for it."""

import itertools
import os
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from airflow_provider_kognic.core.journal.retention.cleaning import Ages, What
from airflow_provider_kognic.core.stores.entries import entries
from tests.core.journal.folders import object_store
from tests.core.journal.retention.journals import clean_one, used

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
numbers = itertools.count()
AT = 1_750_000_000.0
MOMENT = datetime.fromtimestamp(AT, timezone.utc)


class TellingStore(MemoryFileSystem):  # type: ignore[misc]
    """A store whose listings say when a file was written, as one library or another does."""

    cachable = False
    told: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.store: dict[str, Any] = {}
        self.pseudo_dirs = [""]

    def ls(self, path: str, detail: bool = True, **more: Any) -> Any:  # noqa: FBT001, FBT002 - fsspec's signature
        found = super().ls(path, detail=detail, **more)
        if detail:
            found = [
                {key: entry[key] for key in ("name", "size", "type")} | (self.told or {}) for entry in found
            ]
        return found


@pytest.mark.parametrize(
    ("told", "modified"),
    [
        ({"LastModified": MOMENT}, AT),
        ({"last_modified": MOMENT}, AT),
        ({"updated": "2025-06-15T15:06:40.000Z"}, AT),
        ({"mtime": AT}, AT),
        ({"created": MOMENT.replace(tzinfo=None)}, AT),
        ({"modified": "the day before yesterday"}, None),
        ({}, None),
    ],
)
def test_when_a_file_was_written(told: dict[str, Any], modified: float | None) -> None:
    """As a time of the epoch; None where the store does not say, or in words that nobody knows."""
    folder = object_store(f"telling{next(numbers)}", TellingStore)
    folder.fs.told = told
    with (folder / "a").open("wb") as file:
        file.write(b"12345")
    with (folder / "below" / "b").open("wb") as file:
        file.write(b"1")
    assert [tuple(found) for found in entries(folder)] == [("a", 5, modified)]
    assert entries(folder / "nothing") == []


def test_on_a_disk(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("12345")
    os.utime(tmp_path / "a", (0, AT))
    (tmp_path / "below").mkdir()
    assert [tuple(found) for found in entries(tmp_path)] == [("a", 5, AT)]
    assert entries(tmp_path / "nothing") == []


def test_a_journal_where_no_times_are_told_is_as_old_as_its_lines() -> None:
    """By the clocks of those who wrote them."""
    folder = object_store("timeless", TellingStore)
    began = time.time()
    used(folder)
    row = clean_one(folder, Ages(compact=3600.0))
    assert (row.what, began - 1 <= row.last_used <= time.time() + 1) == (What.USED_RECENTLY, True)
    assert clean_one(folder).what is What.COMPACTED
