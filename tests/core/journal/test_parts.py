"""The parts of a journal's folder: what was acknowledged is read back, whatever happened to a file."""

import errno
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.errors import (
    KognicJournalAccessError,
    KognicJournalError,
    KognicJournalFormatError,
)
from airflow_provider_kognic.core.journal import parts
from tests.core.journal.folders import (
    FallibleStore,
    TearingStore,
    append_all,
    line,
    log_in,
    never,
    object_store,
    part_files,
    parts_in,
    read_all,
    start_python,
    write_raw,
)
from tests.patience import PATIENCE

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning"),
]


def test_it_grows_over_many_parts_and_attempts(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a part is full after a few lines; nothing is left that is not needed."""
    monkeypatch.setattr(parts, "PART_IS_FULL", 500)
    for attempt in range(12):
        append_all(folder, *([line(100 * attempt + n), line(100 * attempt + n + 50)] for n in range(20)))
    expected = [line(100 * a + n + more) for a in range(12) for n in range(20) for more in (0, 50)]
    assert read_all(folder) == expected
    stems = [path.name.rstrip("ab.jsonl") for path in part_files(folder)]
    assert len(stems) == len(set(stems))


class StoreWhereTwoMeet(FallibleStore):
    """A store that answers nobody who reads a part until two of them have been read at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = 0
        self.changing = threading.Lock()
        self.met = threading.Event()

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **more: Any) -> Any:
        if path.endswith(".jsonl"):
            with self.changing:
                self.reading += 1
                if self.reading > 1:
                    self.met.set()
            assert self.met.wait(PATIENCE), "nobody else reads"
            with self.changing:
                self.reading -= 1
        return super().cat_file(path, start, end, **more)


def test_parts_of_a_store_are_read_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes as long as a request, and there may be thousands; their lines come in order all the same."""
    folder = object_store("side by side", StoreWhereTwoMeet)
    monkeypatch.setattr(parts, "PART_IS_FULL", 300)
    append_all(folder, *([line(n)] for n in range(60)))
    assert len(part_files(folder)) > 10
    assert read_all(folder) == [line(n) for n in range(60)]


@pytest.mark.parametrize("gone", [0, 1, 3])
def test_a_part_that_is_missing_among_others_is_an_error(monkeypatch: pytest.MonkeyPatch, gone: int) -> None:
    """What it knew would count as never sent; the last one nobody can miss."""
    folder = object_store(f"missing{gone}") / f"missing{gone}"
    monkeypatch.setattr(parts, "PART_IS_FULL", 300)
    append_all(folder, *([line(n)] for n in range(60)))
    found = part_files(folder)
    assert len(found) > 5
    files.remove(found[gone])
    with pytest.raises(KognicJournalFormatError, match=f"lacks its part {gone + 1}: somebody removed it"):
        read_all(folder)


def test_generations_sort_as_numbers(tmp_path: Path) -> None:
    """The millionth attempt still comes after the one before."""
    append_all(tmp_path, [line(1)])
    (part,) = parts_in(tmp_path)
    part.rename(part.with_name(part.name.replace("000001-", "999999-")))
    append_all(tmp_path, [line(2)])
    append_all(tmp_path, [line(3)])
    assert read_all(tmp_path) == [line(1), line(2), line(3)]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What seems to be damaged is not looked at again."""
    monkeypatch.setattr(parts, "PAUSES", ())


@pytest.mark.usefixtures("at_once")
def test_a_torn_last_line_was_never_acknowledged(tmp_path: Path) -> None:
    """Wherever a kill cuts a part off, what stands in whole lines before is read, and no more."""
    append_all(tmp_path, [line(1), line(2)], [line(3)])
    (part,) = parts_in(tmp_path)
    raw = part.read_bytes()
    for length in range(raw.index(b"\n") + 1, len(raw)):
        part.write_bytes(raw[:length])
        whole = raw[:length].count(b"\n")
        assert read_all(tmp_path) == [line(number) for number in range(1, whole)]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda raw: b"",
    "cut after a byte": lambda raw: raw[:1],
    "cut inside its header": lambda raw: raw[: raw.index(b"\n")],
    "nothing but NULs": lambda raw: b"\0" * len(raw),
    "NULs behind": lambda raw: raw + b"\0" * 100,
    "NULs behind a torn line": lambda raw: raw[:-5] + b"\0" * 100,
    "NULs in place of the last line": lambda raw: raw[: raw.rindex(b"[")] + b"\0" * 100,
    "garbage behind": lambda raw: raw + b"\x8e[\xff",
    "text behind": lambda raw: raw + b"hello",
    "a header that is none": lambda raw: b"\0" * raw.index(b"\n") + raw[raw.index(b"\n") :],
}


def look_at(folder: Any) -> list[bytes]:
    return list(log_in(folder).peek())


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.usefixtures("at_once")
def test_a_damaged_part_is_never_one_without_lines(folder: Any, how: str) -> None:
    """What was in it is unknown; the message names the file, and says what to do about it."""
    append_all(folder, [line(1), line(2)], [line(3)])
    append_all(folder, [line(4)])
    part = part_files(folder)[0]
    write_raw(part, DAMAGES[how](files.read(part)))
    for read in (read_all, look_at):
        with pytest.raises(KognicJournalFormatError, match=r"nothing\s+was sent") as caught:
            read(folder)
        assert str(part) in str(caught.value)
        if how.startswith(("NULs", "garbage", "text")):
            at = files.read(part).rindex(b"\n") + 1
            assert f"from byte {at} on" in str(caught.value)
            assert f"first {at} bytes" in str(caught.value)
        elif how != "a header that is none":
            assert "without a header" in str(caught.value)
            assert "older version" in str(caught.value)
    # And the way that it names helps.
    if how.startswith(("NULs", "garbage", "text")):
        write_raw(part, files.read(part)[:at])
    else:
        files.remove(part)
    assert read_all(folder)[-1] == line(4)


@pytest.mark.usefixtures("at_once")
def test_damage_of_one_state_of_a_part_in_a_store(tmp_path: Path) -> None:
    """What is no unfinished write is damage, in whichever of the two; a write that a kill has torn is none."""
    folder = object_store("damaged", FallibleStore)
    log = log_in(folder)
    log.open(never)
    for number in range(4):
        log.append([line(number)])
    states = part_files(folder)
    kept = {state: files.read(state) for state in states}
    longest, shorter = sorted(states, key=lambda state: len(kept[state]), reverse=True)
    for damaged, content, said in (
        (longest, kept[longest] + b"\0", "from byte"),
        (shorter, kept[shorter] + b"\0", "from byte"),
        (shorter, b"\0" * 50, "without a header"),
        (longest, b"\0" * 50, "without a header"),
        (shorter, kept[shorter].replace(line(1), line(9)), "neither continues"),
    ):
        write_raw(damaged, content)
        with pytest.raises(KognicJournalFormatError, match=said):
            read_all(folder, source="another")
        write_raw(damaged, kept[damaged])
    for cut in range(len(kept[longest])):
        write_raw(longest, kept[longest][:cut])
        assert len(read_all(folder, source="another")) in {3, 4}
    write_raw(longest, kept[longest])
    log.close()


def test_a_part_that_is_just_being_written_is_looked_at_again(tmp_path: Path) -> None:
    """By an older version, which shows it before its header is whole; or over a network."""
    append_all(tmp_path, [line(1)])
    (part,) = parts_in(tmp_path)
    header = part.read_bytes().partition(b"\n")[0]
    other = part.with_name("000001-00000000-0001.jsonl")
    other.write_bytes(header[:20])
    writer = threading.Timer(0.2, lambda: other.write_bytes(header + b"\n" + line(7) + b"\n"))
    writer.start()
    assert read_all(tmp_path) == [line(1)]
    writer.join()
    assert read_all(tmp_path) == [line(7), line(1)]


BORN = """
import os, signal, sys
from pathlib import Path
from airflow_provider_kognic.core import files
from tests.core.journal.folders import log_in
module, name = {"fsync": (os, "fsync"), "link": (os, "link"), "write": (files, "write_all")}[sys.argv[2]]
whole = getattr(module, name)


def die_at_birth(what, *arguments):
    place = os.readlink(f"/proc/self/fd/{what}") if isinstance(what, int) else str(what)
    if place.endswith(".begun"):
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(what, *arguments)


setattr(module, name, die_at_birth)
log_in(Path(sys.argv[1])).open(lambda: False)
"""


@pytest.mark.parametrize("moment", ["write", "fsync", "link"])
def test_a_kill_at_a_parts_birth_leaves_no_part(tmp_path: Path, moment: str) -> None:
    """So that whatever is a part without a whole header is damage; what is left over goes when it is old."""
    append_all(tmp_path, [line(1)])
    process = start_python(BORN, tmp_path, moment)
    assert process.wait(60) == -signal.SIGKILL
    assert process.stdout is not None
    process.stdout.close()
    assert len(parts_in(tmp_path)) == 1
    assert read_all(tmp_path) == [line(1)]
    (left,) = log_in(tmp_path).folder.glob("*.begun")
    day_before_yesterday = time.time() - 2 * 86_400
    os.utime(left, (day_before_yesterday, day_before_yesterday))
    assert read_all(tmp_path) == [line(1)]
    assert not left.exists()


def test_a_disk_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some that are mounted from a store or a network have none; a part has its whole header there, too."""

    def link(*_: Any) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    append_all(tmp_path, [line(1)])
    assert read_all(tmp_path) == [line(1)]
    assert not list(log_in(tmp_path).folder.glob("*.begun"))


def test_no_part_replaces_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is drawn for its name."""
    append_all(tmp_path, [line(1)])
    (part,) = parts_in(tmp_path)
    attempt = part.name.split("-")[1]
    monkeypatch.setattr(parts, "uuid", SimpleNamespace(uuid4=lambda: SimpleNamespace(hex=attempt)))
    log = log_in(tmp_path)
    monkeypatch.setattr(log, "_find", list)
    with pytest.raises(KognicJournalError, match="FileExistsError"):
        log.open(never)
    monkeypatch.undo()
    assert read_all(tmp_path) == [line(1)]
    assert not list(log_in(tmp_path).folder.glob("*.begun"))


def test_a_line_that_only_readers_say(folder: Any) -> None:
    """On a disk it is none of a journal's."""
    append_all(folder, [line(1), b'["v",1]'])
    with pytest.raises(KognicJournalFormatError, match="line 3 is none that a journal has"):
        read_all(folder)


def test_a_torn_copy_in_a_store_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that replaces a file by halves never takes what was acknowledged before."""
    for cut in (0, 1, 100, 200, 300, 340):
        folder = object_store(f"cut{cut}", TearingStore)
        log = log_in(folder)
        log.open(never)
        log.append([line(1)])
        log.append([line(2)])
        folder.fs.cut = cut
        with pytest.raises(
            KognicJournalError,
            match=r"cannot be written: BrokenError: connection reset",
        ):
            log.append([line(3)])
        with pytest.raises(KognicJournalError, match="BrokenError"):
            log.append([line(4)])
        folder.fs.cut = None
        log.close()
        found = read_all(folder)
        assert found[:2] == [line(1), line(2)]
        assert found[2:] in ([], [line(3)])


def test_copies_that_disagree(tmp_path: Path) -> None:
    """Two states of one part of which neither continues the other were changed by somebody."""
    folder = object_store("disagree")
    log = log_in(folder)
    log.open(never)
    log.append([line(1)])
    log.append([line(2)])
    first, second = part_files(folder)
    write_raw(first, files.read(first).replace(line(1), line(7)))
    write_raw(second, files.read(second).replace(line(1), line(8)))
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
from tests.core.journal.folders import line, log_in, never
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
    process = start_python(LIMITED, tmp_path)
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
from tests.core.journal.folders import line, log_in, never, object_store
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
        process = start_python(WRITER, tmp_path, kind, acknowledged)
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


def test_a_pipe_that_is_named_as_a_part_holds_up_nobody(tmp_path: Path) -> None:
    """It is said to be one, at once: to open one may wait for ever."""
    append_all(tmp_path, [line(1)])
    (part,) = parts_in(tmp_path)
    part.unlink()
    os.mkfifo(part)
    with pytest.raises(KognicJournalAccessError, match=r"a pipe \(FIFO\), and only regular files are read"):
        read_all(tmp_path)


class LateStore(MemoryFileSystem):  # type: ignore[misc]
    """A store that loses the answer of a write, and does what it was asked for when nobody thinks of it."""

    cachable = False
    lose = False

    def __init__(self) -> None:
        super().__init__()
        self.store: dict[str, Any] = {}
        self.pseudo_dirs = [""]
        self.late: list[tuple[str, bytes]] = []

    def _open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        if self.lose and mode == "wb" and path.endswith(".jsonl"):
            self.lose = False

            def write(data: bytes) -> None:
                self.late.append((path, data))
                raise ConnectionError("reset before the answer")

            file = super()._open(f"{path}.lost", mode, **more)
            file.write = write
            return file
        return super()._open(path, mode, **more)

    def do_what_is_late(self) -> None:
        for path, data in self.late:
            self.pipe_file(path, data)


@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_a_write_that_happens_late_replaces_nothing(lost: int) -> None:
    """One that was not answered may be done long after it was made again: what was acknowledged since stays."""
    folder = object_store(f"late{lost}", LateStore)
    folder.fs.lose = lost == 0
    log = log_in(folder, outage_timeout=60.0)
    log.open(never)
    for number in range(1, 8):
        folder.fs.lose = number == lost
        log.append([line(number)])
    assert len(folder.fs.late) == 1
    for _ in range(2):
        folder.fs.do_what_is_late()
        assert list(log_in(folder).peek()) == [b'["v",2]', *map(line, range(1, 8))]
        log.close()


def test_a_part_that_holds_nothing_is_removed_with_both_its_states() -> None:
    folder = object_store("late and empty", LateStore)
    folder.fs.lose = True
    log = log_in(folder, outage_timeout=60.0)
    log.open(never)
    log.close()
    assert part_files(folder) == []
