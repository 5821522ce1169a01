"""The journal in a folder: what was acknowledged is read back, whatever happened; all else is a clear error."""

import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from airflow_provider_kognic.core import files as stores
from airflow_provider_kognic.core.errors import (
    KognicJournalError,
    KognicJournalFormatError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.journal import parts
from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.journal.format import Header
from tests.core.journal_fakes import (
    GROUP,
    HEADER,
    HOST,
    REPOSITORY,
    append_all,
    line,
    log_in,
    never,
    parts_in,
    python,
    read_all,
    store,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning"),
]


class BrokenError(Exception):
    """As a store's library raises it."""


class BadStore(MemoryFileSystem):  # type: ignore[misc]
    """A store that creates nothing exclusively, and replaces files by halves when it breaks."""

    cachable = False
    cut: int | None = None

    def __init__(self) -> None:
        super().__init__()
        self.store: dict[str, Any] = {}
        self.pseudo_dirs = [""]

    def _open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        file = super()._open(path, mode.replace("x", "w"), **more)
        if self.cut is not None and "r" not in mode:
            whole = file.write

            def write(data: bytes) -> None:
                whole(data[: self.cut])
                file.commit()
                raise BrokenError("connection reset")

            file.write = write
        return file


numbers = itertools.count()


@pytest.fixture(params=["local", "memory", "bad"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A place for journals: on this disk, in a store that knows its trade, and in one that does not."""
    if request.param == "local":
        return tmp_path / "journal"
    return store(f"s{next(numbers)}", BadStore if request.param == "bad" else None) / f"j{next(numbers)}"


def write_raw(path: Any, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)


def files(folder: Any) -> list[Any]:
    """The parts in the group's own folder."""
    own = log_in(folder).folder
    return [own / name for name in sorted(stores.names(own)) if name.endswith(".jsonl")]


def test_what_was_appended_is_read_back(folder: Any) -> None:
    """In order, over several attempts, and of all sources that share the folder."""
    append_all(folder, [line(1), line(2)], [line(3)])
    append_all(folder, [line(4)], source="another")
    append_all(folder, [line(5)])
    assert read_all(folder) == [line(number) for number in range(1, 6)]


def test_it_grows_over_many_parts_and_attempts(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a part is full after a few lines; nothing is left that is not needed."""
    monkeypatch.setattr(parts, "PART_IS_FULL", 500)
    for attempt in range(12):
        append_all(folder, *([line(100 * attempt + n), line(100 * attempt + n + 50)] for n in range(20)))
    expected = [line(100 * a + n + more) for a in range(12) for n in range(20) for more in (0, 50)]
    assert read_all(folder) == expected
    stems = [path.name.rstrip("ab.jsonl") for path in files(folder)]
    assert len(stems) == len(set(stems))


def test_an_attempt_that_writes_nothing_leaves_nothing(folder: Any) -> None:
    """Re-running a finished upload, say; its lease stays, as the last number must."""
    append_all(folder, [line(1)])
    before = [path.name for path in files(folder)]
    for _ in range(3):
        assert read_all(folder) == [line(1)]
    assert [path.name for path in files(folder)] == before
    leases = [name for name in stores.names(log_in(folder).folder) if name.endswith(".lease")]
    assert len(leases) <= 1


def test_generations_sort_as_numbers(tmp_path: Path) -> None:
    """The millionth attempt still comes after the one before."""
    append_all(tmp_path, [line(1)])
    (part,) = parts_in(tmp_path)
    part.rename(part.with_name(part.name.replace("000001-", "999999-")))
    append_all(tmp_path, [line(2)])
    append_all(tmp_path, [line(3)])
    assert read_all(tmp_path) == [line(1), line(2), line(3)]


def test_groups_and_hosts_have_folders_of_their_own(tmp_path: Path) -> None:
    """Also hosts that differ only in what cannot stand in a file's name, or by their length."""
    hosts = ["a.example", "a.example:80", "a.example/80", "a_example", "..", "a" * 300, "a" * 301]
    for number, host in enumerate(hosts):
        log = FolderLog(tmp_path, Header(host, GROUP), source_key="x")
        log.open(never)
        assert list(log.read()) == []
        log.append([line(number)])
        log.close()
    for number, host in enumerate(hosts):
        log = FolderLog(tmp_path, Header(host, GROUP.upper()), source_key="x")
        log.open(never)
        with pytest.raises(KognicJournalFormatError, match="another predictions group"):
            list(log.read())
        log.close()
        log = FolderLog(tmp_path, Header(host, GROUP), source_key="x")
        log.open(never)
        assert list(log.read()) == [line(number)]
        log.close()
    assert (tmp_path / "a.example" / GROUP).is_dir()


def test_a_torn_last_line_was_never_acknowledged(tmp_path: Path) -> None:
    """Wherever a kill cuts a part off, what stands in whole lines before is read, and no more."""
    append_all(tmp_path, [line(1), line(2)], [line(3)])
    (part,) = parts_in(tmp_path)
    raw = part.read_bytes()
    for length in range(len(raw)):
        part.write_bytes(raw[:length])
        whole = raw[:length].count(b"\n")
        assert read_all(tmp_path) == [line(number) for number in range(1, whole)]
    part.write_bytes(raw + b"\0" * 100)
    assert len(read_all(tmp_path)) == 3


def test_a_torn_copy_in_a_store_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that replaces a file by halves never takes what was acknowledged before."""
    for cut in (0, 1, 100, 200, 300, 340):
        folder = store(f"cut{cut}", BadStore)
        log = log_in(folder)
        log.open(never)
        log.append([line(1)])
        log.append([line(2)])
        folder.fs.cut = cut
        with pytest.raises(KognicJournalError, match=r"cannot be written: BrokenError: connection reset"):
            log.append([line(3)])
        with pytest.raises(KognicJournalError, match="BrokenError"):
            log.append([line(4)])
        folder.fs.cut = None
        log.close()
        found = read_all(folder)
        assert found[:2] == [line(1), line(2)]
        assert found[2:] in ([], [line(3)])


CORRUPT = {
    "no JSON": (1, b"{broken", "is no part of a journal"),
    "a document": (1, b'{"openlabel": {}}', "is no part of a journal"),
    "a list": (1, b'["i"]', "is no part of a journal"),
    "empty": (1, b"", "is no part of a journal"),
    "a newer version": (1, json.dumps(HEADER.to_json() | {"version": 2}).encode(), "format version 2"),
    "no version": (1, b'{"format": "kognic-journal"}', "format version None"),
    "another host": (
        1,
        json.dumps(HEADER.to_json() | {"host": "x.example"}).encode(),
        "another host: 'x.example'",
    ),
    "another group": (
        1,
        json.dumps(HEADER.to_json() | {"predictions_group_uuid": "x"}).encode(),
        "another predictions group: 'x'",
    ),
}


@pytest.mark.parametrize("kind", CORRUPT)
def test_what_is_no_journal_is_an_error_that_names_it(folder: Any, kind: str) -> None:
    """Never a journal without lines."""
    where, bad, said = CORRUPT[kind]
    append_all(folder, [line(1), line(2)])
    append_all(folder, [line(3)])
    part = files(folder)[0]
    rows = stores.read(part).split(b"\n")
    rows[where - 1] = bad
    write_raw(part, b"\n".join(rows))
    with pytest.raises(KognicJournalFormatError, match=said) as caught:
        read_all(folder)
    assert f"{part}, line {where}" in str(caught.value)
    assert "nothing was sent" in str(caught.value)


def test_it_says_where_a_line_stands(folder: Any) -> None:
    """So that whoever reads it can name the file and line of what cannot be understood."""
    append_all(folder, [line(1), line(2)])
    append_all(folder, [line(3)])
    log = log_in(folder)
    log.open(never)
    places = [log.where() for _ in log.read()]
    log.close()
    first, second = files(folder)
    assert places == [f"{first}, line 2", f"{first}, line 3", f"{second}, line 2"]


def test_copies_that_disagree(tmp_path: Path) -> None:
    """Two states of one part of which neither continues the other were changed by somebody."""
    folder = store("disagree")
    log = log_in(folder)
    log.open(never)
    log.append([line(1)])
    log.append([line(2)])
    first, second = files(folder)
    write_raw(first, stores.read(first).replace(line(1), line(7)))
    write_raw(second, stores.read(second).replace(line(1), line(8)))
    with pytest.raises(KognicJournalFormatError, match="neither continues the other"):
        read_all(folder, source="another")
    log.close()


def test_foreign_files(folder: Any) -> None:
    """JSON lines that are no part are an error; other files are none of the journal's business."""
    append_all(folder, [line(1)])
    own = log_in(folder).folder
    write_raw(own / "README.txt", b"hello")
    write_raw(own / "000001-0123-0001.jsonl.tmp", b"hello")
    assert read_all(folder) == [line(1)]
    write_raw(own / "r.failed.jsonl", b"")
    with pytest.raises(KognicJournalFormatError, match=r"r\.failed\.jsonl is no part .*nothing was sent"):
        read_all(folder)


def test_a_store_that_does_not_answer_is_never_an_empty_one(
    folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever question it is that fails."""
    append_all(folder, [line(1)])

    def fail(*_: object, **__: object) -> None:
        raise PermissionError("AccessDenied")

    asked = {"names", "read", "write", "create", "exists"}
    if stores.is_local(folder):
        asked -= {"write", "exists"}
    for name in sorted(asked):
        with monkeypatch.context() as patch:
            patch.setattr(stores, name, fail)
            if stores.is_local(folder) and name == "read":
                patch.setattr(type(folder), "open", fail)
            log = log_in(folder, ttl=0.5)
            with pytest.raises(KognicJournalError, match="AccessDenied"):  # noqa: PT012 - whichever of them it is
                log.open(never)
                list(log.read())
                log.append([line(2)])
            log.close()
    log = log_in(folder, ttl=0.5)
    log.open(never)
    assert next(iter(log.read())) == line(1)
    log.close()


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    """It is said at once, with the folder."""
    (tmp_path / HOST).write_text("")
    with pytest.raises(
        KognicJournalError, match=f"{tmp_path}.*cannot be used: (NotADirectory|FileExists)Error"
    ):
        read_all(tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a disk; a limit on the size of files is tried in any case")
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", place], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.decode()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    """What was acknowledged stays; what had no room is an error, and so is the next attempt's beginning."""
    log = log_in(small_disk)
    log.open(never)
    kept = []
    with pytest.raises(KognicJournalError, match=r"cannot be written: OSError.*No space left.*is there room"):  # noqa: PT012
        for number in range(10_000):
            log.append([line(number)])
            kept.append(line(number))
    with pytest.raises(KognicJournalError, match="No space left"):
        log.append([line(1)])
    log.close()
    assert len(kept) > 100
    with pytest.raises(KognicJournalError, match="No space left"):
        read_all(small_disk)
    subprocess.run(["mount", "-o", "remount,size=256k", small_disk], check=True)
    assert read_all(small_disk) == kept


def test_a_disk_that_nobody_may_write(small_disk: Path) -> None:
    """It is known before anything is sent: when the journal is opened."""
    append_all(small_disk, [line(1)])
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(KognicJournalError, match="Read-only file system"):
        read_all(small_disk)


LIMITED = """
import resource, signal, sys
from pathlib import Path
from tests.core.journal_fakes import line, log_in, never
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = log_in(Path(sys.argv[1]))
log.open(never)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    for number in range(1000):
        log.append([line(number)] * 3)
        print(number, flush=True)
except Exception as error:
    print(type(error).__name__, error, flush=True)
log.close()
"""


def test_a_batch_that_does_not_fit_stands_not_at_all(tmp_path: Path) -> None:
    """The file is cut back to what was acknowledged."""
    process = python(LIMITED, tmp_path)
    out, _ = process.communicate(timeout=60)
    *acknowledged, said = out.splitlines()
    assert process.returncode == 0
    assert said.startswith("KognicJournalError")
    assert "File too large" in said
    assert len(acknowledged) > 10
    assert read_all(tmp_path) == [line(int(number)) for number in acknowledged for _ in range(3)]


WRITER = """
import sys
from pathlib import Path
from tests.core.journal_fakes import line, log_in, never, store
from airflow_provider_kognic.core.journal import parts
folder, kind, start = sys.argv[1:]
if kind == "local":
    place = Path(folder)
else:
    parts.PART_IS_FULL = 4096
    from upath import UPath  # what ObjectStoragePath stands on, without the seconds that importing Airflow takes
    place = UPath("file://" + folder)
    assert hasattr(place, "fs")
log = log_in(place)
log.open(lambda: False)
number = int(start)
while True:
    log.append([line(number), line(number + 1)])
    number += 2
    print(number, flush=True)
"""


@pytest.mark.parametrize("kind", ["local", "store"])
def test_kill_at_any_moment(tmp_path: Path, kind: str) -> None:
    """After `kill -9` everything that was acknowledged is read back, by the next attempt and the one after.

    The store is one of files that are replaced in place, which a kill may tear.
    """
    dice = random.Random(1)
    folder: Any = tmp_path
    if kind == "store":
        from airflow.sdk import ObjectStoragePath

        folder = ObjectStoragePath(f"file://{tmp_path}")
    acknowledged = 0
    for _ in range(4 if kind == "store" else 12):
        process = python(WRITER, tmp_path, kind, acknowledged)
        assert process.stdout is not None
        last = int(process.stdout.readline())
        time.sleep(dice.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split("\n")[:-1]
        process.wait()
        process.stdout.close()
        last = int(rest[-1]) if rest else last
        found = read_all(folder)
        # Its last batch may stand, too: it was killed before it could say so.
        assert len(found) in {last, last + 1, last + 2}
        assert found == [line(number) for number in range(len(found))]
        # Take away what was not acknowledged, so that the next one goes on from there.
        acknowledged = len(found)
    assert acknowledged > 20


def test_after_a_take_over_nothing_can_be_appended(folder: Any) -> None:
    """Nor can anything that was appended before be lost by it."""
    if not stores.is_local(folder) and isinstance(folder.fs, BadStore):
        pytest.skip("nothing keeps attempts apart there")
    first = log_in(folder, ttl=0.3)
    first.open(never)
    first.append([line(1)])
    first._lease._ended.set()  # no more signs of life, as of a process that hangs
    second = log_in(folder, ttl=0.3)
    second.open(never)
    assert list(second.read()) == [line(1)]
    with pytest.raises(KognicJournalError, match="may not write to the journal"):
        first.append([line(2)])
    second.append([line(3)])
    first.close()
    second.append([line(4)])
    second.close()
    found = read_all(folder)
    assert [one for one in found if one != line(2)] == [line(1), line(3), line(4)]


SLEEPER = """
import sys
from pathlib import Path
from tests.core.journal_fakes import line, log_in
where = sys.argv[2]
log = log_in(Path(sys.argv[1]), ttl=float(sys.argv[3]))
log.open(lambda: False)
log.append([line(1)])

def sleep_here(function):
    def with_a_nap(*arguments, **more):
        print("now", flush=True)
        sys.stdin.readline()
        return function(*arguments, **more)
    return with_a_nap

if where == "before the look":
    log._lease.check = sleep_here(log._lease.check)
elif where == "between look and write":
    log._parts.append = sleep_here(log._parts.append)
if where == "before the look":
    once = log._lease.check
    checks = iter([once])
    plain = type(log._lease).check.__get__(log._lease)
    log._lease.check = lambda **more: next(checks, plain)(**more)
try:
    log.append([line(2)])
except Exception as error:
    print(type(error).__name__, flush=True)
else:
    print("appended", flush=True)
"""


@pytest.mark.parametrize("where", ["before the look", "between look and write"])
def test_a_sleeper_that_wakes_up_after_the_take_over(tmp_path: Path, where: str) -> None:
    """SIGSTOP stops a holder at the worst place; its successor goes on, and it itself appends nothing any more."""
    process = python(SLEEPER, tmp_path, where, 1.0, stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "now\n"
    process.send_signal(signal.SIGSTOP)
    second = log_in(tmp_path, ttl=1.0)
    second.open(never)
    assert list(second.read()) == [line(1)]
    second.append([line(3)])
    process.stdin.write("\n")
    process.stdin.flush()
    process.send_signal(signal.SIGCONT)
    assert process.stdout.readline() == "KognicJournalError\n"
    process.communicate(timeout=30)
    second.append([line(4)])
    second.close()


def test_waiting_ends_when_it_is_pointless(folder: Any) -> None:
    """The task was killed meanwhile, say."""
    if not stores.is_local(folder) and isinstance(folder.fs, BadStore):
        pytest.skip("nobody waits there")
    first = log_in(folder)
    first.open(never)
    looks = iter([False, False, True])
    second = log_in(folder)
    with pytest.raises(KognicStoppedError, match="nothing was sent"):
        second.open(lambda: next(looks, True))
    second.close()
    first.append([line(1)])
    first.close()
    assert read_all(folder) == [line(1)]


def test_uploads_of_other_sources_share_the_folder(folder: Any) -> None:
    """At the same time, without waiting for each other."""
    logs = [log_in(folder, f"source {number}") for number in range(5)]
    for log in logs:
        log.open(never)
    for turn in range(4):
        for number, log in enumerate(logs):
            log.append([line(10 * number + turn)])
    for log in logs:
        log.close()
    found = read_all(folder)
    assert sorted(found) == sorted(line(10 * number + turn) for number in range(5) for turn in range(4))
    for number in range(5):
        own = [line(10 * number + turn) for turn in range(4)]
        assert [one for one in found if one in own] == own


def test_a_log_that_is_not_open(tmp_path: Path) -> None:
    """Nothing can be appended to it, and it may be closed twice."""
    log = log_in(tmp_path)
    with pytest.raises(KognicJournalError, match="is not open"):
        log.append([line(1)])
    log.open(never)
    log.close()
    log.close()
    with pytest.raises(KognicJournalError, match="is not open"):
        log.append([line(1)])
    shutil.rmtree(tmp_path)


def test_the_commands_in_the_documentation(tmp_path: Path) -> None:
    """They count states and find what is in doubt, past torn lines and scenes that were begun anew."""
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    page = (REPOSITORY / "docs" / "journal.md").read_text(encoding="utf-8")
    count, doubts = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    scenes = [f"{number:032x}" for number in range(6)]
    rows: list[list[Any]] = [["i", scene, "a1" * 16, 1.5, 1] for scene in scenes]
    rows += [["c", scenes[0], scenes[0]], ["c", scenes[1], scenes[1]], ["r", scenes[2], 422, "no"]]
    rows += [
        ["d", scenes[3], 2.5, None, ""],
        ["b", scenes[0], [scenes[5]], "u"],
        ["B", "u"],
        ["f", scenes[1], "u"],
    ]
    append_all(tmp_path, [json.dumps(row).encode() for row in rows])
    append_all(tmp_path, [json.dumps(["u", scenes[4]]).encode()])
    (part, _) = parts_in(tmp_path)
    part.write_bytes(part.read_bytes() + b'["c","00')

    def said(command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command], cwd=part.parent, check=True, capture_output=True, text=True
        )
        return done.stdout

    assert json.loads(said(count)) == {"c": 1, "d": 1, "i": 1, "r": 1, "u": 1}
    assert said(doubts).split() == [scenes[3], scenes[5]]


def test_a_part_that_is_removed_while_it_is_written(tmp_path: Path) -> None:
    """Lines that no next attempt would find are not taken for durable."""
    log = log_in(tmp_path)
    log.open(never)
    log.append([b'["i"]'])
    (part,) = log.folder.glob("*.jsonl")
    part.unlink()
    with pytest.raises(KognicJournalError, match="cannot be written"):
        log.append([b'["i"]'])
    log.close()
