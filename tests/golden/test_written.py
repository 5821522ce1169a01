"""What the code writes and says now is what it wrote and said before, byte for byte."""

import difflib
import json
from importlib.util import find_spec

import pytest

from tests.golden.record import KINDS, kept
from tests.golden.world import as_json

# Airflow before 3.3 has no task state store and no retry policies, and serializes Dags in other ways.
NEWER = find_spec("airflow.models.task_state_store") is not None
_PERMANENT = b'"raised": "airflow_provider_kognic.exceptions.KognicPermanentError"'
OF_NEWER = {
    "state_store",
    "state_store_meanings",
    "groups",
    "uploads_with_state_store",
    "newer_surface",
    "dags",
}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "dags"])
def test_what_was_written_is_written_again(kind: str) -> None:
    if kind in OF_NEWER and not NEWER:
        pytest.skip("this Airflow has nothing to write it to")
    before, now = {name: _as_here(content) for name, content in kept(kind).items()}, KINDS[kind]()
    assert sorted(now) == sorted(before)
    changed = [name for name in before if before[name] != now[name]]
    if changed:
        pytest.fail("\n".join(_differences(name, before[name], now[name]) for name in changed), pytrace=False)


def _as_here(content: bytes) -> bytes:
    """Return data as it is where Airflow has no retry policies: it is told what no retry can mend in its way."""
    if NEWER or _PERMANENT not in content:
        return content
    return as_json(json.loads(content.replace(_PERMANENT, _PERMANENT.replace(b"Permanent", b"Fail"))))


def _differences(name: str, before: bytes, now: bytes) -> str:
    old, new = (content.decode("utf-8", "backslashreplace").splitlines() for content in (before, now))
    return "\n".join(list(difflib.unified_diff(old, new, f"{name} before", f"{name} now", lineterm=""))[:60])
