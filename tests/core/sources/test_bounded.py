"""Documents that are too large are refused with no more memory, and no more read, than it takes to know that."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import Self

from airflow_provider_kognic.core.models import Prediction, Refused
from airflow_provider_kognic.core.sources.folder import FilesSource
from airflow_provider_kognic.emulator import demo
from tests.core.support import content

ROOT = Path(__file__).parents[3]

LARGE = """
import json, resource, sys
from pathlib import Path
from airflow_provider_kognic.core.models import (Prediction, Refused)
from airflow_provider_kognic.core.sources.opening import open_source
folder = Path(sys.argv[1])
# Reading any of them whole would not fit.
resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))
reasons = []
for given in (folder / "files", folder / "rows.jsonl"):
    for entry in open_source(given, None, resolve=Path, max_document_bytes=1 << 20):
        if not isinstance(entry, Prediction):
            reasons.append((entry.reason, entry.scene_uuid))
            continue
        try:
            assert entry.read() == entry.read()  # the second time from where it stands in the file
            reasons.append(("read", str(len(entry.read()))))
        except Refused as why:
            reasons.append((why.reason, entry.scene_uuid))
print(json.dumps(reasons))
"""


def test_a_huge_document_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    """4 GB of a file, or of a row, are not read to find out that they are too many; what follows is."""
    scenes = [demo.scene_uuid(number) for number in range(2)]
    (tmp_path / "files").mkdir()
    small = json.dumps(content()).encode()
    (tmp_path / "files" / f"{scenes[0]}.json").write_bytes(small)
    with (tmp_path / "files" / f"{scenes[1]}.json").open("wb") as file:
        file.truncate(4 << 30)  # a hole: it takes no disk
    with (tmp_path / "rows.jsonl").open("wb") as file:
        file.write(b'{"sceneUuid": "%s", "openlabelContent": ' % scenes[1].encode())
        file.seek(1 << 30)
        file.write(b'}\n{"sceneUuid": "%s", "openlabelContent": %s}\n' % (scenes[0].encode(), small))

    done = subprocess.run(
        [sys.executable, "-c", LARGE, str(tmp_path)], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert done.returncode == 0, done.stderr
    expected = [["read", str(len(small))], ["too_large", scenes[1]]]
    assert sorted(json.loads(done.stdout)) == sorted(2 * expected)


class NoSize:
    """A file of a store that does not know sizes."""

    def __init__(self, size: int) -> None:
        self.left, self.taken = size, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, count: int) -> bytes:
        given = min(count, self.left)
        self.left -= given
        self.taken += given
        return b"x" * given


@pytest.mark.parametrize("size", [100, 101, 10_000_000])
def test_where_no_size_is_known_no_more_is_read_than_it_takes(size: int) -> None:
    """A store may stream what it has; one byte too many is enough to know."""
    file = NoSize(size)

    class Streamed:
        def open(self, mode: str) -> NoSize:
            return file

        def __truediv__(self, key: str) -> "Streamed":
            return self

    path: Any = Streamed()
    (entry,) = FilesSource(path, [f"{demo.scene_uuid(0)}.json"], max_bytes=100)
    assert isinstance(entry, Prediction)
    if size <= 100:
        assert len(entry.read()) == size
    else:
        with pytest.raises(Refused, match="max_document_bytes"):
            entry.read()
    assert file.taken == min(size, 101)
