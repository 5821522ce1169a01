"""Who holds a lease, as its file says, and when a holder is certainly dead."""

import json
import subprocess
import time

import pytest

from airflow_provider_kognic.core.journal import holder

UNREADABLE = [b"", b"{", b"[]", b'"text"', b"\xff" * 10, b"[" * 100_000]


@pytest.mark.parametrize(
    ("name", "value"),
    [("machine", "another"), ("boot", "another"), ("pids", "pid:[1]"), ("boot", None), ("started", None)],
)
def test_who_cannot_be_known_to_be_dead_is_waited_for(name: str, value: object) -> None:
    """Another machine, another boot, another container, or a system that does not tell."""
    dead = subprocess.Popen(["true"])
    dead.wait()
    facts = {**holder.this_process(), "pid": dead.pid}
    assert holder.is_dead(facts)
    assert not holder.is_dead({**facts, name: value})
    assert not holder.is_dead(holder.this_process())
    # The same number, but another process.
    assert holder.is_dead({**holder.this_process(), "started": "1"})


def test_its_file_is_always_as_long() -> None:
    """So that it can be rewritten in place; whoever the holder is, and however often it was renewed."""
    lengths = set()
    for writer in ("", "try 1, on a machine", "é" * 500):
        facts = holder.introduce(writer)
        for renewed in (0, 1, 10**9):
            for released in (False, True):
                content = holder.encode(facts, renewed=renewed, released=released)
                lengths.add(len(content))
                assert json.loads(content)["released"] is released
                assert content.endswith(b"\n")
                assert holder.is_held_by(content, facts)
                assert not holder.is_held_by(content, holder.introduce(writer))
    assert lengths == {1024}


def test_it_is_free_once_it_was_given_back() -> None:
    """A holder that lives keeps it."""
    facts = holder.introduce("")
    assert not holder.is_free(holder.encode(facts, renewed=3, released=False))
    assert holder.is_free(holder.encode(facts, renewed=3, released=True))
    assert holder.is_free(holder.encode({**facts, "started": "1"}, renewed=3, released=False))


@pytest.mark.parametrize("content", UNREADABLE, ids=range(len(UNREADABLE)))
def test_what_cannot_be_read_is_neither_free_nor_ancient(content: bytes) -> None:
    """Its maker was killed while making it, say."""
    assert not holder.is_free(content)
    assert not holder.is_ancient(content)
    assert holder.describe(content) == "Its lease says nothing yet."


def test_it_is_ancient_a_day_after_its_last_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    content = holder.encode(holder.introduce(""), renewed=0, released=False)
    now = time.time()
    for hours, ancient in ((0, False), (23, False), (25, True)):
        monkeypatch.setattr(time, "time", lambda hours=hours: now + 3600 * hours)
        assert holder.is_ancient(content) is ancient


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (
            {"writer": "task upload, try 1", "pid": 7, "machine": "worker", "since": 1_000.0},
            "It is task upload, try 1, process 7 on worker, for 60 s.",
        ),
        (
            {"writer": "", "pid": 7, "machine": "worker"},
            "It is somebody, process 7 on worker, for an unknown time.",
        ),
        (
            {"writer": "a", "pid": 7, "machine": "worker", "since": 2_000.0},
            "It is a, process 7 on worker, for 0 s.",  # by a clock that is ahead of this one
        ),
    ],
)
def test_it_is_described_for_who_waits(
    monkeypatch: pytest.MonkeyPatch, facts: dict[str, object], said: str
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_060.0)
    assert holder.describe(json.dumps(facts).encode()) == said
