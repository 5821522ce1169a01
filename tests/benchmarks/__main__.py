"""Measure the upload engine next to its two baselines, and say whether it keeps its promises.

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

from .figures import say, spread, table
from .parts.formats import run_formats
from .parts.imports import run_imports
from .parts.journals import run_journals
from .parts.memory import run_memory
from .parts.sharing import run_sharing
from .parts.speed import run_side_by_side, run_speed
from .parts.validation import run_validation
from .processes import BrokenRunError, running_server
from .sizes import FULL, QUICK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .figures import Bar

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
        description="Measure the upload engine next to the way Kognic documents and to ten bare sockets.",
    )
    parser.add_argument("--quick", action="store_true", help="one round of little work; judges nothing")
    only = ("validation", "journal", "sharing", "formats")
    parser.add_argument("--only", choices=only, help="run this part alone")
    parser.add_argument("--runs", type=int, help="rounds of everything (3; 1 with --quick)")
    parser.add_argument("--work", type=Path, help="where the documents are made for the run (the system's)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of every round there")
    parser.add_argument(
        "--folder",
        type=Path,
        help="only run the four clients on this folder of <scene-uuid>.json, without latency and with"
        " 50 ms; judges nothing",
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
def _cleaned(parent: Path | None) -> Iterator[Path]:
    """Make a folder that goes away at the end, also when the run is terminated."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="kognic-benchmarks-", dir=parent) as work:
        yield Path(work)


def main(given: Sequence[str] | None = None) -> int:
    """Run what the command line asks for and return the exit code."""
    arguments = _arguments(given)
    machine = _machine()
    say(", ".join(f"{name} {value}" for name, value in machine.items()) + f", {_load()}\n")
    raw: dict[str, Any] = {"machine": machine}
    start = time.perf_counter()
    sizes = QUICK if arguments.quick else FULL
    bars: list[Bar] = []
    try:
        with running_server() as server, _cleaned(arguments.work) as work:
            if arguments.only == "validation":
                bars = run_validation(2 * arguments.runs + 1, raw, quick=arguments.quick)
            elif arguments.only == "journal":
                bars = run_journals(server, work, sizes, arguments.runs, raw)
            elif arguments.only == "sharing":
                bars = run_sharing(work, arguments.runs, raw, quick=arguments.quick)
            elif arguments.only == "formats":
                bars = run_formats(work, arguments.runs, raw, quick=arguments.quick)
            elif arguments.folder is None:
                bars = run_speed(server, work, sizes, arguments.runs, raw)
                bars += run_memory(server, work, sizes, arguments.runs, raw)
                bars += run_imports(2 * arguments.runs + 1, raw)
                bars += run_journals(server, work, sizes, arguments.runs, raw)
                bars += run_validation(2 * arguments.runs + 1, raw, quick=arguments.quick)
                bars += run_sharing(work, arguments.runs, raw, quick=arguments.quick)
                bars += run_formats(work, arguments.runs, raw, quick=arguments.quick)
            else:
                folder = arguments.folder.resolve()
                for latency in (0.0, 0.05):
                    raw[f"folder_{1000 * latency:.0f}_ms"] = run_side_by_side(
                        server, folder.name, folder, None, latency=latency, runs=arguments.runs
                    )
    except BrokenRunError as error:
        say(f"The benchmark broke: {error}")
        return 2
    raw["bars"] = [
        {"name": bar.name, "values": list(bar.values), "median": bar.value, "bar": bar.bar, "kept": bar.kept}
        for bar in bars
    ]
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    kept = _verdict(bars, judged=not arguments.quick) if bars else True
    say(f"Took {time.perf_counter() - start:.0f} s, {_load()}.")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
