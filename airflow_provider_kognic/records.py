"""The names under which a task records how far it is, for whoever watches; `docs/observability.md` has them all.

An upload records itself (`task.live`), a sensor does on its worker and in its trigger, and the page in `plugins`
reads what they left. Only names, limits and the forms that several of these share are here.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

# `{phase, done, total, rate_per_s, refused, in_doubt, at}`: how far a task is. In the task state store where there
# is one, else an XCom; of a sensor, see `waiting`.
PROGRESS = "kognic.progress"
# What a task uploads or waits for: written when it begins, and an XCom always, as XComs can be found by their key.
UPLOAD = "kognic.upload"
# What went wrong, with examples, and how it went over time; where PROGRESS is.
DETAILS = "kognic.details"

# Seconds between two looks at how far a task is.
EVERY = 1.0
# Of the time, a write waits for its answer no more than one part in so many: a slow store is written to less often.
SHARE = 10
# Seconds after which a store is asked again at the latest.
LONGEST = 30.0

# Examples of refusals, and as many of doubts.
MOST_EXAMPLES = 20
# Reasons that are told apart, for each outcome.
MOST_REASONS = 40
# Points of the plot.
MOST_POINTS = 120
# Bytes of texts, as UTF-8: Airflow warns of values above 65,535 bytes, and 40 examples are less than 45,000.
MOST_MESSAGE_BYTES = 500
MOST_SOURCE_BYTES = 240
MOST_REASON_BYTES = 60
MOST_NAME_BYTES = 240
MOST_SCENE_BYTES = 60
MOST_RUN_BYTES = 2_000


def stamp(seconds: float = 0.0) -> str:
    """Return the time so many seconds from now as the records have it: UTC, in ISO 8601."""
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def waiting(waits_for: str, since: str, done: int | None, total: int | None) -> dict[str, Any]:
    """Return how far a sensor is, as it is recorded under `PROGRESS`.

    Args:
        waits_for: What is waited for, for people.
        since: Since when, as `stamp` has it.
        done: How many of it are there; None where that is not known.
        total: How many are to be there, or None.
    """
    return {
        "phase": "waiting",
        "done": done,
        "total": total,
        "rate_per_s": None,
        "refused": 0,
        "in_doubt": 0,
        "at": stamp(),
        "since": since,
        "waits_for": waits_for,
    }
