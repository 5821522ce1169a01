"""Who cleans a journal and who uploads into it keep out of each other's way, as processes of their own."""

import logging
import threading
import time
from pathlib import Path

import pytest

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.errors import (
    KognicJournalError,
    KognicJournalRemovedError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.journal.retention.cleaning import Ages, What
from airflow_provider_kognic.core.models import Span
from tests.core.journal.folders import leases_of, log_in, start_python
from tests.core.journal.retention.journals import (
    AT_ONCE,
    REMOVE_AT_ONCE,
    clean_one,
    names_in,
    opened,
    scene,
    used,
    what_is_known,
)

# Seconds that a test waits at most for what should come at once.
PATIENCE = 60.0

UPLOAD = """
import sys
from pathlib import Path
from tests.core.journal.retention.journals import opened
log = opened(Path(sys.argv[1]), upload_key=sys.argv[2] or None)
print("open", flush=True)
sys.stdin.readline()
log.append([b'["i","%032x","%032x",1.5,1]' % (40, 2), b'["c","%032x","%032x"]' % (40, 3)])
log.close()
"""

CLEAN = """
import sys
from pathlib import Path
from airflow_provider_kognic.core import files
from tests.core.journal.retention.journals import clean_one
whole = files.make_whole
def wait(*arguments):
    print("cleaning", flush=True)
    sys.stdin.readline()
    return whole(*arguments)
files.make_whole = wait
print(clean_one(Path(sys.argv[1])).what.value, flush=True)
"""

RACE = """
import sys
from pathlib import Path
from tests.core.journal.retention.journals import clean_one
for line in sys.stdin:
    print(clean_one(Path(line.strip())).what.value, flush=True)
"""


@pytest.mark.parametrize("upload_key", ["an upload", ""])
def test_what_an_upload_uses_is_not_touched(tmp_path: Path, upload_key: str) -> None:
    """Whatever its age; and not by who would only look either."""
    used(tmp_path)
    process = start_python(UPLOAD, tmp_path, upload_key, stdin=-1)
    assert process.stdout is not None
    assert process.stdin is not None
    with process:
        assert process.stdout.readline() == "open\n"
        before = set(names_in(tmp_path))
        for dry_run in (True, False):
            assert clean_one(tmp_path, REMOVE_AT_ONCE, dry_run=dry_run).what is What.IN_USE
        assert set(names_in(tmp_path)) == before
        process.stdin.write("go on\n")
        process.stdin.flush()
        assert process.wait(PATIENCE) == 0
    assert len(what_is_known(tmp_path)) == 12
    assert clean_one(tmp_path).what is What.COMPACTED
    assert len(what_is_known(tmp_path)) == 12


def test_an_upload_waits_while_its_journal_is_cleaned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it uploads; it says for whom, and finds all of it. Another who wants to clean does not wait."""
    used(tmp_path)
    known = what_is_known(tmp_path)
    found = []
    process = start_python(CLEAN, tmp_path, stdin=-1)
    assert process.stdout is not None
    assert process.stdin is not None
    with process, caplog.at_level(logging.WARNING):
        assert process.stdout.readline() == "cleaning\n"
        row = clean_one(tmp_path)
        assert (row.what, row.note) == (What.IN_USE, "somebody else cleans it")

        def upload() -> None:
            log = opened(tmp_path, source="a new source", upload_key="a new upload")
            found.append(log.stems())
            log.close()

        uploading = threading.Thread(target=upload)
        uploading.start()
        until = time.monotonic() + PATIENCE
        while "It cleans the journal of this predictions group." not in caplog.text:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert not found
        process.stdin.write("go on\n")
        process.stdin.flush()
        assert process.stdout.readline() == "compacted\n"
        uploading.join(PATIENCE)
        assert process.wait(PATIENCE) == 0
    assert len(found) == 1
    assert "journal clean of a test" in caplog.text
    assert what_is_known(tmp_path) == known


def test_both_begin_at_the_same_moment(tmp_path: Path) -> None:
    """Whoever comes first: the upload knows all, and what it writes is there afterwards."""
    process = start_python(RACE, stdin=-1)
    assert process.stdout is not None
    assert process.stdin is not None
    said = set()
    with process:
        for number in range(12):
            folder = tmp_path / str(number)
            used(folder)
            known = what_is_known(folder)
            process.stdin.write(f"{folder}\n")
            process.stdin.flush()
            time.sleep(0.001 * (number % 10))  # here and there, for another order
            log = opened(folder, source=f"source {number}", upload_key=f"upload {number}")
            log.append([b'["i","%032x","%032x",1.5,1]' % (40, 2), b'["c","%032x","%032x"]' % (40, 3)])
            log.close()
            said.add(process.stdout.readline().strip())
            after = what_is_known(folder)
            assert len(after) == len(known) + 1
            assert {scene: after[scene] for scene in known} == known
        process.stdin.close()
        assert process.wait(PATIENCE) == 0
    assert said <= {What.COMPACTED.value, What.IN_USE.value}


def test_who_waits_takes_over_from_a_cleaning_that_died(tmp_path: Path) -> None:
    """At once where it was a process of this machine; and who comes next cleans it."""
    used(tmp_path)
    known = what_is_known(tmp_path)
    process = start_python(CLEAN, tmp_path, stdin=-1)
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "cleaning\n"
        process.kill()
        process.wait(PATIENCE)
        opened(tmp_path).close()
        assert what_is_known(tmp_path) == known
        assert clean_one(tmp_path, AT_ONCE).what is What.COMPACTED
    assert what_is_known(tmp_path) == known
    assert len(names_in(tmp_path)) == 1


def test_who_is_slow_while_a_journal_is_cleaned_has_no_lease_beside_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has seen the last file of a lease, which is gone when it makes the next one: numbers have begun anew."""
    used(tmp_path)
    create, others = files.create, list[FolderLog]()
    slow = log_in(tmp_path)

    def after_all_of_that(path: Path, data: bytes) -> None:
        if not others and path.name.startswith(slow._leases.source):
            monkeypatch.undo()
            assert clean_one(tmp_path).what is What.COMPACTED
            others.append(opened(tmp_path))
        create(path, data)

    monkeypatch.setattr(files, "create", after_all_of_that)
    until = time.monotonic() + 2  # the other one keeps it for longer
    with pytest.raises(KognicStoppedError):
        slow.open(lambda: time.monotonic() > until)
    (other,) = others
    other.append([b'["i","%032x","%032x",1.5,1]' % (40, 2), b'["c","%032x","%032x"]' % (40, 3)])
    other.close()
    assert len(what_is_known(tmp_path)) == 12


@pytest.mark.parametrize("ages", [AT_ONCE, REMOVE_AT_ONCE])
def test_what_a_shard_uses_is_not_touched(tmp_path: Path, ages: Ages) -> None:
    """Whatever its range; and what it writes is known afterwards."""
    used(tmp_path)
    spans = (Span(None, scene(5)), Span(scene(5), scene(9)), Span(scene(9)))
    shards = [opened(tmp_path, span=span, upload_key=f"shard {n}") for n, span in enumerate(spans)]
    for shard in shards:
        before = set(names_in(tmp_path))
        for dry_run in (True, False):
            assert clean_one(tmp_path, ages, dry_run=dry_run).what is What.IN_USE
        assert set(names_in(tmp_path)) == before
        shard.append([b'["i","%032x","%032x",1.5,1]' % (5, 2), b'["c","%032x","%032x"]' % (5, 3)])
        shard.close()
    assert len(what_is_known(tmp_path)) == 11
    assert clean_one(tmp_path).what is What.COMPACTED
    assert len(names_in(tmp_path)) == 1
    assert len(what_is_known(tmp_path)) == 11


@pytest.mark.parametrize("upload_key", ["a shard", None])
@pytest.mark.parametrize("ages", [AT_ONCE, REMOVE_AT_ONCE])
def test_a_shard_that_is_asleep_is_superseded(tmp_path: Path, ages: Ages, upload_key: str | None) -> None:
    """It can write nothing after that, and nobody waits for it; other ranges of its source find what there is."""
    used(tmp_path)
    known = what_is_known(tmp_path)
    sleeper = opened(tmp_path, span=Span(None, scene(5)), upload_key=upload_key, ttl=3_600.0)
    for lease in leases_of(sleeper):
        lease._ended.set()
    row = clean_one(tmp_path, ages, ttl=1.0)
    assert row.what is (What.COMPACTED if ages is AT_ONCE else What.REMOVED)
    assert len([name for name in names_in(tmp_path) if not name.endswith(".lease")]) == 1
    for lease in leases_of(sleeper):
        lease._ended.clear()
    with pytest.raises(KognicJournalError, match="taken over"):
        sleeper.append([b'["i","%032x","%032x",1.5,1]' % (1, 2)])
    sleeper.close()
    for span in (Span(None, scene(3)), Span(scene(9)), None):
        if ages is AT_ONCE:
            opened(tmp_path, span=span, upload_key=f"another {span}").close()
            continue
        with pytest.raises(KognicJournalRemovedError):
            opened(tmp_path, span=span, upload_key=f"another {span}")
    if ages is AT_ONCE:
        assert what_is_known(tmp_path) == known


SHARD = """
import sys
from pathlib import Path
from airflow_provider_kognic.core.models import Span
from tests.core.journal.retention.journals import opened, scene
number = int(sys.argv[2])
print("here", flush=True)
sys.stdin.readline()
for turn in range(5):
    of = 2 + turn % 3  # cut anew again and again
    first, before = (scene(100 * part // of) for part in (number % of, number % of + 1))
    span = Span(first if number % of else None, before if number % of + 1 < of else None)
    log = opened(Path(sys.argv[1]), span=span, upload_key=f"shard {number}")
    at = 100 + 5 * number + turn
    log.append([b'["i","%032x","%032x",1.5,1]' % (at, 2)])
    log.append([b'["c","%032x","%032x"]' % (at, at)])
    log.close()
print("done", flush=True)
"""


def test_shards_come_and_go_while_somebody_cleans(tmp_path: Path) -> None:
    """Nothing of what they noted is ever lost."""
    used(tmp_path)
    processes = [start_python(SHARD, tmp_path, str(number), stdin=-1) for number in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go on\n")
        process.stdin.flush()
    said = set()
    for _ in range(8):
        said.add(clean_one(tmp_path).what)
        time.sleep(0.5)  # who waits for it looks now and then
    for process in processes:
        out, _ = process.communicate(timeout=300)
        assert (out, process.returncode) == ("done\n", 0)
    assert said <= {What.COMPACTED, What.IN_USE, What.IS_COMPACT}
    assert len(what_is_known(tmp_path)) == 11 + 15
    assert clean_one(tmp_path).what in {What.COMPACTED, What.IS_COMPACT}
    assert len(what_is_known(tmp_path)) == 11 + 15


def test_whoever_comes_next_may_tidy_up_what_who_cleans_gives_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As soon as a sleeper's lease is given back, the next shard has it, and removes the files before its own."""
    used(tmp_path)
    sleeper, come = opened(tmp_path, span=Span(None, scene(5)), ttl=3_600.0), list[FolderLog]()
    for lease in leases_of(sleeper):
        lease._ended.set()
    read, own = files.read, sleeper._leases.row

    def after_the_next_one(path: Path) -> bytes:
        if not come and path.name == f"{own}-000002.lease" and b'"released": true' in read(path):
            come.append(log_in(tmp_path, span=Span(None, scene(5))))
            come[0]._leases._acquire_source(lambda: False)
        return read(path)

    monkeypatch.setattr(files, "read", after_the_next_one)
    row = clean_one(tmp_path, ttl=1.0)
    monkeypatch.undo()
    assert come
    come[0]._leases.check()
    come[0]._leases.release()
    assert (row.what, row.note) == (What.COMPACTED, "")
    for lease in leases_of(sleeper):
        lease._ended.clear()
    sleeper.close()
