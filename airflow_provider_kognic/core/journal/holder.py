"""Who holds a lease: what its file says of the holder, and whether that is a process that is certainly dead.

A lease's file is one JSON object: `holder` (an id of its own), `writer`, `machine`, `pid`, and where the system
tells `boot`, `pids` (the pid namespace) and `started`; `since` and `at` (s since the epoch), `renewed` (how often),
and `released`, true once it was given back. In the lease of an upload also `source`: the key of the other lease
that its holder has or is about to take, with its range of scenes where that is of a shard.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# Always as long, so that a file can be rewritten in place and is whole at any moment.
_LENGTH = 1024
_LONGEST_NAME = 200
_DAY = 86_400.0
_KEY = re.compile(r"[0-9a-f]{16}(\.([0-9a-f]{32}|start)\.([0-9a-f]{32}|end))?")


def introduce(writer: str) -> dict[str, Any]:
    """Return the facts of a holder that is this process.

    Args:
        writer: Who that is, for people.
    """
    return {
        "holder": uuid.uuid4().hex,
        "writer": writer.encode("ascii", "replace").decode()[:_LONGEST_NAME],
        **this_process(),
        "since": _now(),
    }


def encode(facts: Mapping[str, Any], *, renewed: int, released: bool) -> bytes:
    """Return what the file of a lease holds.

    Args:
        facts: The holder's.
        renewed: How often it has given a sign of life.
        released: Whether it gives the lease back.
    """
    said = {**facts, "renewed": renewed, "at": _now(), "released": released}
    return json.dumps(said).encode("ascii")[: _LENGTH - 1].ljust(_LENGTH - 1) + b"\n"


def is_held_by(content: bytes, facts: Mapping[str, Any]) -> bool:
    """Tell whether the file of a lease is of the holder with these facts."""
    return facts["holder"].encode() in content


def is_same(content: bytes, other: bytes) -> bool:
    """Tell whether the files of two leases are of the same holder."""
    who = _facts(content).get("holder")
    return who is not None and who == _facts(other).get("holder")


def source_of(content: bytes) -> str | None:
    """Return the key of the source's lease that goes with an upload's."""
    found = _facts(content).get("source")
    return found if isinstance(found, str) and _KEY.fullmatch(found) else None


def is_free(content: bytes) -> bool:
    """Tell whether a lease was given back, or its holder is certainly dead."""
    facts = _facts(content)
    return facts.get("released") is True or is_dead(facts)


def is_ancient(content: bytes) -> bool:
    """Tell whether a lease was renewed last so long ago that nobody looks at its file any more."""
    at = _facts(content).get("at")
    return isinstance(at, (int, float)) and time.time() - at > _DAY


def describe(content: bytes) -> str:
    """Say who holds a lease, for people who wait."""
    facts = _facts(content)
    if not facts:
        return "Its lease says nothing yet."
    since = facts.get("since")
    held = f"{max(0.0, time.time() - since):.0f} s" if isinstance(since, (int, float)) else "an unknown time"
    who = facts.get("writer") or "somebody"
    return f"It is {who}, process {facts.get('pid')} on {facts.get('machine')}, for {held}."


def this_process() -> dict[str, Any]:
    """Return what identifies this process as long as the machine runs; less where the system does not tell.

    The pid namespace is part of it: in another container the same number is another process.
    """
    facts: dict[str, Any] = {"machine": socket.gethostname(), "pid": os.getpid()}
    with contextlib.suppress(OSError, IndexError):
        facts["boot"] = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        facts["pids"] = str(Path("/proc/self/ns/pid").readlink())
        facts["started"] = _state_and_start(os.getpid())[1]
    return facts


def _state_and_start(pid: int) -> tuple[str, str]:
    """Return the state of a process, and when it started (in ticks since the boot); see proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return fields[0].decode(), fields[19].decode()


def is_dead(facts: dict[str, Any]) -> bool:
    """Tell whether a process was one of this machine, as this process sees it, and is certainly no more."""
    here = this_process()
    if any(here.get(name) is None or here[name] != facts.get(name) for name in ("machine", "boot", "pids")):
        return False
    pid, started = facts.get("pid"), facts.get("started")
    if not isinstance(pid, int) or started is None:
        return False
    try:
        state, found = _state_and_start(pid)
    except (FileNotFoundError, ProcessLookupError):
        return True
    except (OSError, IndexError):
        return False
    return found != started or state in {"Z", "X"}


def _facts(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _now() -> float:
    return round(time.time(), 3)
