"""Processes that are measured, and the server that the clients among them talk to."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .figures import Figures

ENGINE, UNCHECKED, DOCUMENTED, SOCKETS = CLIENTS = ("engine", "unchecked", "documented", "sockets")
_GROUP = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
ROOT = Path(__file__).resolve().parents[2]
_MOST_IN_FLIGHT = 10


class BrokenRunError(Exception):
    """A client did not do its work, so that its figures mean nothing."""


def environment() -> dict[str, str]:
    """Return this environment without proxies and credentials, neither of which a run on loopback wants."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith("KOGNIC_")
    }


def child(
    module: str,
    *arguments: str,
    journal: Path | None = None,
    scenes: Path | None = None,
    bytecode: Path | None = None,
) -> tuple[dict[str, Any], float, float]:
    """Run a module of `children`; return what it printed, its wall time and its CPU time, in seconds."""
    given = environment()
    if journal is not None:
        given["BENCHMARK_JOURNAL"] = str(journal)
    if scenes is not None:
        given["BENCHMARK_SCENES"] = str(scenes)
    if bytecode is not None:  # is kept there, as an installed package has it, whatever this environment says
        given.pop("PYTHONDONTWRITEBYTECODE", None)
        given["PYTHONPYCACHEPREFIX"] = str(bytecode)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", f"{__package__}.children.{module}", *arguments],
        cwd=ROOT,
        env=given,
        capture_output=True,  # authlib warns about httpx whatever the filters say
        text=True,
        check=False,
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        what = f"{module} {' '.join(arguments)}"
        raise BrokenRunError(f"{what} ended with exit code {done.returncode}:\n{done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout.splitlines()[-1]), wall, cpu


class Server:
    """The server of `server.py` in a process of its own."""

    def __init__(self, port: int, pid: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.pid = pid
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def reset(self, latency: float) -> None:
        """Set the latency (s) and forget what was counted."""
        self._get(f"/__reset?latency={latency}")

    def stats(self) -> dict[str, float]:
        """Return what was counted since the last reset."""
        return self._get("/__stats")

    def _get(self, path: str) -> dict[str, float]:
        with self._open(self.url + path) as answer:
            counts: dict[str, float] = json.load(answer)
        return counts


@contextlib.contextmanager
def running_server() -> Iterator[Server]:
    """Start the server, and end it."""
    with serving("server") as (port, pid):
        yield Server(port, pid)


@contextlib.contextmanager
def serving(module: str, *arguments: str) -> Iterator[tuple[int, int]]:
    """Run a server that prints its port and ends with its standard input; tells its port and process id."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"{__package__}.{module}", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        if process.stdout is None or process.stdin is None:
            raise BrokenRunError("the server has no pipes.")
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def check_counts(client: str, stats: Figures, posts: int) -> None:
    """Raise BrokenRunError if the server saw other predictions than a client was to send, or too many at a time."""
    if stats["posts"] != posts:
        raise BrokenRunError(
            f"{client} was to send {posts} predictions, the server saw {stats['posts']:.0f}."
        )
    if stats["most_in_flight"] > _MOST_IN_FLIGHT:
        raise BrokenRunError(f"{client} had {stats['most_in_flight']:.0f} requests in flight at a time.")


def run_client(
    server: Server,
    client: str,
    path: Path,
    count: int | None,
    latency: float,
    *,
    journal: Path | None = None,
    scenes: Path | None = None,
    posts: int | None = None,
) -> Figures:
    """Run one client against the server and check that it did its work.

    Args:
        server: The server, which is reset.
        client: One of `CLIENTS`.
        path: What it uploads.
        count: Number of predictions, or None for what the client says.
        latency: Seconds before each answer.
        journal: The folder of a journal, for the engine.
        scenes: The folder that keeps what is known of scenes, for the engine, which checks documents against them.
        posts: How many predictions it is to send, if not each.

    Raises:
        BrokenRunError: It failed, or the server saw other predictions than it claims, or too many at a time.
    """
    server.reset(latency)
    printed, wall, cpu = child(
        "client", client, server.url, _GROUP, str(path), journal=journal, scenes=scenes
    )
    stats = server.stats()
    sent = printed["predictions"]
    if count not in {None, sent} or not sent:
        raise BrokenRunError(f"{client} claims {sent} predictions, of {count}.")
    check_counts(client, stats, sent if posts is None else posts)
    return {
        **printed,
        "process_s": wall,
        "cpu_s": cpu,
        "rate_per_s": sent / printed["upload_s"],
        "process_rate_per_s": sent / wall,
        "cpu_ms_each": 1000 * cpu / sent,
        "upload_cpu_ms_each": 1000 * printed["upload_cpu_s"] / sent,
        "received_bytes": stats["received"],
        "scenes": stats["scenes"],
        "calibrations": stats["calibrations"],
        "most_in_flight": stats["most_in_flight"],
        "server_cpu_ms_each": 1000 * stats["cpu_s"] / sent,
    }
