"""Boot a fleet, let its workers die while they upload, and say whether every promise was kept.

The exit code is 0 if all were, 1 if one was not, 2 if the fleet did not come to the end of its story. See
docs/fleet.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.figures import say, table
from tests.system.programs import why_no_celery, why_no_postgres

from .fleet import running_fleet
from .plants import PLANTS
from .story import Sizes, Story

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEPT, _BROKEN, _NO_END = 0, 1, 2
_NIGHTLY = Sizes(
    scenes=100_000, shards=16, kills=20, unlisted=10_000, unlisted_kills=4, rated=10_000, rounds=3
)
_DAILY = Sizes(scenes=20_000, shards=8, kills=2, unlisted=1_000, unlisted_kills=1, rated=2_000, rounds=1)


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fleet",
        description="Upload with a fleet of Celery workers that are killed, and see that every promise is kept.",
    )
    parser.add_argument("--nightly", action="store_true", help="100,000 scenes and 20 workers killed")
    parser.add_argument("--scenes", type=int, help=f"scenes of a day ({_DAILY.scenes:,})")
    parser.add_argument("--kills", type=int, help=f"workers killed with -9 meanwhile ({_DAILY.kills})")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn (1)")
    parser.add_argument("--keep", action="store_true", help="leave everything that was written where it is")
    parser.add_argument(
        "--plant", choices=sorted(PLANTS), help="do this wrong, to see that the exit code is 1 then"
    )
    arguments = parser.parse_args(given)
    for name in ("scenes", "kills"):
        if (value := getattr(arguments, name)) is not None and value < 1:
            parser.error(f"--{name} must be 1 or more")
    return arguments


def _sizes(arguments: argparse.Namespace) -> Sizes:
    sizes = _NIGHTLY if arguments.nightly else _DAILY
    scenes, kills = arguments.scenes or sizes.scenes, arguments.kills or sizes.kills
    smaller = min(1.0, scenes / sizes.scenes)
    return Sizes(
        scenes=scenes,
        shards=sizes.shards,
        kills=kills,
        unlisted=max(200, round(smaller * sizes.unlisted)),
        unlisted_kills=sizes.unlisted_kills,
        rated=max(200, round(smaller * sizes.rated)),
        rounds=sizes.rounds,
    )


def _say_verdict(story: Story) -> bool:
    say("\n## Figures\n")
    table(("what", "seen"), story.figures)
    say("## Verdict\n")
    rows = [
        (f"{name}: {check.what}", check.promised, check.seen, "kept" if check.kept else "BROKEN")
        for name, check in story.verdict
    ]
    table(("what", "promised", "seen", "verdict"), rows)
    return all(check.kept for _, check in story.verdict)


def _missing() -> str | None:
    return why_no_postgres() or why_no_celery()


def main(given: Sequence[str] | None = None) -> int:
    """Run what the command line asks for and return the exit code."""
    arguments = _arguments(given)
    if (missing := _missing()) is not None:
        say(f"The fleet cannot be booted: {missing}.")
        return _NO_END
    sizes, begun = _sizes(arguments), time.monotonic()
    for name in [name for name in os.environ if name.startswith(("AIRFLOW", "KOGNIC_"))]:
        del os.environ[name]
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    say(f"{sizes}, seed {arguments.seed}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    work = Path(tempfile.mkdtemp(prefix="kognic-fleet-"))
    with ExitStack() as stack:
        if not arguments.keep:
            stack.callback(shutil.rmtree, work, ignore_errors=True)
        fleet = stack.enter_context(running_fleet(work))
        story = Story(fleet, work, sizes, arguments.seed, PLANTS.get(arguments.plant))
        try:
            story.tell()
        except Exception:  # noqa: BLE001 - whatever it is, what the parts said last tells why
            say(f"{fleet.failure()}\n\n{traceback.format_exc()}\nThe fleet did not come to its end.")
            return _NO_END
        kept = _say_verdict(story)
        if not kept:
            say(fleet.failure())
    if arguments.keep:
        say(f"Everything is in {work}.")
    say(f"Took {time.monotonic() - begun:.0f} s, load {os.getloadavg()[0]:.1f}.")
    return _KEPT if kept else _BROKEN


if __name__ == "__main__":
    sys.exit(main())
