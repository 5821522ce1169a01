"""Journals are compacted and removed, by whoever has the lease of all; nothing of what they knew is lost unsaid."""

import json
import logging
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.errors import (
    KognicInputError,
    KognicJournalError,
    KognicJournalFormatError,
    KognicJournalRemovedError,
)
from airflow_provider_kognic.core.journal.format import decode
from airflow_provider_kognic.core.journal.ledger import State
from airflow_provider_kognic.core.journal.log import ReadOnlyLog
from airflow_provider_kognic.core.journal.memory import RememberedLog
from airflow_provider_kognic.core.journal.retention import new_parts
from airflow_provider_kognic.core.journal.retention.cleaning import Ages, What
from airflow_provider_kognic.core.models import Outcome, Span
from tests.core.journal.folders import GROUP, HEADER, HOST, leases_of, log_in, never, part_files
from tests.core.journal.retention.journals import (
    AT_ONCE,
    BY,
    REMOVE_AT_ONCE,
    attempt,
    clean,
    clean_one,
    opened,
    prediction,
    scene,
    used,
    what_is_known,
)
from tests.core.journal.test_memory import Memory

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
DAY = 86_400.0
CREATED = Outcome.CREATED


def exclusive(folder: Any) -> bool:
    """Whether the store of a folder keeps attempts apart."""
    log = log_in(folder)
    log.open(never)
    kept_apart = all(lease.exclusive for lease in leases_of(log))
    log.close()
    return kept_apart


def files_of(folder: Any) -> list[str]:
    return sorted(files.names(log_in(folder).folder))


def made_older(folder: Path, days: float) -> None:
    """As if all of it had happened so long ago."""
    for path in folder.rglob("*"):
        about = path.stat()
        os.utime(path, (about.st_atime, about.st_mtime - days * DAY))


def test_a_compacted_journal_knows_what_it_knew(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one file, whatever there was before; and a second time there is nothing to do."""
    used(folder)
    known = what_is_known(folder)
    assert known[scene(10)][:2] == (State.CREATED, prediction(10))
    if not exclusive(folder):
        row = clean_one(folder)
        assert row.what is What.NOT_KEPT_APART
        assert "cannot create a file only if it is not there" in row.note
        assert what_is_known(folder) == known
        return
    row = clean_one(folder, dry_run=True)
    assert (row.what, row.before, row.after) == (What.COMPACTED, row.before, row.before)
    assert len(files_of(folder)) > 3
    row = clean_one(folder)
    assert (row.what, row.host, row.group, row.predictions) == (What.COMPACTED, HOST, GROUP, 10)
    assert row.after < row.before
    assert row.writer == "a test"
    assert len(files_of(folder)) == 1
    assert what_is_known(folder) == known
    assert clean_one(folder).what is What.IS_COMPACT
    # And it is gone on with.
    attempt(folder, (50, "old", CREATED))
    assert set(what_is_known(folder)) == {*known, scene(50)}
    monkeypatch.setattr(new_parts, "_PART", 300)
    assert clean_one(folder).what is What.COMPACTED
    assert len(files_of(folder)) > 3
    assert set(what_is_known(folder)) == {*known, scene(50)}
    attempt(folder, (51, "old", CREATED))
    assert clean_one(folder).what is What.COMPACTED
    assert set(what_is_known(folder)) == {*known, scene(50), scene(51)}


def test_older_versions_read_what_is_compacted_and_refuse_what_was_removed(tmp_path: Path) -> None:
    """By the version that the header names; and each line is one that they know."""
    used(tmp_path)
    clean(tmp_path)
    (part,) = part_files(tmp_path)
    header, *lines = part.read_bytes().splitlines()
    assert HEADER.check_line(header, "there").version == 2
    assert {json.loads(line)[0] for line in lines} <= {"i", "c", "r"}
    for line in lines:
        decode(line)
    clean(tmp_path, REMOVE_AT_ONCE)
    (part,) = part_files(tmp_path)
    (header,) = part.read_bytes().splitlines()
    with pytest.raises(
        KognicJournalFormatError, match=r"has the format version 3, .* Use the version that wrote"
    ):
        HEADER.check_line(header, "there")


@pytest.mark.parametrize(
    ("outcome", "what", "said"),
    [
        (None, What.IN_DOUBT, "1 in doubt: let the upload try again, or settle them"),
        (Outcome.IN_DOUBT, What.IN_DOUBT, "1 in doubt: let the upload try again, or settle them"),
        (Outcome.UNSENT, What.UNFINISHED, "1 were to be sent, and were not"),
    ],
)
def test_what_a_person_has_to_look_at_is_left_as_it_is(
    tmp_path: Path, outcome: Outcome | None, what: What, said: str
) -> None:
    """What is in doubt, and what was to be sent and was not."""
    used(tmp_path)
    attempt(tmp_path, (20, "old", outcome))
    before = {path: path.read_bytes() for path in part_files(tmp_path)}
    for dry_run in (True, False):
        row = clean_one(tmp_path, REMOVE_AT_ONCE, dry_run=dry_run)
        assert (row.what, row.note) == (what, said)
    assert {path: path.read_bytes() for path in part_files(tmp_path)} == before
    attempt(tmp_path, (20, "old", CREATED))
    assert clean_one(tmp_path, REMOVE_AT_ONCE).what is What.REMOVED


def test_what_cannot_be_read_is_left_as_it_is_and_the_others_are_cleaned(tmp_path: Path) -> None:
    used(tmp_path / "one")
    used(tmp_path / "two")
    other = GROUP.replace("6c", "7d")
    moved = shutil.move(log_in(tmp_path / "two").folder, tmp_path / "one" / HOST / other)
    for part in Path(moved).glob("*.jsonl"):
        part.write_text(part.read_text().replace(GROUP, other))
    damaged = part_files(tmp_path / "one")[1]
    damaged.write_bytes(b"what is this\n")
    first, second = clean(tmp_path / "one", REMOVE_AT_ONCE)
    assert (first.what, second.what) == (What.FAILED, What.REMOVED)
    assert str(damaged) in first.note
    assert damaged.read_bytes() == b"what is this\n"


def test_how_old_a_journal_is_its_disk_says(tmp_path: Path) -> None:
    """A lease counts as well: an upload that had nothing to send has used it. What is compacted keeps its age."""
    used(tmp_path)
    ages = Ages(7 * DAY, 90 * DAY)
    assert clean_one(tmp_path, ages).what is What.USED_RECENTLY
    made_older(tmp_path, 10)
    opened(tmp_path, upload_key="nothing to do").close()
    assert clean_one(tmp_path, ages).what is What.USED_RECENTLY
    made_older(tmp_path, 10)
    began = time.time()
    row = clean_one(tmp_path, ages)
    assert row.what is What.COMPACTED
    assert 9.5 * DAY < began - row.last_used < 10.5 * DAY
    made_older(tmp_path, 79)
    row = clean_one(tmp_path, ages)
    assert row.what is What.IS_COMPACT
    # Of the file itself: it was written when it was compacted.
    (part,) = part_files(tmp_path)
    header, _, rest = part.read_bytes().partition(b"\n")
    said = json.loads(header)
    assert abs(said["compacted"]["last_used"] - row.last_used) < 1.0
    said["compacted"]["last_used"] -= 81 * DAY
    part.write_bytes(json.dumps(said).encode() + b"\n" + rest)
    made_older(tmp_path, 8)
    assert clean_one(tmp_path, Ages(7 * DAY)).what is What.IS_COMPACT
    row = clean_one(tmp_path, ages)
    assert row.what is What.REMOVED
    assert row.predictions == 10


def test_an_upload_that_finds_its_journal_removed_stops(folder: Any) -> None:
    """It says what was removed, when, by whom, and how to go on; and never begins anew by itself."""
    used(folder)
    if not exclusive(folder):
        pytest.skip("nothing is cleaned there")
    row = clean_one(folder, REMOVE_AT_ONCE)
    assert (row.what, row.predictions) == (What.REMOVED, 10)
    assert len(files_of(folder)) == 1
    assert clean_one(folder, REMOVE_AT_ONCE).what is What.WAS_REMOVED
    today = time.strftime("%Y-%m-%d", time.gmtime())
    for look in (opened, lambda folder, **more: list(ReadOnlyLog(log_in(folder, **more)).read())):
        for source in ("a source", "never heard of"):
            with pytest.raises(KognicJournalRemovedError, match="nothing was sent") as caught:
                look(folder, source=source)
            said = str(caught.value)
            assert f"The journal of predictions group {GROUP} was removed on " in said
            assert f"by {BY}: it knew 10 predictions as created, and was used last on " in said
            assert today[:7] in said
            assert "on_lost_journal='start_over'" in said
    assert len([name for name in files_of(folder) if not name.endswith(".lease")]) == 1


def test_who_starts_over_need_not_say_so_again(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    """For its own source. Another that the journal knew has to say so itself; one that it did not goes on."""
    used(folder)
    if not exclusive(folder):
        pytest.skip("nothing is cleaned there")
    clean(folder, REMOVE_AT_ONCE)
    list(ReadOnlyLog(log_in(folder, start_over=True)).read())
    assert not [name for name in files_of(folder) if name.endswith(".over")]
    caplog.clear()
    attempt(folder, (1, "old", CREATED), start_over=True, upload="a new one")
    assert "Starting over, as on_lost_journal or force says" in caplog.text
    caplog.clear()
    attempt(folder, (2, "old", CREATED), upload="a new one")
    assert caplog.text == ""
    with pytest.raises(KognicJournalRemovedError):
        opened(folder, source="another source")
    with pytest.raises(KognicJournalRemovedError):
        opened(folder, source="a new source", upload_key="an upload")
    with caplog.at_level(logging.WARNING):
        opened(folder, source="a new source", upload_key="a new upload").close()
    assert "Others have started over since" in caplog.text
    # It is compacted beside the mark, and the mark stays until it is removed once more.
    assert clean_one(folder).what is What.COMPACTED
    with pytest.raises(KognicJournalRemovedError):
        opened(folder, source="another source")
    assert set(what_is_known(folder)) == {scene(1), scene(2)}
    row = clean_one(folder, REMOVE_AT_ONCE)
    assert (row.what, row.predictions) == (What.REMOVED, 2)
    assert len(files_of(folder)) == 1
    with pytest.raises(KognicJournalRemovedError, match="it knew 12 predictions"):
        opened(folder)
    # Both uploads' leases are known of, those before the first removal, too.
    attempt(folder, start_over=True, upload="yet another", source="yet another")
    with pytest.raises(KognicJournalRemovedError):
        opened(folder, source="another source")


def test_a_shard_that_starts_over_does_so_for_its_scenes_alone(
    folder: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Others of its source have to say so themselves, until all of a range has; however it is cut by then."""
    used(folder)
    if not exclusive(folder):
        pytest.skip("nothing is cleaned there")
    ends = scene(4), scene(8)
    clean(folder, REMOVE_AT_ONCE)
    attempt(folder, (1, "old", CREATED), span=Span(None, ends[0]), start_over=True, upload="first")
    caplog.clear()
    opened(folder, span=Span(None, scene(3)), upload_key="a part of it").close()
    opened(folder, span=Span(scene(2), ends[0]), upload_key="another part").close()
    for span in (None, Span(), Span(None, ends[1]), Span(*ends), Span(ends[1]), Span(scene(3), scene(5))):
        with pytest.raises(KognicJournalRemovedError):
            opened(folder, span=span, upload_key="another")
    attempt(folder, (9, "old", CREATED), span=Span(ends[1]), start_over=True, upload="last")
    for span in (None, Span(scene(3)), Span(*ends)):
        with pytest.raises(KognicJournalRemovedError):
            opened(folder, span=span, upload_key="another")
    attempt(folder, (5, "old", CREATED), span=Span(*ends), start_over=True, upload="between")
    caplog.clear()
    for span in (None, Span(), Span(scene(2), scene(9)), Span(scene(3)), Span(None, scene(9))):
        opened(folder, span=span, upload_key="another").close()
    assert caplog.text == ""
    assert set(what_is_known(folder)) == {scene(1), scene(5), scene(9)}
    with pytest.raises(KognicJournalRemovedError):
        opened(folder, source="another source")


def test_what_a_task_remembers_of_its_journal_is_there_in_what_stands_for_it(tmp_path: Path) -> None:
    """A task that is cleared after its journal was compacted finds it; after it was removed, it hears of that."""
    memory = Memory()

    def upload(*lines: bytes) -> list[bytes]:
        log = RememberedLog(log_in(tmp_path), memory, HEADER, attempt="try 1")
        log.open(never)
        try:
            found = list(log.read())
            for one in lines:
                log.append([one])
        finally:
            log.close()
        return found

    line = b'["i","%032x","%032x",1.5,1]'
    upload(line % (1, 2), b'["c","%032x","%032x"]' % (1, 3))
    upload(line % (4, 2), b'["c","%032x","%032x"]' % (4, 5))
    assert len(memory.value["folders"][0]["parts"]) == 2
    clean(tmp_path)
    clean(tmp_path)
    assert len(upload()) == 5
    upload(line % (6, 2), b'["c","%032x","%032x"]' % (6, 7))
    clean(tmp_path)
    assert len(upload()) == 7
    part_files(tmp_path)[0].unlink()
    with pytest.raises(KognicJournalError, match="The journal of earlier tries of this task is not there"):
        upload()
    attempt(tmp_path, (1, "old", CREATED))
    clean(tmp_path, REMOVE_AT_ONCE)
    with pytest.raises(KognicJournalRemovedError):
        upload()


def test_parts_of_an_older_version_go_with_the_journal(tmp_path: Path) -> None:
    """Where the host was typed in another way: they are of the journal, and as young as it is."""
    used(tmp_path)
    typed = tmp_path / f"{HOST.upper()}." / GROUP
    typed.mkdir(parents=True)
    first = part_files(tmp_path)[0]
    header, _, lines = first.read_bytes().partition(b"\n")
    old = {**json.loads(header), "version": 1, "host": f"{HOST.upper()}.:443"}
    (typed / first.name).write_bytes(json.dumps(old).encode() + b"\n" + lines)
    first.unlink()
    alone = tmp_path / "alone.example.com:443" / GROUP
    alone.mkdir(parents=True)
    (alone / first.name).write_bytes(json.dumps({**old, "host": "alone.example.com:443"}).encode() + b"\n")
    known = what_is_known(tmp_path)
    left, done = sorted(clean(tmp_path), key=lambda row: row.host)
    assert (left.what, done.what) == (What.FAILED, What.COMPACTED)
    assert "for a host that was typed in another way" in left.note
    assert list(typed.iterdir()) == []
    assert what_is_known(tmp_path) == known
    assert files_of(tmp_path) == [part_files(tmp_path)[0].name]


def test_a_holder_that_was_asleep_is_superseded(folder: Any) -> None:
    """It gives no sign of life any more, and neither gave its lease back: whoever cleans takes it from it."""
    used(folder)
    if not exclusive(folder):
        pytest.skip("nothing is cleaned there")
    log = opened(folder, source="a sleeper", ttl=30.0)
    log.append([b'["i","%032x","%032x",1.5,1]' % (70, 2), b'["c","%032x","%032x"]' % (70, 3)])
    for lease in leases_of(log):
        lease._ended.set()
    row = clean_one(folder, ttl=0.5)
    assert row.what is What.COMPACTED
    assert scene(70) in what_is_known(folder)
    with pytest.raises(KognicJournalError, match=r"its lease is gone|another attempt has taken over"):
        log.append([b'["i","%032x","%032x",1.5,1]' % (71, 2)])
    log.close()
    assert len([name for name in files_of(folder) if name.endswith(".lease")]) == 0


def test_a_folder_without_journals(tmp_path: Path) -> None:
    assert clean(tmp_path) == []
    with pytest.raises(KognicInputError, match="is not there"):
        clean(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    assert clean(tmp_path, AT_ONCE) == []
    with pytest.raises(KognicInputError, match="is no folder"):
        clean(tmp_path / "file")
