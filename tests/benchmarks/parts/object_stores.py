"""Object stores that take their time: documents read from one, and a journal written to one, in Airflow tasks."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tests.benchmarks.documents import SMALL
from tests.benchmarks.figures import Bar, ratios, say, spread, table
from tests.benchmarks.parts.airflow import FOLDER, LATENCY, side_by_side, task
from tests.benchmarks.processes import serving
from tests.stores.faults import Does
from tests.stores.s3 import BUCKET, running_s3

if TYPE_CHECKING:
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.figures import Figures

# Seconds before each answer of a store.
_STORE_LATENCY = 0.03
_PER = 1_000
_CONNECTION = {"conn_type": "aws", "login": "key", "password": "secret"}


def run_object_store(bench: Bench) -> list[Bar]:
    """Measure the rate from an object store next to that from the local disk, print it and return the bar."""
    say(
        f"## In Airflow tasks: rate, 15 KB, latency 50 ms, from an object store that answers in"
        f" {1000 * _STORE_LATENCY:.0f} ms and from the local disk, {bench.runs} rounds\n"
    )

    def stored(count: int) -> Figures:
        path = f"s3://documents@bucket/{bench.folder(count, SMALL).name}"
        return bench.tasks.run(FOLDER, path, count, latency=LATENCY)

    with ExitStack() as stack:
        port, pid = stack.enter_context(serving("object_store", str(bench.work), str(_STORE_LATENCY)))
        bench.tasks.beside.append(pid)
        stack.callback(bench.tasks.beside.remove, pid)
        extra = {"endpoint_url": f"http://127.0.0.1:{port}", "region_name": "us-east-1"}
        bench.tasks.airflow.add_connection("documents", {**_CONNECTION, "extra": extra})
        compared = {"local disk": task(bench, FOLDER, SMALL, LATENCY), "object store": stored}
        rounds = bench.raw["object_store"] = side_by_side(bench, compared, bench.sizes.rate)
    shares = ratios(rounds, "object store", "local disk", "steady_per_s")
    table(
        ("source", "rate /s", "by slope /s", "CPU ms each", "once, s"),
        [
            [
                source,
                spread([one["steady_per_s"] for one in found], 1),
                spread([one["rate_per_s"] for one in found], 1),
                spread([one["cpu_ms_each"] for one in found]),
                spread([one["once_s"] for one in found]),
            ]
            for source, found in rounds.items()
        ],
    )
    return [
        Bar("Airflow, 15 KB, 50 ms, from an object store (30 ms): rate / disk's", shares, 0.95, at_least=True)
    ]


def run_journal_writes(bench: Bench) -> list[Bar]:
    """Count what an upload writes to a journal on an object store, print it and return the bar."""
    count = bench.sizes.journal_writes
    say(
        f"## In an Airflow task: {count:,} documents of 15 KB, latency 50 ms, journal on an object store that"
        f" answers in {1000 * _STORE_LATENCY:.0f} ms\n"
    )
    rounds: list[dict[str, Any]] = []
    with bench.tasks.pinned(), running_s3() as s3:
        s3.create_bucket()
        bench.tasks.airflow.add_connection("journals", json.loads(s3.connection()))
        s3.proxy.add(Does(lambda: time.sleep(_STORE_LATENCY)))
        for number in range(bench.runs):
            before = len(s3.proxy.asked("write"))
            asked = len(s3.proxy.asked())
            journal = f"s3://journals@{BUCKET}/journal-{number}"
            figures = bench.tasks.run(
                FOLDER, bench.folder(count, SMALL), count, latency=LATENCY, journal=journal
            )
            writes = len(s3.proxy.asked("write")) - before
            rounds.append(figures | {"writes": writes, "requests": len(s3.proxy.asked()) - asked})
    bench.raw["journal_writes"] = rounds
    each = [one["writes"] * _PER / count for one in rounds]
    table(
        ("", "writes", "all requests", "s"),
        [
            [
                f"{count:,} predictions",
                spread([one["writes"] for one in rounds], 0),
                spread([one["requests"] for one in rounds], 0),
                spread([one["wall_s"] for one in rounds]),
            ]
        ],
    )
    return [Bar(f"Airflow, journal on an object store: writes per {_PER:,} predictions", each, 50)]
