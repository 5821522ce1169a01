"""What it costs to hold documents against their scenes, where these are asked for, and where they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.documents import SMALL
from tests.benchmarks.figures import Bar, ratios, say, spread, table
from tests.benchmarks.processes import ENGINE, BrokenRunError, run_client

if TYPE_CHECKING:
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.figures import Figures, Rounds

_OFF, _UNKNOWN, _CACHED = _CASES = ("off", "scenes unknown", "scenes cached")
_LATENCY = 0.05


def run_scenes(bench: Bench) -> list[Bar]:
    """Upload the same documents without the check and with it, in turn, print what each took and return the bar."""
    count = bench.sizes.bare[0]
    folder = bench.folder(count, SMALL)
    say(
        f"## Against scenes, bare processes, {count:,} documents of 15 KB, latency {1000 * _LATENCY:.0f} ms,"
        f" {bench.runs} round{'s'[: bench.runs > 1]}\n"
    )
    found: dict[str, Rounds] = {case: [] for case in _CASES}
    for number in range(bench.runs):
        kept = bench.work / f"scenes-{number}"
        for case in _CASES:
            figures = run_client(
                bench.server, ENGINE, folder, count, _LATENCY, scenes=None if case == _OFF else kept
            )
            _check_asked(case, figures, count)
            found[case].append(figures)
    bench.raw["scenes"] = found

    def of(case: str, name: str, digits: int) -> str:
        return spread([figures[name] for figures in found[case]], digits)

    table(
        ("scene_check", "rate /s", "rate / off", "CPU ms each", "GETs of scenes"),
        [
            [
                case,
                of(case, "rate_per_s", 1),
                spread(ratios(found, case, _OFF, "rate_per_s"), 3),
                of(case, "cpu_ms_each", 2),
                of(case, "scenes", 0),
            ]
            for case in _CASES
        ],
    )
    values = ratios(found, _CACHED, _OFF, "rate_per_s")
    return [Bar("15 KB, 50 ms, scenes cached: rate / without the check", values, 0.9, at_least=True)]


def _check_asked(case: str, figures: Figures, count: int) -> None:
    """Raise BrokenRunError where something else was asked for than each scene and each calibration once."""
    scenes, calibrations = (count, 1) if case == _UNKNOWN else (0, 0)
    if (figures["scenes"], figures["calibrations"]) != (scenes, calibrations):
        raise BrokenRunError(
            f"{case}: {figures['scenes']:.0f} GETs of scenes and {figures['calibrations']:.0f} of calibrations, not"
            f" {scenes} and {calibrations}."
        )
