"""Documents that are made to do harm: bounded memory, and an answer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_provider_kognic
from tests.core.openlabel.hostile_documents import HOSTILE

pytestmark = pytest.mark.proof

ROOT = Path(str(airflow_provider_kognic.__file__)).parents[1]
# Of address space: for the interpreter, the document (200 MB, and copies made in building it) and the check.
LIMIT = 1536 << 20


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_answered_within_bounds(name: str) -> None:
    """In a process that gets no more memory than that."""
    rules = HOSTILE[name][1]
    done = subprocess.run(
        [sys.executable, "-m", "tests.core.openlabel.hostile_documents", str(LIMIT), name],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    _, _, valid, counts, issues = json.loads(done.stdout)
    assert valid == (not rules), issues
    assert not rules or rules & set(counts), counts
    assert len(json.dumps(issues)) < 50_000
