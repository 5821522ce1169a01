"""A model's results made documents: `python -m tests.benchmarks.children.formats FILE TABLE DETECTIONS [--plain]`.

Prints a line of JSON: the microseconds of CPU for a detection to read, and to make documents, with the peak of
memory in bytes; with `--plain` those of `json.loads` of the same file.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from tests.benchmarks.children.client import peak_memory

CLASSES = {str(number): f"class {number}" for number in range(90)}


def main(results: Path, table: Path, count: int, *, plain: bool) -> None:
    """Do it once and print the figures."""
    start = time.process_time()
    if plain:
        json.loads(results.read_bytes())
        figures = {"plain_us": (time.process_time() - start) / count * 1e6}
    else:
        from airflow_provider_kognic.core.models import Prediction
        from airflow_provider_kognic.core.sources.formats.opening import open_model_source
        from airflow_provider_kognic.core.sources.formats.options import FormatOptions

        start = time.process_time()
        options = FormatOptions(format="coco", scenes=table, classes=CLASSES)
        source = open_model_source(results, None, options, resolve=Path, folder=results.parent)
        read = time.process_time()
        made = sum(len(entry.read()) for entry in source if isinstance(entry, Prediction))
        if not made:
            raise RuntimeError("no documents were made")
        figures = {
            "read_us": (read - start) / count * 1e6,
            "make_us": (time.process_time() - read) / count * 1e6,
        }
    sys.stdout.write(json.dumps(figures | {"peak_bytes": peak_memory()}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), plain="--plain" in sys.argv)
