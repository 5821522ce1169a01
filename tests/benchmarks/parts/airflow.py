"""The main figures: uploads as tasks of a real Airflow, next to the documented way in a task of the same Airflow.

Each task's work is measured by hooks in its own process, with all its threads. What a prediction costs is a slope
over two counts: (many - few) / (their difference), so that whatever a task does once drops out.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from tests.benchmarks.documents import LARGE, SMALL
from tests.benchmarks.figures import MIB, Bar, ratios, say, spread, table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.benchmarks.bench import Bench
    from tests.benchmarks.figures import Figures, Rounds

DOCUMENTED, FOLDER, STORE, SOCKETS = "documented", "folder", "store", "sockets"
LATENCY = 0.05
# Predictions.
_WARM_UP, _AT_ONCE = 20, 10
_CALLED = {
    DOCUMENTED: "documented way",
    FOLDER: "operator, journal in a folder",
    STORE: "operator, journal in the state store",
    SOCKETS: "ten bare sockets",
}

# How tasks run: as the LocalExecutor runs them, or with a heap that is not frozen, as in a pod.
SETTINGS = {
    "pinned": "a core of its own",
    "thawed": "a core of its own, heap not frozen",
    "free": "all cores",
}


def run_airflow(bench: Bench) -> list[Bar]:
    """Measure rates at 50 ms, and CPU time without latency, print them and return the bars."""
    sizes, runs = bench.sizes, bench.runs
    raw = bench.raw["airflow"] = {"rates": {}, "cpu": {}}
    say(f"## In Airflow tasks: rate, 15 KB, latency 50 ms, task on a core of its own, {_rounds(runs)}\n")
    clients = (SOCKETS, FOLDER, STORE, DOCUMENTED)
    rates = raw["rates"] = side_by_side(
        bench, {client: task(bench, client, SMALL, LATENCY) for client in clients}, sizes.rate
    )
    table(
        ("task", "rate /s", "rate / ten sockets'", "by slope /s", "CPU ms each", "once, s"),
        [
            [
                _CALLED[client],
                spread([figures["steady_per_s"] for figures in rates[client]], 1),
                spread(ratios(rates, client, SOCKETS, "steady_per_s"), 3),
                spread([figures["rate_per_s"] for figures in rates[client]], 1),
                spread([figures["cpu_ms_each"] for figures in rates[client]]),
                spread([figures["once_s"] for figures in rates[client]]),
            ]
            for client in clients
        ],
    )
    bars = [
        Bar(
            f"Airflow, 15 KB, 50 ms, journal in {where}: rate / ten sockets'",
            ratios(rates, client, SOCKETS, "steady_per_s"),
            bar,
            at_least=True,
        )
        for client, where, bar in ((FOLDER, "a folder", 0.97), (STORE, "the state store", 0.95))
    ]
    for name, size, counts, bar in (
        ("15 KB", SMALL, sizes.small, 0.24),
        ("700 KB", LARGE, sizes.large, 0.2),
    ):
        raw["cpu"][name] = _cpu(bench, name, size, counts)
        bars += [
            Bar(
                f"Airflow, {name}, 0 ms, {SETTINGS[setting]}: CPU / documented way's",
                ratios(raw["cpu"][name][setting], FOLDER, DOCUMENTED, "cpu_ms_each"),
                bar,
            )
            for setting in ("pinned", "thawed")
        ]
    return bars


def task(
    bench: Bench, dag: str, size: int, latency: float, *, thawed: bool = False
) -> Callable[[int], Figures]:
    """Return what runs a Dag over a folder of so many documents of a size."""
    return lambda count: bench.tasks.run(
        dag, bench.folder(count, size), count, latency=latency, thawed=thawed
    )


def side_by_side(
    bench: Bench,
    compared: Mapping[str, Callable[[int], Figures]],
    counts: tuple[int, int],
    *,
    pinned: bool = True,
) -> dict[str, Rounds]:
    """Run tasks in turn for two counts, so many rounds, and return what a prediction took in each.

    Each has run once before: what is read from disk for the first time has been read by then.
    """
    found: dict[str, Rounds] = {name: [] for name in compared}
    with bench.tasks.pinned() if pinned else nullcontext():
        for run in compared.values():
            run(_WARM_UP)
        for _ in range(bench.runs):
            taken: dict[str, list[Figures]] = {name: [] for name in compared}
            for count in counts:
                for name, run in compared.items():
                    taken[name].append(run(count))
            for name, (few, many) in taken.items():
                found[name].append(slopes(few, many))
    return found


def slopes(few: Figures, many: Figures) -> Figures:
    """Return what a prediction takes beyond what a task does once, from runs of few and of many.

    Returns:
        `cpu_ms_each` and `rate_per_s`; `once_cpu_s` and `once_s`, what no prediction takes; `steady_per_s`, the
        rate that the server sees of many, from its first answers to its last ones; `few_...` and `many_...`.
    """
    more = many["predictions"] - few["predictions"]
    cpu, wall = ((many[name] - few[name]) / more for name in ("cpu_s", "wall_s"))
    kept = ("predictions", "cpu_s", "wall_s", "peak_bytes")
    return {
        "cpu_ms_each": 1000 * cpu,
        "rate_per_s": 1 / wall,
        "steady_per_s": (many["predictions"] - _AT_ONCE) / many["answering_s"],
        "once_cpu_s": few["cpu_s"] - cpu * few["predictions"],
        "once_s": few["wall_s"] - wall * few["predictions"],
        **{f"few_{name}": few[name] for name in kept},
        **{f"many_{name}": many[name] for name in kept},
    }


def _cpu(bench: Bench, name: str, size: int, counts: tuple[int, int]) -> dict[str, dict[str, Rounds]]:
    """Measure the CPU time of a prediction next to the documented way's, in each setting, and print it."""
    say(
        f"## In Airflow tasks: CPU, {name}, latency 0 ms, {counts[0]:,} and {counts[1]:,}, {_rounds(bench.runs)}\n"
    )
    clients = (DOCUMENTED, FOLDER)
    found: dict[str, dict[str, Rounds]] = {}
    # What may change with time, such as how warm an Airflow is, is not to fall on one of the settings alone.
    for settings in (("pinned", "thawed"), ("free",)):
        compared = {
            f"{setting} {client}": task(bench, client, size, 0.0, thawed=setting == "thawed")
            for setting in settings
            for client in clients
        }
        rounds = side_by_side(bench, compared, counts, pinned="free" not in settings)
        for setting in settings:
            found[setting] = {client: rounds[f"{setting} {client}"] for client in clients}
    rows = [
        [
            f"{_CALLED[client]}: {called}",
            spread([figures["cpu_ms_each"] for figures in found[setting][client]]),
            spread(ratios(found[setting], client, DOCUMENTED, "cpu_ms_each"), 3),
            spread([figures["once_cpu_s"] for figures in found[setting][client]]),
            spread([figures["rate_per_s"] for figures in found[setting][client]], 0),
            spread([figures["many_peak_bytes"] / MIB for figures in found[setting][client]], 0),
        ]
        for setting, called in SETTINGS.items()
        for client in clients
    ]
    head = ("task", "CPU ms each", "/ documented way's", "once, CPU s", "rate /s", f"peak MiB, {counts[1]:,}")
    table(head, rows)
    return found


def _rounds(runs: int) -> str:
    return f"{runs} round{'s'[: runs > 1]}"
