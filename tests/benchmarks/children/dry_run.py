"""A dry run of a manifest: `python -m tests.benchmarks.children.dry_run MANIFEST ROWS`.

Prints a line of JSON: the seconds, from before the manifest is opened, and the peak of memory.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from airflow_provider_kognic.core.openlabel import check
from airflow_provider_kognic.core.reporting.plan import Decision
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.upload.dry_run import make_plan
from tests.benchmarks.children.client import peak_memory

check(b"{}")  # imports what it needs when it is first used


def main(manifest: Path, rows: int) -> None:
    """Do it and print the figures."""
    imported, cpu, start = peak_memory(), time.process_time(), time.perf_counter()
    source = open_source(None, manifest, resolve=Path)
    plan = asyncio.run(make_plan(source, predictions_group_uuid="6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"))
    if plan.counts != {Decision.WOULD_SEND: rows}:
        raise RuntimeError(f"not all of the {rows:,} would be sent: {plan.counts}")
    figures = {
        "wall_s": time.perf_counter() - start,
        "cpu_s": time.process_time() - cpu,
        "peak_bytes": peak_memory(),
        "imported_bytes": imported,
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
