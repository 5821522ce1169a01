"""The verdict on a fleet sees what is wrong: each fault is planted in what would otherwise be a clean run."""

import random
from dataclasses import replace
from typing import Any

import pytest

from .trouble import DATABASE, SCHEDULER, WORKER, plan
from .verdict import MOST_IN_DOUBT, MOST_IN_FLIGHT, Check, Promise, Seen, judge

SCENES = [f"scene-{number}" for number in range(10)]
PROMISE = Promise(SCENES, SCENES)


def receipt(scene: str, outcome: str = "created") -> dict[str, Any]:
    known = outcome in {"created", "skipped"}
    return {"scene_uuid": scene, "outcome": outcome, "prediction_uuid": f"of {scene}" if known else None}


def clean() -> Seen:
    """A run that sent everything, with one death in it."""
    return Seen(
        state="success",
        taken=SCENES,
        held={f"of {scene}": scene for scene in SCENES},
        most_in_flight=MOST_IN_FLIGHT,
        too_many=0,
        summary={"uploaded": 6, "skipped": 4, "refused": 0, "in_doubt": 0, "unsent": 0, "total": 10},
        receipts=[receipt(scene, "skipped" if at < 4 else "created") for at, scene in enumerate(SCENES)],
    )


def broken(checks: list[Check]) -> set[str]:
    return {check.what for check in checks if not check.kept}


def test_a_clean_run_keeps_every_promise() -> None:
    assert broken(judge(PROMISE, clean())) == set()


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "failed": ({"state": "failed"}, "Dag run"),
    "lost": ({"taken": SCENES[1:]}, "lost"),
    "doubled": ({"taken": [*SCENES, SCENES[3]]}, "sent twice"),
    "another's": ({"taken": [*SCENES, "somebody's"]}, "sent, and should not be"),
    "eleven in flight": ({"most_in_flight": MOST_IN_FLIGHT + 1}, "most in flight"),
    "nothing in flight": ({"most_in_flight": 0}, "most in flight"),
    "a 429": ({"too_many": 1}, "refused as too many at a time"),
    "no receipt": ({"receipts": clean().receipts[1:]}, "scenes without exactly one receipt"),
    "two receipts": (
        {"receipts": [*clean().receipts, receipt(SCENES[0])]},
        "scenes without exactly one receipt",
    ),
    "not held": ({"held": {}}, "receipts of what the server does not hold"),
    "in doubt": (
        {"receipts": [receipt(SCENES[0], "in_doubt"), *clean().receipts[1:]]},
        "in doubt",
    ),
    "refused": (
        {"receipts": [receipt(SCENES[0], "refused"), *clean().receipts[1:]]},
        "refused, or not, and should be",
    ),
    "untold": (
        {"receipts": [receipt(SCENES[0], "unsent"), *clean().receipts[1:]]},
        "taken by the server, without a receipt",
    ),
    "sums": ({"summary": {**clean().summary, "uploaded": 7}}, "summary"),
    "total": ({"summary": {**clean().summary, "total": 11}}, "summary"),
    "an error": ({"summary": {**clean().summary, "error": "1 of 8 uploads failed"}}, "summary"),
    "no summary": ({"summary": {}}, "summary"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault: str) -> None:
    changes, what = FAULTS[fault]

    assert what in broken(judge(PROMISE, replace(clean(), **changes)))


def test_of_a_day_on_which_some_changed_exactly_those_are_sent() -> None:
    held = {**clean().held, "again": SCENES[2]}
    receipts = [receipt(scene, "skipped") for scene in SCENES]
    receipts[2] = {"scene_uuid": SCENES[2], "outcome": "created", "prediction_uuid": "again"}
    summary = {"uploaded": 1, "skipped": 9, "refused": 0, "in_doubt": 0, "unsent": 0, "total": 10}
    seen = replace(clean(), taken=[SCENES[2]], held=held, receipts=receipts, summary=summary)
    changed = Promise(SCENES, [SCENES[2]])

    assert broken(judge(changed, seen)) == set()
    assert "lost" in broken(judge(changed, replace(seen, taken=[])))
    assert "sent, and should not be" in broken(judge(changed, replace(seen, taken=SCENES[2:4])))
    assert "sent twice" in broken(judge(changed, replace(seen, taken=[SCENES[2]] * 2)))


def test_of_a_day_that_refuses_what_changed_nothing_is_sent() -> None:
    receipts = [receipt(scene, "refused" if scene == SCENES[2] else "skipped") for scene in SCENES]
    summary = {"uploaded": 0, "skipped": 9, "refused": 1, "in_doubt": 0, "unsent": 0, "total": 10}
    seen = replace(clean(), taken=[], receipts=receipts, summary=summary, most_in_flight=0)
    promise = Promise(SCENES, (), refused=[SCENES[2]])

    assert broken(judge(promise, seen)) == set()
    assert broken(judge(promise, replace(seen, taken=[SCENES[2]]))) >= {"sent, and should not be"}
    assert broken(judge(replace(promise, refused=SCENES[3:4]), seen)) == {"refused, or not, and should be"}


def test_without_a_listing_doubt_may_stay_where_an_upload_died_and_hides_nothing_else() -> None:
    receipts = [receipt(scene, "in_doubt" if at < 2 else "created") for at, scene in enumerate(SCENES)]
    summary = {"uploaded": 8, "skipped": 0, "refused": 0, "in_doubt": 2, "unsent": 0, "total": 10}
    # One of the two in doubt was taken, the other was not.
    seen = replace(clean(), taken=SCENES[1:], receipts=receipts, summary=summary)
    promise = Promise(SCENES, SCENES, deaths=1, settles=False)

    assert broken(judge(promise, seen)) == set()
    assert broken(judge(replace(promise, deaths=0), seen)) == {"in doubt"}
    assert broken(judge(promise, replace(seen, taken=SCENES[1:-1]))) == {"lost"}
    assert broken(judge(promise, replace(seen, taken=[*SCENES, SCENES[0]]))) == {"sent twice"}
    assert MOST_IN_DOUBT < 100


def test_trouble_comes_in_its_order_and_all_of_it_before_the_end() -> None:
    events = plan(1_000, 5, random.Random(1))

    assert [event.at for event in events] == sorted(event.at for event in events)
    assert sorted(event.what for event in events) == sorted([WORKER] * 5 + [SCHEDULER, DATABASE])
    assert all(0 < event.at < 1_000 for event in events)
    assert events == plan(1_000, 5, random.Random(1))
    assert events != plan(1_000, 5, random.Random(2))
    assert {event.what for event in plan(1_000, 2, random.Random(1), all_of_it=False)} == {WORKER}
