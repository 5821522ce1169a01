"""Measure uploads next to the way that Kognic documents and to ten bare sockets, and say whether the bars are kept.

The exit code is 1 if a bar is missed. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import signal
import sys
import tempfile
import time
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .bench import Bench
from .figures import say, spread, table
from .parts.airflow import run_airflow
from .parts.bare import run_bare, run_folder
from .parts.formats import run_formats
from .parts.imports import run_imports
from .parts.large import run_large, run_manifest
from .parts.memory import run_memory, run_resume
from .parts.object_stores import run_journal_writes, run_object_store
from .parts.progress import run_progress
from .parts.scenes import run_scenes
from .parts.sharing import run_sharing
from .parts.validation import run_validation
from .plots import draw
from .processes import BrokenRunError, running_server
from .sizes import FULL, QUICK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .figures import Bar

# What there is, in the order in which it runs.
PARTS: dict[str, Callable[[Bench], list[Bar]]] = {
    "airflow": run_airflow,
    "memory": run_memory,
    "resume": run_resume,
    "large": run_large,
    "object-store": run_object_store,
    "journal-writes": run_journal_writes,
    "manifest": run_manifest,
    "bare": run_bare,
    "imports": run_imports,
    "progress": run_progress,
    "validation": run_validation,
    "scenes": run_scenes,
    "sharing": run_sharing,
    "formats": run_formats,
}
_PACKAGES = ("apache-airflow", "httpx", "kognic-auth", "kognic-openlabel", "msgspec", "pydantic")


def _machine() -> dict[str, str]:
    found = {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": platform.python_version(),
    }
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f}"


def _verdict(bars: Sequence[Bar], *, judged: bool) -> bool:
    say("## Bars\n")
    rows = []
    for bar in bars:
        digits = 1 if bar.unit else 3
        sign = ">=" if bar.at_least else "<="
        says = "kept" if bar.kept else "MISSED"
        rows.append(
            [
                bar.name,
                f"{spread(bar.values, digits)} {bar.unit}".strip(),
                f"{sign} {bar.bar:g} {bar.unit}".strip(),
                says if judged else "not judged",
            ]
        )
    table(("work", "median (min-max)", "bar", "verdict"), rows)
    if not judged:
        say("With --quick the start of each process weighs too much: nothing is judged.")
    return not judged or all(bar.kept for bar in bars)


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measure uploads, as tasks of a real Airflow and beside it, next to the way that Kognic"
        " documents and to ten bare sockets.",
    )
    parser.add_argument("--quick", action="store_true", help="one round of little work; judges nothing")
    parser.add_argument(
        "--only", choices=PARTS, action="append", metavar="PART", help=f"run this part: {', '.join(PARTS)}"
    )
    parser.add_argument("--runs", type=int, help="rounds of everything (3; 1 with --quick)")
    parser.add_argument("--work", type=Path, help="where the documents are made for the run (the system's)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of every round there")
    parser.add_argument(
        "--folder",
        type=Path,
        help="only run the four clients, in bare processes, on this folder of <scene-uuid>.json, without latency"
        " and with 50 ms; judges nothing",
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="draw the figures that --json wrote, into docs/images, and measure nothing",
    )
    arguments = parser.parse_args(given)
    if arguments.runs is None:
        arguments.runs = 1 if arguments.quick else 3
    if arguments.runs < 1:
        parser.error("--runs must be 1 or more")
    if arguments.folder is not None and not any(arguments.folder.glob("*.json")):
        parser.error(f"--folder {arguments.folder} has no *.json")
    return arguments


@contextlib.contextmanager
def _bench(arguments: argparse.Namespace, raw: dict[str, Any]) -> Iterator[Bench]:
    """Make what the parts share; all of it goes away at the end, also when the run is terminated."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with (
        running_server() as server,
        tempfile.TemporaryDirectory(prefix="kognic-benchmarks-", dir=arguments.work) as work,
        contextlib.ExitStack() as stack,
    ):
        yield Bench(
            server,
            Path(work),
            QUICK if arguments.quick else FULL,
            arguments.runs,
            quick=arguments.quick,
            raw=raw,
            stack=stack,
        )


def _run(bench: Bench, arguments: argparse.Namespace) -> list[Bar]:
    """Run the parts that the command line asks for, and return their bars."""
    if arguments.folder is not None:
        folder = arguments.folder.resolve()
        for latency in (0.0, 0.05):
            bench.raw[f"folder_{1000 * latency:.0f}_ms"] = run_folder(
                bench, folder.name, folder, None, latency=latency
            )
        return []
    bars: list[Bar] = []
    for name, part in PARTS.items():
        if arguments.only is None or name in arguments.only:
            bench.raw.setdefault("load", {})[name] = os.getloadavg()[0]
            bars += part(bench)
    return bars


def main(given: Sequence[str] | None = None) -> int:
    """Run what the command line asks for and return the exit code."""
    arguments = _arguments(given)
    if arguments.plot is not None:
        for path in draw(json.loads(arguments.plot.read_text(encoding="utf-8"))):
            say(str(path))
        return 0
    machine = _machine()
    say(", ".join(f"{name} {value}" for name, value in machine.items()) + f", {_load()}\n")
    raw: dict[str, Any] = {"machine": machine}
    start = time.perf_counter()
    try:
        with _bench(arguments, raw) as bench:
            bars = _run(bench, arguments)
    except BrokenRunError as error:
        say(f"The benchmark broke: {error}")
        return 2
    raw["bars"] = [
        {
            "name": bar.name,
            "values": list(bar.values),
            "median": bar.value,
            "bar": bar.bar,
            "unit": bar.unit,
            "at_least": bar.at_least,
            "kept": bar.kept,
        }
        for bar in bars
    ]
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    kept = _verdict(bars, judged=not arguments.quick) if bars else True
    say(f"Took {time.perf_counter() - start:.0f} s, {_load()}.")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
