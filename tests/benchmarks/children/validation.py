"""The check of documents next to kognic-openlabel's: `python -m tests.benchmarks.children.validation ROUNDS`.

Both check the same bytes in one process, on one core, in turn; kognic-openlabel looks at the schema alone. With
`--quick` less often. Prints a line of JSON: a list of rounds, each with the milliseconds of CPU that a document of
each size takes.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING

from tests.benchmarks.documents import LARGE, SMALL, document

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAMES = {SMALL: "small", LARGE: "large"}
_DISTINCT = 10
# Documents of each size in a round: a fifth of a second or so.
_COUNT = {SMALL: 400, LARGE: 10}


def _milliseconds(check: Callable[[bytes], object], contents: Sequence[bytes], count: int) -> float:
    start = time.process_time()
    for number in range(count):
        check(contents[number % len(contents)])
    return 1000 * (time.process_time() - start) / count


def main(rounds: int, *, quick: bool) -> None:
    """Time both and print the figures."""
    from kognic.openlabel.models import OpenLabelAnnotation

    from airflow_provider_kognic.core.openlabel import check

    def ours(content: bytes) -> None:
        found = check(content)
        if found.issues:
            raise RuntimeError(f"a document of the benchmark has issues: {found.issues[:3]}")

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    theirs = OpenLabelAnnotation.model_validate_json
    figures = []
    contents = {size: [document(size, seed) for seed in range(_DISTINCT)] for size in NAMES}
    for number in range(rounds + 1):
        taken: dict[str, float] = {}
        for size, name in NAMES.items():
            count = _COUNT[size] // (10 if quick or not number else 1)
            taken[f"{name}_theirs_ms"] = _milliseconds(theirs, contents[size], count)
            taken[f"{name}_ours_ms"] = _milliseconds(ours, contents[size], count)
        figures.append(taken)
    sys.stdout.write(json.dumps(figures[1:]) + "\n")  # the first one warmed up


if __name__ == "__main__":
    main(int(sys.argv[1]), quick="--quick" in sys.argv)
