"""What importing the package costs a DAG file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.figures import Bar, say, spread, table
from tests.benchmarks.processes import child

if TYPE_CHECKING:
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.figures import Rounds


def run_imports(bench: Bench) -> list[Bar]:
    """Measure what importing the operators and sensors costs beyond `airflow.sdk`, print it, return the bar."""
    runs = 2 * bench.runs + 1
    say(f"## Imports beyond `airflow.sdk`, {runs} processes\n")
    with tempfile.TemporaryDirectory() as folder:
        child("imports", bytecode=Path(folder))  # compiles everything
        rounds: Rounds = [child("imports", bytecode=Path(folder))[0] for _ in range(runs)]
    table(
        ("module", "wall ms", "CPU ms"),
        [
            ["airflow.sdk itself", spread([figures["sdk_ms"] for figures in rounds], 0), ""],
            *(
                [
                    module,
                    spread([figures[f"{name}_ms"] for figures in rounds], 1),
                    spread([figures[f"{name}_cpu_ms"] for figures in rounds], 1),
                ]
                for name, module in (("operators", "the operators"), ("sensors", "then the sensors"))
            ),
        ],
    )
    bench.raw["imports"] = rounds
    return [Bar("import of the operators", [figures["operators_ms"] for figures in rounds], 40, "ms")]
