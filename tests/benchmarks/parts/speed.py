"""How fast the four clients are, side by side, and what CPU a prediction takes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from tests.benchmarks.documents import LARGE, SMALL, make_folder
from tests.benchmarks.figures import MIB, Bar, ratios, say, spread, table
from tests.benchmarks.processes import CLIENTS, DOCUMENTED, ENGINE, SOCKETS, UNCHECKED, Server, run_client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.figures import Rounds
    from tests.benchmarks.sizes import Sizes


def run_speed(server: Server, work: Path, sizes: Sizes, runs: int, raw: dict[str, Any]) -> list[Bar]:
    """Run the clients on small documents, with latency and without, and on large ones; return the bars.

    Args:
        server: The server.
        work: A folder for the documents.
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


def run_side_by_side(
    server: Server, title: str, path: Path, count: int | None, *, latency: float, runs: int
) -> dict[str, Rounds]:
    """Run the four clients in turn, so many rounds, and print what each did."""
    say(f"## {title}, latency {1000 * latency:.0f} ms, {runs} round{'s'[: runs > 1]}\n")
    found: dict[str, Rounds] = {client: [] for client in CLIENTS}
    for _ in range(runs):
        for client in CLIENTS:
            found[client].append(run_client(server, client, path, count, latency))

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
