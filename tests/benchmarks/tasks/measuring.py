"""What a task measures of itself, from right before its work to right after it, in its own process.

Both are hooks that Airflow calls in the process that it makes for the task: the operators are as they are. CPU time
is user and system time of that process, with all its threads.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.children.client import peak_memory

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT = Path(__file__).resolve().parents[3]
_begun: dict[str, float] = {}


def begin(context: Mapping[str, Any]) -> None:
    """Move the process to the cores that the run names, and note where it stands.

    Airflow's LocalExecutor makes its processes while the collector leaves alone what is in memory (`gc.freeze`). A
    run that asks for it has the collector see all of that again, as in a process that is made for one task.
    """
    cores = set(context["dag_run"].conf["cores"])
    if hasattr(os, "sched_setaffinity"):
        for thread in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)
    if context["dag_run"].conf["thawed"]:
        gc.unfreeze()
    _begun.update(
        {"peak_bytes": peak_memory(), "cpu_s": _cpu(resource.RUSAGE_SELF), "wall_s": time.perf_counter()}
    )


def finish(context: Mapping[str, Any], result: object) -> None:
    """Write what the work took to the file that the run names."""
    wall, cpu, peak = time.perf_counter(), _cpu(resource.RUSAGE_SELF), peak_memory()
    import airflow_provider_kognic

    figures = {
        "wall_s": wall - _begun["wall_s"],
        "cpu_s": cpu - _begun["cpu_s"],
        "process_cpu_s": cpu,
        "children_cpu_s": _cpu(resource.RUSAGE_CHILDREN),
        "peak_bytes": peak,
        "begun_peak_bytes": _begun["peak_bytes"],
        "frozen_objects": gc.get_freeze_count(),
        "result": result,
    }
    module = Path(airflow_provider_kognic.__file__).resolve()
    if _ROOT not in module.parents:
        raise RuntimeError(f"{module} is measured instead of what is in {_ROOT}")
    path = Path(context["dag_run"].conf["figures"])
    path.with_suffix(".new").write_text(json.dumps(figures, default=str), encoding="utf-8")
    path.with_suffix(".new").rename(path)  # whoever waits for it finds all of it


def _cpu(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime
