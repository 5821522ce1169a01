"""Processes that tests start, and how they are ended, whatever they have started themselves."""

import os
import secrets
import signal
import socket
import time
from contextlib import suppress

import psutil

# Longer than a system takes to take down what was killed.
_SECONDS_TO_DIE = 30.0


def kill(processes: list[psutil.Process]) -> None:
    """SIGKILL for these processes."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def in_session(leader: int) -> list[int]:
    """All processes of the session that one began, itself among them: also orphans, and groups of their own."""
    found = []
    for pid in psutil.pids():
        with suppress(ProcessLookupError):
            if os.getsid(pid) == leader and is_alive(pid):
                found.append(pid)
    return found


def kill_session(leader: int) -> None:
    """SIGKILL for a whole session, until there is nothing left of it."""
    deadline = time.monotonic() + _SECONDS_TO_DIE
    while found := in_session(leader):
        assert time.monotonic() < deadline, f"these do not die: {found}"
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A port that stays free until its server starts: systems give none of these to whoever asks for any."""
    while True:
        port = secrets.choice(range(10_000, 30_000))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
