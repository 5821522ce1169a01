"""What was promised of a Dag run against what was seen of it: nothing here waits, asks or starts anything."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_IN_FLIGHT = 10
# The most that a journal has noted as intended, and not yet as answered, when an upload dies.
MOST_IN_DOUBT = 64
_SHOWN = 3
_OUTCOMES = {
    "uploaded": "created",
    "skipped": "skipped",
    "refused": "refused",
    "in_doubt": "in_doubt",
    "unsent": "unsent",
}
_KNOWN = {"created", "skipped"}


@dataclass(frozen=True)
class Promise:
    """What has to come of a Dag run.

    Attributes:
        scenes: All of its source.
        sent: Those of which it sends a prediction, each once, and no others.
        refused: Those that it refuses, and no others.
        deaths: How many uploads may die in it.
        settles: Whether the server's listing settles what they leave in doubt.
    """

    scenes: Collection[str]
    sent: Collection[str]
    refused: Collection[str] = ()
    deaths: int = 0
    settles: bool = True


@dataclass(frozen=True)
class Seen:
    """What came of a Dag run.

    Attributes:
        state: Of the run.
        taken: For each prediction that the server took from it, the scene.
        held: Prediction to scene: all that the group holds after it.
        most_in_flight: The most requests that the server had open at a time.
        too_many: How many it refused as too many at a time.
        summary: What the run says of itself.
        receipts: The rows of all its shards.
    """

    state: str
    taken: Sequence[str]
    held: Mapping[str, str]
    most_in_flight: int
    too_many: int
    summary: Mapping[str, Any]
    receipts: Sequence[Mapping[str, Any]] = field(repr=False)


@dataclass(frozen=True)
class Check:
    """One line of the verdict."""

    what: str
    promised: str
    seen: str
    kept: bool


def judge(promise: Promise, seen: Seen) -> list[Check]:
    """Hold what was seen of a run against what was promised of it."""
    taken, rows = Counter(seen.taken), seen.receipts
    doubts = [str(row["scene_uuid"]) for row in rows if row["outcome"] == "in_doubt"]
    missing = set(promise.sent) - taken.keys()
    lost = missing if promise.settles else missing - set(doubts)
    strangers = taken.keys() - set(promise.sent)
    doubled = [scene for scene, count in taken.items() if count > 1]
    return [
        Check("Dag run", "success", seen.state, seen.state == "success"),
        _none("lost", lost, f"of {len(promise.sent):,}"),
        _none("sent twice", doubled),
        _none("sent, and should not be", strangers),
        Check(
            "most in flight",
            f"1 to {MOST_IN_FLIGHT}" if promise.sent else f"<= {MOST_IN_FLIGHT}",
            str(seen.most_in_flight),
            (not promise.sent or seen.most_in_flight > 0) and seen.most_in_flight <= MOST_IN_FLIGHT,
        ),
        Check("refused as too many at a time", "0", str(seen.too_many), seen.too_many == 0),
        _doubts(promise, doubts),
        *_receipts(promise, seen, doubts),
    ]


def _doubts(promise: Promise, doubts: Sequence[str]) -> Check:
    most = 0 if promise.settles else promise.deaths * MOST_IN_DOUBT
    return Check("in doubt", f"<= {most}" if most else "0", str(len(doubts)), len(doubts) <= most)


def _receipts(promise: Promise, seen: Seen, doubts: Sequence[str]) -> list[Check]:
    rows = Counter(str(row["scene_uuid"]) for row in seen.receipts)
    wrong = [scene for scene in {*rows, *promise.scenes} if rows[scene] != 1 or scene not in promise.scenes]
    outcomes = Counter(str(row["outcome"]) for row in seen.receipts)
    told = {name: seen.summary.get(name) for name in (*_OUTCOMES, "total")}
    counted = {name: outcomes[outcome] for name, outcome in _OUTCOMES.items()} | {"total": len(seen.receipts)}
    known = {row["prediction_uuid"]: row["scene_uuid"] for row in seen.receipts if row["outcome"] in _KNOWN}
    unfounded = [scene for prediction, scene in known.items() if seen.held.get(prediction) != scene]
    untold = set(seen.taken) - set(known.values()) - set(doubts)
    refused = {str(row["scene_uuid"]) for row in seen.receipts if row["outcome"] == "refused"}
    return [
        _none("scenes without exactly one receipt", wrong, f"of {len(promise.scenes):,}"),
        _none("receipts of what the server does not hold", unfounded),
        _none("taken by the server, without a receipt", untold),
        _none("refused, or not, and should be", refused ^ set(promise.refused)),
        Check(
            "summary",
            _counts(counted),
            _counts(told) if told != counted else "the same",
            told == counted and not seen.summary.get("error"),
        ),
    ]


def _none(what: str, found: Collection[str], of: str = "") -> Check:
    names = f": {', '.join(sorted(found)[:_SHOWN])}" if found else ""
    return Check(what, f"0 {of}".rstrip(), f"{len(found):,}{names}", not found)


def _counts(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count)
