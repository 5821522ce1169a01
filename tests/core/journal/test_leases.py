"""An attempt has the lease of its upload and that of its source, or none; at the price of one."""

import hashlib
import itertools
import logging
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.errors import KognicJournalError, KognicStoppedError
from airflow_provider_kognic.core.journal import holder
from airflow_provider_kognic.core.journal.leases import Leases
from tests.core.journal.folders import FallibleStore, line, log_in, never, object_store, start_python

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
numbers = itertools.count()
UPLOAD = "dag/run/upload/-1"


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return tmp_path if request.param == "local" else object_store("both") / f"l{next(numbers)}"


def taken(folder: Any, source: str = "a source", upload: str | None = UPLOAD, **more: Any) -> Leases:
    leases = Leases(folder, source, upload, **more)
    leases.acquire(never)
    return leases


def fall_asleep(leases: Leases) -> None:
    """No more signs of life, of either."""
    for lease in (leases._upload, leases._source):
        if lease is not None:
            lease._ended.set()


def refused(leases: Leases) -> bool:
    with pytest.raises(KognicStoppedError):
        leases.acquire(iter([False, False, True]).__next__)
    return True


def test_both_are_had_or_none(folder: Any) -> None:
    """One after the other, whatever they have in common; who has nothing in common waits for nobody."""
    first = taken(folder)
    assert refused(Leases(folder, "another source", UPLOAD))
    assert refused(Leases(folder, "a source", "dag/run/upload/7"))
    assert refused(Leases(folder, "a source"))
    other = taken(folder, "another source", "dag/run/upload/7")
    other.check()
    first.check()
    first.release()
    first.release()
    other.release()
    for _ in range(3):
        taken(folder).release()


def test_the_source_has_its_lease_where_older_versions_look_for_it(tmp_path: Path) -> None:
    leases = taken(tmp_path)
    key = hashlib.sha256(b"a source").hexdigest()[:16]
    assert (tmp_path / f"{key}-000001.lease").exists()
    assert len(list(tmp_path.glob("*.lease"))) == 2
    leases.release()


def test_the_first_is_given_back_where_the_second_is_not_to_be_had(
    folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Because the task was told to end, or the store failed: the next attempt does not wait for it."""
    held = taken(folder, upload=None)
    assert refused(Leases(folder, "a source", UPLOAD))
    taken(folder, "another source").release()
    made = files.create

    def create(path: Any, data: bytes) -> None:
        if path.name.startswith(hashlib.sha256(b"third").hexdigest()[:16]):
            raise PermissionError("AccessDenied")
        made(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(files, "create", create)
        with pytest.raises(KognicJournalError, match="AccessDenied"):
            taken(folder, "third")
    taken(folder, "another source").release()
    held.release()


@pytest.mark.parametrize(
    ("waiter", "said"),
    [
        (("another source", UPLOAD), "It is of the same task in the same run."),
        (("a source", "another/run/upload/-1"), "It has the same source."),
    ],
)
def test_who_waits_says_for_which(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, waiter: tuple[str, str], said: str
) -> None:
    first = taken(tmp_path, writer="who was first")
    with caplog.at_level(logging.WARNING):
        assert refused(Leases(tmp_path, *waiter))
    assert "waiting. It is who was first" in caplog.text
    assert said in caplog.text
    first.release()


KILLED = """
import os, signal, sys
from pathlib import Path
from airflow_provider_kognic.core.journal.leases import Leases
leases = Leases(Path(sys.argv[1]), "a source", sys.argv[2])
leases._source.acquire = lambda stopping: os.kill(os.getpid(), signal.SIGKILL)
leases.acquire(lambda: False)
"""


@pytest.mark.parametrize("here", [True, False], ids=["of this machine", "of another one"])
def test_a_kill_between_the_two(tmp_path: Path, *, here: bool) -> None:
    """The next attempt waits no longer than for any that is dead."""
    process = start_python(KILLED, tmp_path, UPLOAD)
    assert process.wait(60) == -signal.SIGKILL
    assert process.stdout is not None
    process.stdout.close()
    (left,) = tmp_path.glob("*.lease")
    if not here:
        left.write_bytes(left.read_bytes().replace(b'"boot": "', b'"boot": "x'))
    began = time.monotonic()
    taken(tmp_path, ttl=6).release()
    assert (time.monotonic() - began < 5) is here


def test_a_sleeper_whose_upload_goes_on_with_another_source(folder: Any) -> None:
    """It looks at its source's lease alone, and that is taken from it, too, before the other one reads."""
    first = taken(folder, "source v1", ttl=30.0)
    fall_asleep(first)
    second = taken(folder, "source v2", ttl=0.3)
    with pytest.raises(KognicJournalError, match="another attempt has taken over"):
        first.check()
    # And what was taken from it is free.
    taken(folder, "source v1", "another/run/upload/-1").release()
    second.check()
    second.release()


def test_a_sleeper_between_its_two_leases(folder: Any) -> None:
    """It has nothing that could be taken from it yet; so it looks once more when it has."""
    first = Leases(folder, "source v1", UPLOAD, ttl=30.0)
    wait_for_source = first._source.acquire
    others: list[Leases] = []

    def sleep(*arguments: Any) -> None:
        assert first._upload is not None
        first._upload._ended.set()
        others.append(taken(folder, "source v2", ttl=0.3))
        wait_for_source(*arguments)

    first._source.acquire = sleep  # type: ignore[method-assign, assignment]
    with pytest.raises(KognicJournalError, match="another attempt has taken over"):
        first.acquire(never)
    others[0].check()
    others[0].release()
    taken(folder, "source v1").release()


def test_who_took_over_dies_before_it_could_tell(tmp_path: Path) -> None:
    """The one after that takes it from the sleeper instead."""
    first = taken(tmp_path, "source v1", ttl=30.0)
    fall_asleep(first)
    second = Leases(tmp_path, "source v2", UPLOAD, ttl=0.3)
    second._oust = lambda: None  # type: ignore[method-assign]
    second.acquire(never)
    fall_asleep(second)
    first._source.check()
    third = taken(tmp_path, "source v3", ttl=0.3)
    with pytest.raises(KognicJournalError, match="another attempt has taken over"):
        first.check()
    third.release()


def test_a_source_that_somebody_else_has_meanwhile_stays_his(tmp_path: Path) -> None:
    first = taken(tmp_path, "source v1", ttl=30.0)
    fall_asleep(first)
    other = taken(tmp_path, "source v1", "another/run/upload/-1", ttl=0.3)
    taken(tmp_path, "source v2", ttl=0.3).release()
    other.check()
    other.release()


def test_many_attempts_of_uploads_and_sources_come_through(tmp_path: Path) -> None:
    """Nobody waits for ever, and of each source and of each upload there is one at a time."""
    inside: Counter[str] = Counter()
    wrong: list[str] = []

    def attempt(source: str, upload: str) -> None:
        for _ in range(3):
            leases = taken(tmp_path, source, upload)
            for name in (source, upload):
                inside[name] += 1
                if inside[name] > 1:
                    wrong.append(name)
            time.sleep(0.002)
            for name in (source, upload):
                inside[name] -= 1
            leases.release()

    threads = [
        threading.Thread(target=attempt, args=(f"source {source}", f"upload {upload}"))
        for source in range(3)
        for upload in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not wrong


class CountingStore(FallibleStore):
    """Counts what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    def _open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        self.asked["PUT" if "r" not in mode else "GET"] += 1
        return super()._open(path, mode, **more)

    def ls(self, path: str, detail: bool = True, **more: Any) -> Any:  # noqa: FBT001, FBT002 - fsspec's signature
        self.asked["LIST"] += 1
        return super().ls(path, detail=detail, **more)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **more: Any) -> Any:
        self.asked["GET"] += 1
        # Not by way of `_open`, which would count it twice.
        return (
            bytes(self.store[self._strip_protocol(path)].getbuffer())
            if self.isfile(path)
            else self._gone(path)
        )

    def _gone(self, path: str) -> bytes:
        raise FileNotFoundError(path)


def test_what_a_batch_asks_of_a_store(tmp_path: Path) -> None:
    """As much as with one lease: a PUT, and two looks at the source's lease."""
    for upload in (None, UPLOAD):
        place = object_store(f"counting{next(numbers)}", CountingStore)
        log = log_in(place, upload_key=upload, ttl=600.0)
        log.open(never)
        for number in range(3):
            place.fs.asked.clear()
            log.append([line(number)])
            assert place.fs.asked == {"PUT": 1, "GET": 2}
        log.close()


def test_the_lease_of_an_upload_names_its_source(tmp_path: Path) -> None:
    leases = taken(tmp_path)
    contents = [path.read_bytes() for path in tmp_path.glob("*.lease")]
    assert {holder.source_of(content) for content in contents} == {
        None,
        hashlib.sha256(b"a source").hexdigest()[:16],
    }
    assert holder.is_same(*contents)
    leases.release()
