"""Who cleans a journal and who uploads into it keep out of each other's way, as processes of their own."""

import logging
import threading
import time
from pathlib import Path

import pytest

from airflow_provider_kognic.core.journal.retention.cleaning import What
from tests.core.journal.folders import start_python
from tests.core.journal.retention.journals import (
    AT_ONCE,
    REMOVE_AT_ONCE,
    clean_one,
    names_in,
    opened,
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
