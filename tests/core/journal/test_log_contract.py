"""Every log that there is keeps the contract: folders on a disk and in stores, Airflow's state store, a memory."""

import contextlib
import itertools
import json
import time
import types
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.errors import KognicJournalError, KognicStoppedError
from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.journal.format import Header
from airflow_provider_kognic.task.state_store import TaskStateStoreLog
from tests.core.journal.folders import HEADER, FallibleStore, leases_of, object_store, write_raw
from tests.core.journal.log_contract import LogContract, Place

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
# No process of Linux has a number beyond 2 ** 22.
NOBODY = 2**22 + 1
numbers = itertools.count()


class FolderPlace:
    """A folder, of whatever kind."""

    def __init__(self, folder: Any, *, keeps_apart: bool = True) -> None:
        self.folder, self.keeps_apart = folder, keeps_apart

    def log(self, header: Header = HEADER) -> FolderLog:
        return FolderLog(self.folder, header, source_key="a source", outage_timeout=0)

    reader = log

    def kill(self, log: FolderLog) -> None:
        (lease,) = leases_of(log)
        lease._ended.set()
        if lease.exclusive:
            with lease._lock:
                lease._facts.update(pid=NOBODY, started="0")
                lease._write(released=False)

    def append_and_kill(self, log: FolderLog, lines: Sequence[bytes], share: float) -> None:
        before = self.kept()
        log.append(lines)
        # What was written last is what is torn: a local part at its end, a file of a store anywhere.
        for path, content in self.kept().items():
            known = before.get(path, b"")
            if content != known and path.endswith(".jsonl"):
                whole = len(known) if files.is_local(self.folder) else 0
                cut = whole + int(share * (len(content) - whole))
                write_raw(log.folder / path.rpartition("/")[2], content[:cut])
        self.kill(log)

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        if not files.is_local(self.folder):
            store = self.folder.fs
            store.down = True
            yield
            store.down = False
            return
        aside = self.folder.with_name("aside")
        self.folder.rename(aside)
        self.folder.write_bytes(b"")
        yield
        self.folder.unlink()
        aside.rename(self.folder)

    def move(self, header: Header) -> None:
        here, there = self.log().folder, self.log(header).folder
        files.make_folder(self.folder, header.host, header.predictions_group_uuid)
        for name in files.names(here):
            write_raw(there / name, files.read(here / name))

    def edit(self, old: str, new: str) -> None:
        here = self.log().folder
        for name in files.names(here):
            write_raw(here / name, files.read(here / name).replace(old.encode(), new.encode()))

    def kept(self) -> dict[str, bytes]:
        if files.is_local(self.folder):
            found = [path for path in self.folder.rglob("*") if path.is_file()]
            return {str(path): path.read_bytes() for path in found}
        store = self.folder.fs
        return {name: store.cat_file(name) for name in store.find(str(self.folder.path))}


class KilledError(BaseException):
    """The process ends."""


class SupersededError(Exception):
    """What Airflow's API server answers a task instance that it does not know any more."""

    response = types.SimpleNamespace(status_code=404)


class Accessor:
    """The task state store as one attempt has it; it behaves as Airflow's does.

    Once the task was cleared and has another attempt, `get` finds nothing and `set` fails.
    """

    def __init__(self, place: "StateStorePlace") -> None:
        self._place = place
        self.writes: int | None = None

    def get(self, key: str, default: Any = None) -> Any:
        self._serve()
        known = self._place.attempt is self and key in self._place.values
        return json.loads(self._place.values[key]) if known else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self._serve()
        if self.writes == 0:
            raise KilledError
        if self.writes is not None:
            self.writes -= 1
        if self._place.attempt is not self:
            raise SupersededError("the task instance is unknown")
        self._place.values[key] = json.dumps(value)

    def _serve(self) -> None:
        if self._place.down:
            raise ConnectionError("no route to the API server")


class StateStorePlace:
    """Airflow's task state store."""

    keeps_apart = True

    def __init__(self) -> None:
        # The log hands this constant to the store; Airflow before 3.3 has neither it nor a store of its own.
        vars(import_module("airflow.sdk.execution_time.context")).setdefault("NEVER_EXPIRE", None)
        self.values: dict[str, str] = {}
        self.attempt = Accessor(self)
        self.down = False
        # What the attempt has opened: a journal of each group, once; once more means one more attempt.
        self._opened: set[Header] = set()

    def log(self, header: Header = HEADER) -> TaskStateStoreLog:
        if header in self._opened:
            self.attempt = Accessor(self)
            self._opened.clear()
        self._opened.add(header)
        return TaskStateStoreLog(self.attempt, header, writer="a test")

    def reader(self, header: Header = HEADER) -> TaskStateStoreLog:
        return TaskStateStoreLog(self.attempt, header, writer="who looks")

    def kill(self, log: TaskStateStoreLog) -> None:
        pass

    def append_and_kill(self, log: TaskStateStoreLog, lines: Sequence[bytes], share: float) -> None:
        self.attempt.writes = int(share * 4)  # two values, and their index
        with contextlib.suppress(KilledError):
            log.append(lines)

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        self.down = True
        yield
        self.down = False

    def move(self, header: Header) -> None:
        here, there = self.reader()._key, self.reader(header)._key
        self.values |= {key.replace(here, there): value for key, value in self.values.items()}

    def edit(self, old: str, new: str) -> None:
        self.values = {key: value.replace(old, new) for key, value in self.values.items()}

    def kept(self) -> dict[str, str]:
        return dict(self.values)


class RememberingLog:
    """A log in memory, the simplest one that keeps the contract."""

    def __init__(self, place: "MemoryPlace", header: Header) -> None:
        self._place, self._header = place, header

    def open(self, stopping: Callable[[], bool]) -> None:
        self._look()
        while self._holder not in {None, self}:
            if stopping():
                raise KognicStoppedError("stopped")
            time.sleep(0.01)
        self._place.holders[self._where] = self

    def read(self) -> list[bytes]:
        self._look()
        header, *found = self._place.kept_lines.get(self._where, [self._header.to_line()])
        self._header.check_line(header, "the memory")
        return found

    def peek(self, stopping: Callable[[], bool]) -> list[bytes]:
        return self.read()

    def append(self, lines: Sequence[bytes]) -> None:
        self._look()
        if self._holder is not self:
            raise KognicJournalError("another attempt has taken over.")
        self._place.kept_lines.setdefault(self._where, [self._header.to_line()]).extend(lines)

    def close(self) -> None:
        if self._holder is self:
            del self._place.holders[self._where]

    def _look(self) -> None:
        if self._place.down:
            raise OSError("out of memory")

    @property
    def _where(self) -> str:
        return f"{self._header.host}/{self._header.predictions_group_uuid}"

    @property
    def _holder(self) -> "RememberingLog | None":
        return self._place.holders.get(self._where)


class MemoryPlace:
    """The memory of this process."""

    keeps_apart = True

    def __init__(self) -> None:
        self.kept_lines: dict[str, list[bytes]] = {}
        self.holders: dict[str, RememberingLog] = {}
        self.down = False

    def log(self, header: Header = HEADER) -> RememberingLog:
        return RememberingLog(self, header)

    reader = log

    def kill(self, log: RememberingLog) -> None:
        self.holders.clear()

    def append_and_kill(self, log: RememberingLog, lines: Sequence[bytes], share: float) -> None:
        log.append(lines[: int(share * len(lines))])
        self.kill(log)

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        self.down = True
        yield
        self.down = False

    def move(self, header: Header) -> None:
        self.kept_lines[self.log(header)._where] = self.kept_lines[self.log()._where]

    def edit(self, old: str, new: str) -> None:
        for kept in self.kept_lines.values():
            kept[:] = [one.replace(old.encode(), new.encode()) for one in kept]

    def kept(self) -> dict[str, list[bytes]]:
        return {where: list(kept) for where, kept in self.kept_lines.items()}


def _exclusive() -> FallibleStore:
    return FallibleStore(exclusive=True)


def _not_exclusive() -> FallibleStore:
    return FallibleStore(exclusive=False)


PLACES: dict[str, Callable[[Path], Place]] = {
    "folder on a disk": lambda tmp_path: FolderPlace(tmp_path / "journal"),
    "folder in a store": lambda _: FolderPlace(object_store(f"contract{next(numbers)}", _exclusive)),
    "folder in a store that creates nothing exclusively": lambda _: FolderPlace(
        object_store(f"contract{next(numbers)}", _not_exclusive), keeps_apart=False
    ),
    "state store": lambda _: StateStorePlace(),
    "memory": lambda _: MemoryPlace(),
}


class TestEveryLog(LogContract):
    @pytest.fixture(params=PLACES)
    def place(self, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
        return PLACES[request.param](tmp_path)


def test_a_folder_reached_as_a_url(tmp_path: Path) -> None:
    """A local folder that is given as `file://` is a store like others, and what is in it is the same journal."""
    (tmp_path / "journal").mkdir()
    place = FolderPlace(UPath(f"file://{tmp_path}/journal"))
    assert not files.is_local(place.folder)
    log = place.log()
    log.open(lambda: False)
    log.append([b'["u","00"]'])
    log.close()
    assert list(FolderPlace(tmp_path / "journal").reader().peek()) == [b'["v",2]', b'["u","00"]']
