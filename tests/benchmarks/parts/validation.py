"""What checking a document costs next to kognic-openlabel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.figures import Bar, say, spread, table
from tests.benchmarks.processes import child

if TYPE_CHECKING:
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.figures import Rounds


def run_validation(bench: Bench) -> list[Bar]:
    """Measure what checking a document costs next to kognic-openlabel, print it and return the bars."""
    runs = 2 * bench.runs + 1
    say(f"## Validation next to kognic-openlabel, one core, {runs} round{'s'[: runs > 1]}\n")
    printed, _, _ = child("validation", str(runs), *(["--quick"] if bench.quick else []))
    rounds: Rounds = list(printed)  # type: ignore[arg-type]  # this child prints a list
    bench.raw["validation"] = rounds
    sizes = {"small": "15 KB", "large": "700 KB"}
    rows = []
    bars = []
    for name, bar in (("small", 0.8), ("large", 0.6)):
        ours, theirs = ([figures[f"{name}_{who}_ms"] for figures in rounds] for who in ("ours", "theirs"))
        values = [own / other for own, other in zip(ours, theirs, strict=True)]
        rows.append([sizes[name], spread(ours, 3), spread(theirs, 3), spread(values, 3)])
        bars.append(Bar(f"{sizes[name]}: validation / kognic-openlabel's", values, bar))
    table(("document", "CPU ms", "kognic-openlabel's", "ratio"), rows)
    return bars
