"""One client's run in a process of its own: `python -m tests.benchmarks.children.client CLIENT URL GROUP PATH`.

CLIENT is `engine`, `unchecked`, `documented` or `sockets`. The clock starts after the imports and before anything
else (the token, the listing of the folder); it stops when the client is closed. Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import resource
import sys
import time
from pathlib import Path


def peak_memory() -> int:
    """Return this process's peak resident memory, in bytes.

    `ru_maxrss` would not do where /proc has it: Linux lets a child start with its parent's.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def main(client: str, url: str, group: str, path: str) -> None:
    """Run one client and print its figures."""
    module = importlib.import_module(f"tests.benchmarks.clients.{client}")
    imported, cpu = peak_memory(), time.process_time()
    start = time.perf_counter()
    count = asyncio.run(module.run(url, group, Path(path)))
    figures = {
        "predictions": count,
        "upload_s": time.perf_counter() - start,
        "upload_cpu_s": time.process_time() - cpu,
        "peak_bytes": peak_memory(),
        "imported_bytes": imported,
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
