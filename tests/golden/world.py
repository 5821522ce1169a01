"""A world in which nothing changes by itself: the time, the names drawn at random, the machine."""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parent / "data"
HOST = "dataset.app.kognic.com"
GROUP = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
DATASET = "0b1f7c52-3d0e-4a3f-8a94-6a0f8f1b7c01"
BEGINNING = 1_764_112_241.123
Files = dict[str, bytes]

# What a lease says of its process, as it stands in the data: of another machine, so that nobody asks for its pid.
_PROCESS = {
    "pid": 4242,
    "boot": "1e9bd1b4-6a0b-4b1f-a6b4-7c1f0f2f9c55",
    "pids": "pid:[4026531836]",
    "started": "91",
}
_LEASE_BYTES = 1024
_WIDTH = 160


def scene(number: int) -> str:
    """The uuid of a scene."""
    return f"5ce00000-0000-4000-8000-{number:012x}"


def number_of(uuid: str) -> int:
    """The number of a scene or a prediction."""
    return int(uuid[-12:], 16)


def prediction(number: int) -> str:
    """The uuid of a prediction."""
    return f"9ed00000-0000-4000-8000-{number:012x}"


def digest(text: str) -> str:
    """A digest as the journal is told it: 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


class World:
    """The time of this world, and what it draws.

    Attributes:
        now: Seconds since the epoch.
    """

    def __init__(self) -> None:
        self.now = BEGINNING
        self._attempt = 0

    def go_on(self, seconds: float = 1.5) -> None:
        """Let time pass."""
        self.now = round(self.now + seconds, 3)

    def next_attempt(self) -> None:
        """Begin an attempt: its names are all the same draw, so that it does not matter who draws first."""
        self._attempt += 1
        self.go_on(100)

    def _time(self) -> float:
        return self.now

    def _draw(self) -> uuid.UUID:
        return uuid.UUID(bytes=hashlib.sha256(f"attempt {self._attempt}".encode()).digest()[:16], version=4)

    @contextmanager
    def alive(self) -> Iterator[World]:
        """Put it in the place of the real one."""
        with ExitStack() as stack:
            stack.enter_context(mock.patch.object(time, "time", self._time))
            stack.enter_context(mock.patch.object(uuid, "uuid4", self._draw))
            stack.enter_context(mock.patch("socket.gethostname", return_value="worker-1"))
            yield self


def files_in(folder: Path) -> Files:
    """Return the files below a folder; of leases, what is of a process stands as in the data."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): steady_lease(path.read_bytes())
        if path.suffix == ".lease"
        else path.read_bytes()
        for path in found
    }


def steady_lease(content: bytes) -> bytes:
    """Return a lease as another process would have written it; nothing but its process differs."""
    assert (len(content), content[-1:]) == (_LEASE_BYTES, b"\n")
    facts = json.loads(content)
    facts |= {name: value for name, value in _PROCESS.items() if name in facts}
    facts["renewed"] = min(facts["renewed"], 1)  # a sign of life more, on a slow machine
    return json.dumps(facts).encode("ascii").ljust(_LEASE_BYTES - 1) + b"\n"


def as_json(value: Any) -> bytes:
    """Return a value as a file that people can read and compare: what fits into a line stands in one."""
    plain = json.loads(json.dumps(value))  # keys, too: Airflow's are members of enumerations
    return _pretty(plain, "").encode("ascii") + b"\n"


def _pretty(value: Any, margin: str) -> str:
    short = json.dumps(value)
    if not isinstance(value, (dict, list)) or len(margin) + len(short) <= _WIDTH:
        return short
    within = f"{margin} "
    if isinstance(value, dict):
        rows = [f"{json.dumps(name)}: {_pretty(one, within)}" for name, one in value.items()]
        opening, closing = "{", "}"
    else:
        rows = [_pretty(one, within) for one in value]
        opening, closing = "[", "]"
    return f"{opening}\n" + ",\n".join(f"{within}{row}" for row in rows) + f"\n{margin}{closing}"


_MASKS = (
    (re.compile(r"\b\d+(\.\d+)? s\b"), "# s"),
    (re.compile(r"\b\d+\.\d created/s"), "# created/s"),
)


def masked(text: str, **places: Any) -> str:
    """Return a text without its times and rates, and with names for the places of this machine."""
    for name, place in places.items():
        for written in (str(place), str(place).replace("_", "\\_")):  # the latter in Markdown
            text = text.replace(written, f"<{name}>")
    for pattern, instead in _MASKS:
        text = pattern.sub(instead, text)
    return text
