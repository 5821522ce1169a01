"""`kill -9` of whoever cleans a journal, before and after every change of a file: nothing that it knew is lost."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airflow_provider_kognic.core.errors import KognicJournalRemovedError
from airflow_provider_kognic.core.journal.retention import new_parts
from airflow_provider_kognic.core.journal.retention.cleaning import What
from airflow_provider_kognic.core.models import Outcome
from tests.core.journal.folders import REPOSITORY
from tests.core.journal.retention.journals import (
    AT_ONCE,
    REMOVE_AT_ONCE,
    Known,
    attempt,
    clean_one,
    names_in,
    opened,
    scene,
    used,
    what_is_known,
)

pytestmark = pytest.mark.proof

# Fewer than that a cleaning has not; and so many no cleaning of so small a journal has.
FEWEST, MOST = 30, 400
Clean = Callable[..., int]


@contextmanager
def cleaning_processes() -> Iterator[Clean]:
    """Yield what cleans a folder in a process that dies at a step, and returns how that ended."""
    command = [sys.executable, "-m", "tests.core.proofs.killed_cleaning"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def clean(folder: Path | str, step: int, *, remove: bool) -> int:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps({"folder": str(folder), "step": step, "remove": remove}) + "\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        yield clean
        process.stdin.close()


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal that was compacted before, in several parts, and used again since."""
    folder = tmp_path_factory.mktemp("journal")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(new_parts, "_PART", 500)
        used(folder)
        assert clean_one(folder).what is What.COMPACTED
    assert len(names_in(folder)) > 3
    attempt(folder, (20, "old", Outcome.CREATED), (3, "new", Outcome.REFUSED))
    attempt(folder, (21, "old", Outcome.IN_DOUBT))
    attempt(folder, (21, "old", Outcome.CREATED), (4, "new", Outcome.CREATED), source="another source")
    return folder


def test_a_kill_while_a_journal_is_compacted(journal: Path, tmp_path: Path) -> None:
    """Whoever looks, or uploads, finds what was known; and who cleans it next ends with the same."""
    known = what_is_known(journal)
    with cleaning_processes() as clean:
        for step in itertools.count(1):
            folder = Path(shutil.copytree(journal, tmp_path / str(step)))
            ended = clean(folder, step, remove=False)
            assert what_is_known(folder) == known, step
            if step % 3 == 0:  # an upload comes before the next cleaning
                attempt(folder, (30, "old", Outcome.CREATED))
            assert clean_one(folder).what in {What.COMPACTED, What.IS_COMPACT}, step
            after = what_is_known(folder)
            assert {one: said for one, said in after.items() if one != scene(30)} == known, step
            assert len({name.rpartition("-")[0] for name in names_in(folder)}) == 1, names_in(folder)
            shutil.rmtree(folder)
            if ended == 0:
                break
            assert ended == -signal.SIGKILL
            assert step < MOST
    assert step > FEWEST


def test_a_kill_while_a_journal_is_removed(journal: Path, tmp_path: Path) -> None:
    """Either it is there as it was, or an upload stops; there is no moment between the two."""
    known = what_is_known(journal)
    with cleaning_processes() as clean:
        for step in itertools.count(1):
            folder = Path(shutil.copytree(journal, tmp_path / str(step)))
            ended = clean(folder, step, remove=True)
            found = found_in(folder)
            assert found is None or found == known, step
            # By whoever only compacts, too: what was begun is ended.
            row = clean_one(folder, AT_ONCE if step % 2 else REMOVE_AT_ONCE)
            if found is None or step % 2 == 0:
                assert row.what in {What.REMOVED, What.WAS_REMOVED}, step
                with pytest.raises(KognicJournalRemovedError, match="knew 12 predictions as created"):
                    opened(folder)
            else:
                assert what_is_known(folder) == known
            shutil.rmtree(folder)
            if ended == 0:
                break
            assert ended == -signal.SIGKILL
            assert step < MOST
    assert step > FEWEST


def found_in(folder: Path) -> Known | None:
    """What an upload finds, or None where it stops."""
    try:
        return what_is_known(folder)
    except KognicJournalRemovedError:
        return None
