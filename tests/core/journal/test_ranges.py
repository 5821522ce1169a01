"""Attempts with ranges of one source that have a scene in common wait for each other, and others do not."""

import itertools
import logging
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.errors import KognicJournalError, KognicStoppedError
from airflow_provider_kognic.core.journal import holder
from airflow_provider_kognic.core.journal.lease import key_of
from airflow_provider_kognic.core.journal.leases import Leases, row_of
from airflow_provider_kognic.core.models import Span
from tests.core.journal.folders import line, lines_of, log_in, never, object_store, start_python
from tests.patience import wait_for

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
numbers = itertools.count()

SOURCE = "a source"
ENDS = [f"{digit}0000000-0000-4000-8000-000000000000" for digit in "48c"]
A, B, C, D = [Span(first, before) for first, before in zip([None, *ENDS], [*ENDS, None], strict=True)]
ALL = Span()


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return tmp_path if request.param == "local" else object_store("ranges") / f"r{next(numbers)}"


def leases(folder: Any, span: Span, upload: str | None = None, **more: Any) -> Leases:
    return Leases(folder, SOURCE, upload, span=span, **more)


def taken(folder: Any, span: Span, upload: str | None = None, **more: Any) -> Leases:
    made = leases(folder, span, upload, **more)
    made.acquire(never)
    return made


def refused(made: Leases) -> bool:
    """Tell whether it is waited for, which ends when it is told to."""
    looks = iter([False] * 20)
    with pytest.raises(KognicStoppedError):
        made.acquire(lambda: next(looks, True))
    return True


def fall_asleep(made: Leases) -> None:
    """No more signs of life."""
    made._source._ended.set()


def test_shards_of_one_source_upload_at_the_same_time(folder: Any) -> None:
    held = [taken(folder, span, f"run/upload/{number}") for number, span in enumerate((A, B, C, D))]
    for one in held:
        one.check()
        one.release()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (A, A),  # the same shard twice
        (A, Span(None, ENDS[1])),  # of another number of shards
        (Span(ENDS[0], ENDS[2]), C),
        (ALL, D),
        (D, ALL),
        (Span(ENDS[1]), ALL),
    ],
)
def test_what_has_a_scene_in_common_is_one_after_the_other(folder: Any, first: Span, second: Span) -> None:
    one = taken(folder, first)
    assert refused(leases(folder, second))
    one.check()
    one.release()
    other = taken(folder, second)
    assert refused(leases(folder, first))
    other.check()
    other.release()


def test_other_sources_are_not_kept_apart(folder: Any) -> None:
    one = taken(folder, ALL)
    other = Leases(folder, "another source", span=A)
    other.acquire(never)
    other.check()
    one.check()
    one.release()
    other.release()


def test_all_of_a_source_has_its_lease_where_it_always_was(tmp_path: Path) -> None:
    """Older versions look there; and so does a shard that is the only one."""
    taken(tmp_path, ALL).release()
    assert row_of(key_of(SOURCE), ALL) == key_of(SOURCE)
    assert [path.name for path in tmp_path.iterdir()] == [f"{key_of(SOURCE)}-000001.lease"]


def test_the_name_of_a_range(tmp_path: Path) -> None:
    taken(tmp_path, C).release()
    taken(tmp_path, D).release()
    ends = [end.replace("-", "") for end in ENDS]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{key_of(SOURCE)}.{ends[1]}.{ends[2]}-000001.lease",
        f"{key_of(SOURCE)}.{ends[2]}.end-000001.lease",
    ]


def test_who_waits_says_for_whom(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = taken(tmp_path, B, writer="who was first")
    with caplog.at_level(logging.WARNING):
        assert refused(leases(tmp_path, ALL))
    assert "waiting. It is who was first" in caplog.text
    assert "It has the same source, and some of the same scenes." in caplog.text
    first.release()


@pytest.mark.parametrize(("sleeper", "successor"), [(A, ALL), (ALL, A), (Span(None, ENDS[1]), B)])
def test_a_sleeper_is_superseded_by_another_range_and_notices(
    folder: Any, caplog: pytest.LogCaptureFixture, sleeper: Span, successor: Span
) -> None:
    """Before the successor is in, which then reads what the sleeper has written; later it can write nothing."""
    first = taken(folder, sleeper, ttl=3600.0)
    fall_asleep(first)
    second = taken(folder, successor, ttl=0.5)
    assert "gave no sign of life" in caplog.text
    first._source._ended.clear()
    with pytest.raises(KognicJournalError, match="another attempt has taken over"):
        first.check()
    second.release()


def test_a_retry_of_a_shard_ousts_its_sleeping_try_from_another_range(folder: Any) -> None:
    """The source was cut anew between the two: they share the task and the map index, and no scene."""
    first = taken(folder, A, "run/upload/0", ttl=3600.0)
    fall_asleep(first)
    first._upload._ended.set()  # type: ignore[union-attr]
    second = taken(folder, D, "run/upload/0", ttl=4.0)
    first._source._ended.clear()
    with pytest.raises(KognicJournalError, match="taken over"):
        first._source.check()
    second.release()


def test_a_lease_that_says_nothing_is_waited_for_and_then_taken_over(folder: Any) -> None:
    taken(folder, B).release()
    (name,) = files.names(folder)
    with (folder / name).open("wb") as file:
        file.write(b"")
    assert refused(leases(folder, ALL))
    taken(folder, ALL, ttl=0.3).release()


def test_all_of_a_source_gets_its_turn_while_shards_come_and_go(folder: Any) -> None:
    """Who waits for shards keeps those away that come later."""
    shard = taken(folder, A)
    whole = leases(folder, ALL)
    waiting = threading.Thread(target=whole.acquire, args=(never,), daemon=True)
    waiting.start()
    own = f"{key_of(SOURCE)}-000001.lease"
    wait_for(lambda: own in files.names(folder))
    assert refused(leases(folder, D))
    assert waiting.is_alive()
    shard.release()
    waiting.join(60)
    assert not waiting.is_alive()
    whole.check()
    whole.release()


HOLDER = """
import sys, time
from pathlib import Path
from airflow_provider_kognic.core.journal.leases import Leases
from airflow_provider_kognic.core.models import Span
leases = Leases(Path(sys.argv[1]), "a source", span=Span(None, sys.argv[2]))
leases.acquire(lambda: False)
print("held", flush=True)
time.sleep(60)
"""


def test_a_dead_process_of_this_machine_is_superseded_at_once(tmp_path: Path) -> None:
    """It is not waited for, here for an hour."""
    process = start_python(HOLDER, tmp_path, ENDS[1])
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    assert refused(leases(tmp_path, A))
    process.send_signal(signal.SIGKILL)
    process.wait()
    held = leases(tmp_path, A, ttl=3600.0)
    until = time.monotonic() + 120
    held.acquire(lambda: time.monotonic() > until)
    held.check()
    held.release()
    process.communicate()


CONTENDER = """
import os, random, sys, time
from pathlib import Path
from airflow_provider_kognic.core.journal.leases import Leases
from airflow_provider_kognic.core.models import Span
folder, number, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
random.seed(number)
cells = 6
end = lambda cell: None if cell in (0, cells) else f"{cell}0000000-0000-4000-8000-000000000000"
for _ in range(rounds):
    first = random.randrange(cells)
    last = random.randrange(first, cells)
    leases = Leases(folder / "leases", "a source", span=Span(end(first), end(last + 1)))
    leases.acquire(lambda: False)
    leases.check()
    inside = [folder / f"inside-{cell}" for cell in range(first, last + 1)]
    for path in inside:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))  # fails if another one is inside
    time.sleep(random.random() * 0.01)
    leases.check()
    for path in inside:
        path.unlink()
    leases.release()
print("done", flush=True)
"""


def test_no_scene_ever_has_two_holders(tmp_path: Path) -> None:
    """Processes that contend for ranges of all kinds: never two that overlap, and each gets its turns."""
    (tmp_path / "leases").mkdir()
    processes = [start_python(CONTENDER, tmp_path, number, 6) for number in range(4)]
    for process in processes:
        out, err = process.communicate(timeout=240)
        assert (out, process.returncode) == ("done\n", 0), err


def test_threads_contend_for_ranges_in_an_object_store() -> None:
    folder = object_store("contended") / f"c{next(numbers)}"
    inside: set[int] = set()
    lock = threading.Lock()
    wrong: list[str] = []

    def contend(number: int) -> None:
        dice = random.Random(number)
        for _ in range(3):
            cells = range(first := dice.randrange(4), dice.randrange(first, 4) + 1)
            span = Span([None, *ENDS][cells[0]], [*ENDS, None][cells[-1]])
            held = taken(folder, span)
            with lock:
                if inside.intersection(cells):
                    wrong.append(f"{number}: {cells} while {inside}")
                inside.update(cells)
            time.sleep(dice.random() * 0.01)
            held.check()
            with lock:
                inside.difference_update(cells)
            held.release()

    threads = [threading.Thread(target=contend, args=(number,), daemon=True) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


def test_shards_share_the_journal_of_the_source(folder: Any) -> None:
    """Each writes its own parts, at the same time, and whoever comes next reads them all."""
    first, second = log_in(folder, span=A), log_in(folder, span=D)
    first.open(never)
    second.open(never)
    first.append([line(1)])
    second.append([line(2)])
    first.append([line(3)])
    first.close()
    second.close()
    for span in (None, Span(), Span(ENDS[1])):
        log = log_in(folder, span=span)
        log.open(never)
        assert sorted(lines_of(log)) == [line(1), line(2), line(3)]
        log.close()


def test_the_lease_of_an_upload_names_the_range_that_goes_with_it(tmp_path: Path) -> None:
    made = taken(tmp_path, C, "run/upload/2")
    contents = [path.read_bytes() for path in tmp_path.glob("*.lease")]
    assert {holder.source_of(content) for content in contents} == {None, row_of(key_of(SOURCE), C)}
    made.release()
