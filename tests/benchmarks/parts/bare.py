"""How fast the four clients are, side by side, and what CPU a prediction takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.documents import LARGE, SMALL
from tests.benchmarks.figures import MIB, Bar, ratios, say, spread, table
from tests.benchmarks.processes import CLIENTS, DOCUMENTED, ENGINE, SOCKETS, UNCHECKED, run_client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.bench import Bench
    from tests.benchmarks.figures import Rounds


def run_bare(bench: Bench) -> list[Bar]:
    """Run the clients on small documents, with latency and without, and on large ones; return the bars."""
    few, large = bench.sizes.bare
    small = bench.folder(few, SMALL)
    title = f"Bare processes, {few:,} documents of 15 KB"
    slow = bench.raw["latency"] = run_folder(bench, title, small, few, latency=0.05)
    fast = bench.raw["small"] = run_folder(bench, title, small, few, latency=0.0)
    title = f"Bare processes, {large:,} documents of 700 KB"
    big = bench.raw["large_bare"] = run_folder(bench, title, bench.folder(large, LARGE), large, latency=0.0)

    cpu = "CPU of a prediction / documented way's"
    return [
        Bar(
            "15 KB, 50 ms, validation: rate / ten sockets'",
            ratios(slow, ENGINE, SOCKETS, "rate_per_s"),
            0.85,
            at_least=True,
        ),
        Bar(f"15 KB, 0 ms, content check: {cpu}", ratios(fast, UNCHECKED, DOCUMENTED, "cpu_ms_each"), 0.6),
        Bar(f"700 KB, 0 ms, content check: {cpu}", ratios(big, UNCHECKED, DOCUMENTED, "cpu_ms_each"), 0.25),
    ]


def run_folder(
    bench: Bench, title: str, path: Path, count: int | None, *, latency: float
) -> dict[str, Rounds]:
    """Run the four clients in turn, so many rounds, and print what each did."""
    say(f"## {title}, latency {1000 * latency:.0f} ms, {bench.runs} round{'s'[: bench.runs > 1]}\n")
    found: dict[str, Rounds] = {client: [] for client in CLIENTS}
    for _ in range(bench.runs):
        for client in CLIENTS:
            found[client].append(run_client(bench.server, client, path, count, latency))

    def cells(client: str) -> list[str]:
        def of(name: str, digits: int, unit: float = 1) -> str:
            return spread([figures[name] / unit for figures in found[client]], digits)

        return [
            client,
            of("upload_s", 2),
            of("rate_per_s", 1),
            of("process_s", 2),
            of("process_rate_per_s", 1),
            of("cpu_s", 2),
            of("cpu_ms_each", 2),
            of("upload_cpu_ms_each", 2),
            of("peak_bytes", 0, MIB),
        ]

    table(
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
        rows.append([client, spread(rate, 3), spread(whole, 3), spread(cpu, 3), spread(upload, 3)])
    table(
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
