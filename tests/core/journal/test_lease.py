"""A lease keeps overlapping attempts apart, where the store makes that possible."""

import itertools
import json
import logging
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.errors import KognicJournalError, KognicStoppedError
from airflow_provider_kognic.core.journal import lease as lease_module
from airflow_provider_kognic.core.journal.holder import introduce
from airflow_provider_kognic.core.journal.lease import Lease, key_of
from tests.core.journal.folders import StoreWithoutExclusiveCreation, never, object_store, start_python

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning"),
]
numbers = itertools.count()


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return tmp_path if request.param == "local" else object_store("leases") / f"l{next(numbers)}"


def leases_in(folder: Any) -> list[str]:
    return sorted(name for name in files.names(folder) if name.endswith(".lease"))


def lease_of(folder: Any, key: str, writer: str = "a test", **more: Any) -> Lease:
    return Lease(folder, key_of(key), introduce(writer), **more)


def taken(folder: Any, key: str = "a source", **more: Any) -> Lease:
    lease = lease_of(folder, key, **more)
    lease.acquire(never)
    return lease


def test_one_after_the_other(folder: Any) -> None:
    """Given back, it is had at once; of all its files the last one stays."""
    for _ in range(5):
        lease = taken(folder)
        assert lease.exclusive
        lease.check()
        lease.release()
        lease.release()
        with pytest.raises(KognicJournalError, match="given back"):
            lease.check()
    (left,) = leases_in(folder)
    assert left.endswith("-000005.lease")


def test_sources_do_not_wait_for_each_other(folder: Any) -> None:
    held = [taken(folder, f"source {number}") for number in range(4)]
    for lease in held:
        lease.check()
        lease.release()


def test_a_waiter_says_for_whom_it_waits(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    """And goes on as soon as the other has finished."""
    first = taken(folder, writer="task upload, try 1")
    held: list[Lease] = []
    waiter = threading.Thread(target=lambda: held.append(taken(folder, writer="try 2")))
    with caplog.at_level(logging.WARNING, lease_module.__name__):
        waiter.start()
        while "waiting" not in caplog.text:
            time.sleep(0.01)
        first.check()
        assert not held
        first.release()
        waiter.join(20)
    assert "task upload, try 1, process" in caplog.text
    (second,) = held
    second.check()
    with pytest.raises(KognicJournalError, match="given back"):
        first.check()
    second.release()


def test_a_holder_that_shows_signs_of_life_keeps_it(folder: Any) -> None:
    """However long it takes: many times the time-out."""
    first = taken(folder, ttl=0.6)
    second = lease_of(folder, "a source", ttl=0.6)
    until = time.monotonic() + 2.5
    with pytest.raises(KognicStoppedError):
        second.acquire(lambda: time.monotonic() > until)
    first.check()
    first.release()


def test_a_holder_without_signs_of_life_is_superseded(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    """And knows it: by the clock, and by the files, also after those were tidied away."""
    first = taken(folder, ttl=0.4)
    first._ended.set()
    second = taken(folder, ttl=0.4)
    assert "gave no sign of life" in caplog.text
    second.check()
    with pytest.raises(KognicJournalError, match="could not be renewed"):
        first.check()
    second.release()
    for _ in range(3):
        taken(folder).release()
    first._lost = None
    first._renewed_at = lease_module._clock()  # a clock that stood still would not help it either
    with pytest.raises(KognicJournalError, match="taken over"):
        first.check()
    with pytest.raises(KognicJournalError, match="taken over"):
        first.check(thoroughly=False)


def test_it_refuses_before_another_may_take_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A holder that cannot renew stops after two thirds of the time-out, by its own clock."""
    lease = taken(tmp_path, ttl=30)
    lease._ended.set()
    now = lease_module._clock()
    monkeypatch.setattr(lease_module, "_clock", lambda: now + 19)
    lease.check()
    monkeypatch.setattr(lease_module, "_clock", lambda: now + 21)
    with pytest.raises(KognicJournalError, match="could not be renewed for 21 s"):
        lease.check(thoroughly=False)


def test_a_lease_that_somebody_removed(folder: Any) -> None:
    """It does not come back, and its holder stops."""
    lease = taken(folder, ttl=0.6)
    (name,) = leases_in(folder)
    files.remove(folder / name)
    time.sleep(0.5)
    assert leases_in(folder) == []
    with pytest.raises(KognicJournalError, match="somebody removed it"):
        lease.check()
    lease.release()
    assert leases_in(folder) == []


HOLDER = """
import sys, time
from pathlib import Path
from airflow_provider_kognic.core.journal.holder import introduce
from airflow_provider_kognic.core.journal.lease import Lease, key_of
lease = Lease(Path(sys.argv[1]), key_of("a source"), introduce("a child"))
lease.acquire(lambda: False)
print("held", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("reaped", [True, False])
def test_a_dead_process_of_this_machine_is_superseded_at_once(tmp_path: Path, *, reaped: bool) -> None:
    """Within the time-out of 30 s, that is: `stopping` says no after 15. Also while it is a zombie."""
    process = start_python(HOLDER, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    alive = lease_of(tmp_path, "a source")
    looks = iter([False] * 5)
    with pytest.raises(KognicStoppedError):
        alive.acquire(lambda: next(looks, True))
    process.send_signal(signal.SIGKILL)
    if reaped:
        process.wait()
    until = time.monotonic() + 15
    lease = lease_of(tmp_path, "a source")
    lease.acquire(lambda: time.monotonic() > until)
    lease.release()
    process.communicate()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"text"', b'{"pid": "x"}', b"\xff" * 10])
def test_a_lease_that_cannot_be_read_is_waited_for_and_then_superseded(folder: Any, content: bytes) -> None:
    """Its maker was killed while making it, say."""
    first = taken(folder)
    first.release()
    (name,) = leases_in(folder)
    with (folder / name).open("wb") as file:
        file.write(content)
    with pytest.raises(KognicStoppedError):
        lease_of(folder, "a source").acquire(iter([False, False, True, True]).__next__)
    taken(folder, ttl=0.2).release()


CONTENDER = """
import os, random, sys, time
from pathlib import Path
from airflow_provider_kognic.core.journal.holder import introduce
from airflow_provider_kognic.core.journal.lease import Lease, key_of
folder, number, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for _ in range(rounds):
    lease = Lease(folder / "leases", key_of("a source"), introduce("a child"))
    lease.acquire(lambda: False)
    lease.check()
    inside = folder / "inside"
    os.close(os.open(inside, os.O_CREAT | os.O_EXCL))  # fails if another one is inside
    time.sleep(random.random() * 0.01)
    lease.check()
    inside.unlink()
    lease.release()
print("done", flush=True)
"""


def test_there_are_never_two_holders(tmp_path: Path) -> None:
    """Processes that contend for a lease have it one at a time, and each gets its turns."""
    (tmp_path / "leases").mkdir()
    processes = [start_python(CONTENDER, tmp_path, number, 5) for number in range(4)]
    for process in processes:
        out, _ = process.communicate(timeout=120)
        assert (out, process.returncode) == ("done\n", 0)


@pytest.mark.parametrize("manner", ["overwrites", "unknown", "own words"])
def test_where_nothing_can_be_created_exclusively(manner: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is tried out, said once, and the upload goes on without a lease, which leaves no files."""
    folder = object_store(
        f"careless {manner.replace(' ', '-')}".replace(" ", "-"), StoreWithoutExclusiveCreation
    )
    folder.fs.manner = manner
    first, second = taken(folder), taken(folder)
    assert caplog.text.count("attempts that overlap are not kept apart there") == 2
    for lease in (first, second):
        assert not lease.exclusive
        lease.check()
        lease.release()
    assert leases_in(folder) == []


def test_a_store_that_is_down_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """Not a store that cannot create exclusively."""
    folder = object_store("down", StoreWithoutExclusiveCreation)
    folder.fs.manner = "down"
    with pytest.raises(KognicJournalError, match="cannot be written: ConnectionError: no route"):
        taken(folder)
    assert "kept apart" not in caplog.text


def test_a_store_that_only_looks_before_it_creates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two that made the same file at the same moment, the one whose content did not last has no lease."""
    folder = object_store("looks")
    real = files.create
    other = json.dumps({"holder": "another"}).encode()

    def create(path: Any, data: bytes) -> None:
        real(path, data)
        monkeypatch.setattr(files, "create", real)
        files.write(path, other)

    monkeypatch.setattr(files, "create", create)
    looks = iter([False, False])
    with pytest.raises(KognicStoppedError):
        lease_of(folder, "a source").acquire(lambda: next(looks, True))
    (name,) = leases_in(folder)
    assert files.read(folder / name) == other


def test_a_renewal_that_fails_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again, and the lease stays."""
    lease = taken(tmp_path, ttl=3.0)
    failed = threading.Event()
    write = lease._write

    def fail(*, released: bool) -> None:
        if not failed.is_set():
            failed.set()
            raise OSError("stale file handle")
        write(released=released)

    monkeypatch.setattr(lease, "_write", fail)
    assert failed.wait(20)
    before = lease._renewed_at
    while lease._renewed_at == before:
        lease.check()
        time.sleep(0.05)
    lease.check()
    lease.release()
