"""The command `journal clean`, run as a user runs it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airflow_provider_kognic.core.models import Outcome
from tests.core.journal.folders import GROUP, HOST, log_in
from tests.core.journal.retention.journals import attempt, used, what_is_known
from tests.test_cli import ROOT, reads_provider_commands

OURS = (sys.executable, "-m", "airflow_provider_kognic", "journal", "clean")
AIRFLOWS = (sys.executable, "-m", "airflow", "kognic", "journal", "clean")


def run(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=180, env=environment)


@pytest.mark.parametrize("command", [OURS, AIRFLOWS], ids=["ours", "airflow's"])
def test_it_says_what_it_has_done(airflow_database: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    if command is AIRFLOWS and not reads_provider_commands():
        pytest.skip("this Airflow reads no commands of providers")
    used(tmp_path)
    known = what_is_known(tmp_path)
    today = time.strftime("%Y-%m-%d", time.gmtime())
    looked = run(*command, str(tmp_path), "--compact-after", "0s", "--dry-run")
    assert looked.returncode == 0, looked.stderr
    host, head, row = looked.stdout.splitlines()[-3:]
    assert host == HOST
    assert head.split("  ")[0] == "predictions group"
    assert row.split()[0] == GROUP
    assert "to be compacted" in row
    assert row.endswith("a test")
    assert row[38:48] <= today

    done = run(*command, str(tmp_path), "--compact-after", "0s")
    assert done.returncode == 0, done.stderr
    assert "  compacted  " in done.stdout
    assert what_is_known(tmp_path) == known

    removed = run(*command, str(tmp_path), "--older-than", "0s")
    assert removed.returncode == 0, removed.stderr
    assert "  removed  " in removed.stdout
    (part,) = log_in(tmp_path).folder.glob("*.jsonl")
    assert "journal clean --older-than 0s on " in part.read_text()


def test_without_an_age_nothing_is_removed_and_what_is_young_is_left(tmp_path: Path) -> None:
    used(tmp_path)
    before = sorted(path.name for path in log_in(tmp_path).folder.iterdir())
    done = run(*OURS, str(tmp_path), "--format", "json")
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert row["what"] == "used recently"
    assert (row["host"], row["group"], row["before"]) == (HOST, GROUP, row["after"])
    assert sorted(path.name for path in log_in(tmp_path).folder.iterdir()) == before
    compacted = json.loads(run(*OURS, str(tmp_path), "--compact-after", "0d", "--format", "json").stdout)
    assert (compacted["what"], compacted["predictions"], compacted["dry_run"]) == ("compacted", 10, False)


def test_what_somebody_has_to_look_at_is_an_exit_code(tmp_path: Path) -> None:
    used(tmp_path)
    attempt(tmp_path, (20, "old", Outcome.IN_DOUBT))
    done = run(*OURS, str(tmp_path), "--compact-after", "0s", "--older-than", "0s")
    assert done.returncode == 1
    assert "in doubt" in done.stdout
    assert "1 in doubt: let the upload try again, or settle them" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{tmp}/nowhere",), "{tmp}/nowhere is not there."),
        (("{tmp}",), "There are no journals in {tmp}."),
        (
            ("{tmp}", "--older-than", "90"),
            "--older-than must be a number and s, m, h, d or w, such as 90d, not '90'.",
        ),
        (("{tmp}", "--older-than", f"{'9' * 5000}d"), "--older-than must be a number and s, m, h, d or w"),
        (("{tmp}", "--compact-after", "soon"), "--compact-after must be a number and s, m, h, d or w"),
        (("nosuchscheme://bucket/j",), "nosuchscheme://bucket/j cannot be opened"),
        (("",), "FOLDER is empty"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = run(*OURS, *(one.format(tmp=tmp_path) for one in arguments))
    assert done.returncode == 2, done.stdout
    assert message.format(tmp=tmp_path) in done.stderr


def test_a_local_folder_needs_no_airflow(tmp_path: Path) -> None:
    used(tmp_path)
    code = (
        "import sys\nfrom airflow_provider_kognic.cli import main\n"
        f"assert main(['journal', 'clean', {str(tmp_path)!r}, '--compact-after', '0s']) == 0\n"
        "assert 'airflow' not in sys.modules, 'imported'\n"
    )
    done = run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    assert "compacted" in done.stdout
