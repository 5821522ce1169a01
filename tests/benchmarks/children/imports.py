"""What the modules a DAG file imports cost beyond `airflow.sdk`: `python -m tests.benchmarks.children.imports`.

Both parts are timed in one process, so that they share its caches and its luck. Prints one line of JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
import time

OPERATORS = "airflow_provider_kognic.operators.predictions"
SENSORS = "airflow_provider_kognic.sensors.predictions"


def _timed(name: str) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    importlib.import_module(name)
    return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)


def main() -> None:
    """Time the imports and print them, in milliseconds."""
    sdk, _ = _timed("airflow.sdk")
    operators, operators_cpu = _timed(OPERATORS)
    sensors, sensors_cpu = _timed(SENSORS)
    figures = {
        "sdk_ms": sdk,
        "operators_ms": operators,
        "operators_cpu_ms": operators_cpu,
        "sensors_ms": sensors,
        "sensors_cpu_ms": sensors_cpu,
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
