"""Measure the upload engine next to its two baselines, and say whether it keeps its promises.

The exit code is 1 if a bar is missed. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .documents import LARGE, SMALL, make_folder, make_json_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ENGINE, UNCHECKED, DOCUMENTED, SOCKETS = CLIENTS = ("engine", "unchecked", "documented", "sockets")
_GROUP = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
_ROOT = Path(__file__).resolve().parents[2]
_MIB = 1 << 20
_MOST_IN_FLIGHT = 10
_PACKAGES = ("apache-airflow", "httpx", "kognic-auth", "kognic-openlabel", "msgspec", "pydantic")

Figures = dict[str, float]
Rounds = list[Figures]


@dataclass(frozen=True)
class Sizes:
    """How much work there is; `QUICK` finds out whether the benchmark runs, and judges nothing."""

    small: int = 2_000
    large: int = 200
    few: int = 1_000
    many: int = 20_000


FULL = Sizes()
QUICK = Sizes(small=200, large=20, few=200, many=1_000)


@dataclass(frozen=True)
class Bar:
    """A promise: its figure in every round, and what the median must reach."""

    name: str
    values: Sequence[float]
    bar: float
    unit: str = ""
    at_least: bool = False

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.values)

    @property
    def kept(self) -> bool:
        """Whether the median reaches the bar."""
        return self.value >= self.bar if self.at_least else self.value <= self.bar


class BrokenRunError(Exception):
    """A client did not do its work, so that its figures mean nothing."""


# Output


def _say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table, the first column to the left and figures to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    _say(line(head))
    _say(f"| {' | '.join('-' * (w - 1) + ':' if c else '-' * w for c, w in enumerate(widths))} |")
    for row in rows:
        _say(line(row))
    _say()


def _spread(values: Sequence[float], digits: int = 2) -> str:
    median = f"{statistics.median(values):,.{digits}f}"
    if len(values) == 1:
        return median
    return f"{median} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"


# Running


def _environment() -> dict[str, str]:
    """Return this environment without proxies and credentials, neither of which a run on loopback wants."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith("KOGNIC_")
    }


def _child(module: str, *arguments: str, journal: Path | None = None) -> tuple[dict[str, Any], float, float]:
    """Run a module of this package; return what it printed, its wall time and its CPU time, in seconds."""
    more = {} if journal is None else {"BENCHMARK_JOURNAL": str(journal)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", f"{__package__}.{module}", *arguments],
        cwd=_ROOT,
        env=_environment() | more,
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

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
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
    process = subprocess.Popen(
        [sys.executable, "-m", f"{__package__}.server"],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        if process.stdout is None or process.stdin is None:
            raise BrokenRunError("the server has no pipes.")
        try:
            yield Server(int(process.stdout.readline()))
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def run_client(
    server: Server,
    client: str,
    path: Path,
    count: int | None,
    latency: float,
    *,
    journal: Path | None = None,
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
        posts: How many predictions it is to send, if not each.

    Raises:
        BrokenRunError: It failed, or the server saw other predictions than it claims, or too many at a time.
    """
    server.reset(latency)
    printed, wall, cpu = _child("child", client, server.url, _GROUP, str(path), journal=journal)
    stats = server.stats()
    sent = printed["predictions"]
    if stats["posts"] != (sent if posts is None else posts) or count not in {None, sent} or not sent:
        raise BrokenRunError(
            f"{client} claims {sent} predictions, the server saw {stats['posts']}, of {count}."
        )
    if stats["most_in_flight"] > _MOST_IN_FLIGHT:
        raise BrokenRunError(f"{client} had {stats['most_in_flight']} requests in flight at a time.")
    return {
        **printed,
        "process_s": wall,
        "cpu_s": cpu,
        "rate_per_s": sent / printed["upload_s"],
        "process_rate_per_s": sent / wall,
        "cpu_ms_each": 1000 * cpu / sent,
        "upload_cpu_ms_each": 1000 * printed["upload_cpu_s"] / sent,
        "received_bytes": stats["received"],
        "most_in_flight": stats["most_in_flight"],
        "server_cpu_ms_each": 1000 * stats["cpu_s"] / sent,
    }


def run_side_by_side(
    server: Server, title: str, path: Path, count: int | None, *, latency: float, runs: int
) -> dict[str, Rounds]:
    """Run the four clients in turn, so many rounds, and print what each did."""
    _say(f"## {title}, latency {1000 * latency:.0f} ms, {runs} round{'s'[: runs > 1]}\n")
    found: dict[str, Rounds] = {client: [] for client in CLIENTS}
    for _ in range(runs):
        for client in CLIENTS:
            found[client].append(run_client(server, client, path, count, latency))

    def cells(client: str) -> list[str]:
        def of(name: str, digits: int, unit: float = 1) -> str:
            return _spread([figures[name] / unit for figures in found[client]], digits)

        return [
            client,
            of("upload_s", 2),
            of("rate_per_s", 1),
            of("process_s", 2),
            of("process_rate_per_s", 1),
            of("cpu_s", 2),
            of("cpu_ms_each", 2),
            of("upload_cpu_ms_each", 2),
            of("peak_bytes", 0, _MIB),
        ]

    _table(
        (
            "client",
            "upload s",
            "rate /s",
            "process s",
            "process rate /s",
            "CPU s",
            "CPU ms each",
            "of it upload",
            "peak MiB",
        ),
        [cells(client) for client in CLIENTS],
    )
    rows = []
    for client in (ENGINE, UNCHECKED, DOCUMENTED):
        rate = ratios(found, client, SOCKETS, "rate_per_s")
        whole = ratios(found, client, SOCKETS, "process_rate_per_s")
        cpu = ratios(found, client, DOCUMENTED, "cpu_ms_each")
        upload = ratios(found, client, DOCUMENTED, "upload_cpu_ms_each")
        rows.append([client, _spread(rate, 3), _spread(whole, 3), _spread(cpu, 3), _spread(upload, 3)])
    _table(
        (
            "ratios, round by round",
            "rate / sockets",
            "process rate / sockets",
            "CPU / documented",
            "upload CPU / documented",
        ),
        rows,
    )
    return found


def ratios(found: Mapping[str, Rounds], client: str, baseline: str, name: str) -> list[float]:
    """Return one client's figure over another's, for each round."""
    pairs = zip(found[client], found[baseline], strict=True)
    return [ours[name] / theirs[name] for ours, theirs in pairs]


def run_memory(server: Server, kind: str, few: tuple[Path, int], many: tuple[Path, int], runs: int) -> Rounds:
    """Measure how the engine's peak memory grows from few predictions to many, and print it."""
    _say(f"## Memory of the engine, {few[1]:,} -> {many[1]:,} documents of 15 KB, {kind}\n")
    rounds: Rounds = []
    for _ in range(runs):
        less, more = (run_client(server, ENGINE, path, count, 0.0) for path, count in (few, many))
        growth = more["peak_bytes"] - less["peak_bytes"]
        rounds.append(
            {
                "few_bytes": less["peak_bytes"],
                "many_bytes": more["peak_bytes"],
                "growth_bytes": growth,
                "growth_bytes_each": growth / (many[1] - few[1]),
                "rate_per_s": more["rate_per_s"],
            }
        )
    _table(
        ("source", f"peak MiB, {few[1]:,}", f"peak MiB, {many[1]:,}", "growth MiB", "bytes a prediction"),
        [
            [
                kind,
                _spread([figures["few_bytes"] / _MIB for figures in rounds], 1),
                _spread([figures["many_bytes"] / _MIB for figures in rounds], 1),
                _spread([figures["growth_bytes"] / _MIB for figures in rounds], 1),
                _spread([figures["growth_bytes_each"] for figures in rounds], 0),
            ]
        ],
    )
    return rounds


def run_imports(runs: int) -> Rounds:
    """Measure what importing the operators and sensors costs beyond `airflow.sdk`, and print it."""
    _say(f"## Imports beyond `airflow.sdk`, {runs} processes\n")
    _child("imports")  # compiles what has no bytecode yet
    rounds: Rounds = [_child("imports")[0] for _ in range(runs)]
    _table(
        ("module", "wall ms", "CPU ms"),
        [
            ["airflow.sdk itself", _spread([figures["sdk_ms"] for figures in rounds], 0), ""],
            *(
                [
                    module,
                    _spread([figures[f"{name}_ms"] for figures in rounds], 1),
                    _spread([figures[f"{name}_cpu_ms"] for figures in rounds], 1),
                ]
                for name, module in (("operators", "the operators"), ("sensors", "then the sensors"))
            ),
        ],
    )
    return rounds


def run_validation(runs: int, raw: dict[str, Any], *, quick: bool) -> list[Bar]:
    """Measure what checking a document costs next to kognic-openlabel, print it and return the bars."""
    _say(f"## Validation next to kognic-openlabel, one core, {runs} round{'s'[: runs > 1]}\n")
    printed, _, _ = _child("validation", str(runs), *(["--quick"] if quick else []))
    rounds: Rounds = list(printed)  # type: ignore[arg-type]  # this child prints a list
    raw["validation"] = rounds
    sizes = {"small": "15 KB", "large": "700 KB"}
    rows = []
    bars = []
    for name, bar in (("small", 0.8), ("large", 0.6)):
        ours, theirs = ([figures[f"{name}_{who}_ms"] for figures in rounds] for who in ("ours", "theirs"))
        values = [own / other for own, other in zip(ours, theirs, strict=True)]
        rows.append([sizes[name], _spread(ours, 3), _spread(theirs, 3), _spread(values, 3)])
        bars.append(Bar(f"{sizes[name]}: validation / kognic-openlabel's", values, bar))
    _table(("document", "CPU ms", "kognic-openlabel's", "ratio"), rows)
    return bars


def run_journals(server: Server, work: Path, sizes: Sizes, runs: int, raw: dict[str, Any]) -> list[Bar]:
    """Measure what a journal costs, print it and return the bars.

    Args:
        server: The server.
        work: A folder for the documents and the journals.
        sizes: How much work.
        runs: Number of rounds.
        raw: Gets the figures of every round.
    """
    from . import journal

    small = make_folder(work / "journaled", sizes.small, SMALL)
    title = f"{sizes.small:,} documents of 15 KB, latency 50 ms, {runs} round{'s'[: runs > 1]}"
    _say(f"## Journals, as tasks of a real Airflow: {title}\n")
    seconds: dict[str, list[float]] = {name: [] for name in journal.JOURNALS}
    with journal.airflow_for(server.url) as airflow:
        for number in range(runs):
            for name in journal.JOURNALS:
                server.reset(0.05)
                summary = journal.upload(airflow, name, small, work / f"journal-{number}")
                if (summary["uploaded"], server.stats()["posts"]) != (sizes.small, sizes.small):
                    raise BrokenRunError(f"with journal {name}: {summary}, {server.stats()}")
                seconds[name].append(summary["duration_s"])
    raw["journals"] = seconds
    _table(
        ("journal", "upload s", "rate /s", "rate / without"),
        [
            [
                name,
                _spread(taken),
                _spread([sizes.small / one for one in taken], 1),
                _spread([one / other for one, other in zip(seconds["none"], taken, strict=True)], 3),
            ]
            for name, taken in seconds.items()
        ],
    )
    shutil.rmtree(small)
    bars = [
        Bar(
            f"journal in {where}, 50 ms: rate / without",
            [one / other for one, other in zip(seconds["none"], seconds[name], strict=True)],
            0.95,
            at_least=True,
        )
        for name, where in (("store", "the state store"), ("folder", "a folder"))
    ]
    return bars + run_again(server, work, sizes, max(1, runs - 1), raw)


def run_again(server: Server, work: Path, sizes: Sizes, runs: int, raw: dict[str, Any]) -> list[Bar]:
    """Measure a second run of a finished upload, and the memory of a journal; print them, return the bars."""
    _say(f"## A finished upload of {sizes.many:,} documents of 15 KB again, journal in a folder, 10 ms\n")
    few, many = make_folder(work / "less", sizes.few, SMALL), make_folder(work / "more", sizes.many, SMALL)
    rounds: Rounds = []
    for number in range(runs):
        folder = work / f"again-{number}"
        less = run_client(server, ENGINE, few, sizes.few, 0.01, journal=folder / "few")
        first = run_client(server, ENGINE, many, sizes.many, 0.01, journal=folder / "many")
        second = run_client(server, ENGINE, many, sizes.many, 0.01, journal=folder / "many", posts=0)
        rounds.append(
            {
                "first_s": first["upload_s"],
                "second_s": second["upload_s"],
                "growth_bytes": first["peak_bytes"] - less["peak_bytes"],
                "second_growth_bytes": second["peak_bytes"] - less["peak_bytes"],
            }
        )
    raw["again"] = rounds
    _table(
        ("", "first run s", "second run s", "posts", "memory, first MiB", "memory, second MiB"),
        [
            [
                "",
                _spread([figures["first_s"] for figures in rounds]),
                _spread([figures["second_s"] for figures in rounds]),
                "0",
                _spread([figures["growth_bytes"] / _MIB for figures in rounds], 1),
                _spread([figures["second_growth_bytes"] / _MIB for figures in rounds], 1),
            ]
        ],
    )
    shutil.rmtree(few)
    shutil.rmtree(many)
    each = sizes.many - sizes.few
    return [
        Bar("second run / first run", [figures["second_s"] / figures["first_s"] for figures in rounds], 0.2),
        Bar(
            "memory with a journal: growth", [figures["growth_bytes"] / _MIB for figures in rounds], 16, "MiB"
        ),
        Bar(
            "memory with a journal, a prediction",
            [figures["growth_bytes"] / each for figures in rounds],
            800,
            "bytes",
        ),
        Bar(
            "memory of the second run, a prediction",
            [figures["second_growth_bytes"] / each for figures in rounds],
            800,
            "bytes",
        ),
    ]


# The command


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


def run_bars(server: Server, work: Path, sizes: Sizes, runs: int, raw: dict[str, Any]) -> list[Bar]:
    """Run everything that has a bar.

    Args:
        server: The server.
        work: An empty folder for the documents.
        sizes: How much work.
        runs: Number of rounds.
        raw: Gets the figures of every round.
    """
    small = make_folder(work / "small", sizes.small, SMALL)
    title = f"{sizes.small:,} documents of 15 KB"
    slow = raw["latency"] = run_side_by_side(server, title, small, sizes.small, latency=0.05, runs=runs)
    fast = raw["small"] = run_side_by_side(server, title, small, sizes.small, latency=0.0, runs=runs)
    shutil.rmtree(small)

    large = make_folder(work / "large", sizes.large, LARGE)
    title = f"{sizes.large:,} documents of 700 KB"
    big = raw["large"] = run_side_by_side(server, title, large, sizes.large, latency=0.0, runs=runs)
    shutil.rmtree(large)

    few, many = make_folder(work / "few", sizes.few, SMALL), make_folder(work / "many", sizes.many, SMALL)
    memory = raw["memory"] = run_memory(server, "folder", (few, sizes.few), (many, sizes.many), runs)
    shutil.rmtree(few)
    shutil.rmtree(many)

    less = make_json_lines(work / "few.jsonl", sizes.few, SMALL)
    more = make_json_lines(work / "many.jsonl", sizes.many, SMALL)
    lines = raw["memory_json_lines"] = run_memory(
        server, ".jsonl", (less, sizes.few), (more, sizes.many), runs
    )
    less.unlink()
    more.unlink()

    imports = raw["imports"] = run_imports(2 * runs + 1)

    def grows(rounds: Rounds) -> list[float]:
        return [figures["growth_bytes"] / _MIB for figures in rounds]

    def each(rounds: Rounds) -> list[float]:
        return [figures["growth_bytes_each"] for figures in rounds]

    cpu = "CPU of a prediction / documented way's"
    span = f"{sizes.few:,} -> {sizes.many:,}"
    return [
        Bar(
            "15 KB, 50 ms, validation: rate / ten sockets'",
            ratios(slow, ENGINE, SOCKETS, "rate_per_s"),
            0.85,
            at_least=True,
        ),
        Bar(f"15 KB, 0 ms, content check: {cpu}", ratios(fast, UNCHECKED, DOCUMENTED, "cpu_ms_each"), 0.6),
        Bar(f"700 KB, 0 ms, content check: {cpu}", ratios(big, UNCHECKED, DOCUMENTED, "cpu_ms_each"), 0.25),
        Bar(f"memory, {span}, folder: growth", grows(memory), 16, "MiB"),
        Bar(f"memory, {span}, .jsonl: growth", grows(lines), 16, "MiB"),
        Bar("memory of a prediction, folder", each(memory), 800, "bytes"),
        Bar("memory of a prediction, .jsonl", each(lines), 800, "bytes"),
        Bar("import of the operators", [figures["operators_ms"] for figures in imports], 60, "ms"),
    ]


def _verdict(bars: Sequence[Bar], *, judged: bool) -> bool:
    _say("## Bars\n")
    rows = []
    for bar in bars:
        digits = 1 if bar.unit else 3
        sign = ">=" if bar.at_least else "<="
        says = "kept" if bar.kept else "MISSED"
        rows.append(
            [
                bar.name,
                f"{_spread(bar.values, digits)} {bar.unit}".strip(),
                f"{sign} {bar.bar:g} {bar.unit}".strip(),
                says if judged else "not judged",
            ]
        )
    _table(("work", "median (min-max)", "bar", "verdict"), rows)
    if not judged:
        _say("With --quick the start of each process weighs too much: nothing is judged.")
    return not judged or all(bar.kept for bar in bars)


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measure the upload engine next to the way Kognic documents and to ten bare sockets.",
    )
    parser.add_argument("--quick", action="store_true", help="one round of little work; judges nothing")
    parser.add_argument("--only", choices=("validation", "journal"), help="run this part alone")
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
    _say(", ".join(f"{name} {value}" for name, value in machine.items()) + f", {_load()}\n")
    raw: dict[str, Any] = {"machine": machine}
    start = time.perf_counter()
    bars: list[Bar] = []
    try:
        with running_server() as server, _cleaned(arguments.work) as work:
            if arguments.only == "validation":
                bars = run_validation(2 * arguments.runs + 1, raw, quick=arguments.quick)
            elif arguments.only == "journal":
                bars = run_journals(server, work, QUICK if arguments.quick else FULL, arguments.runs, raw)
            elif arguments.folder is None:
                bars = run_bars(server, work, QUICK if arguments.quick else FULL, arguments.runs, raw)
                bars += run_journals(server, work, QUICK if arguments.quick else FULL, arguments.runs, raw)
                bars += run_validation(2 * arguments.runs + 1, raw, quick=arguments.quick)
            else:
                folder = arguments.folder.resolve()
                for latency in (0.0, 0.05):
                    raw[f"folder_{1000 * latency:.0f}_ms"] = run_side_by_side(
                        server, folder.name, folder, None, latency=latency, runs=arguments.runs
                    )
    except BrokenRunError as error:
        _say(f"The benchmark broke: {error}")
        return 2
    raw["bars"] = [
        {"name": bar.name, "values": list(bar.values), "median": bar.value, "bar": bar.bar, "kept": bar.kept}
        for bar in bars
    ]
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    kept = _verdict(bars, judged=not arguments.quick) if bars else True
    _say(f"Took {time.perf_counter() - start:.0f} s, {_load()}.")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
