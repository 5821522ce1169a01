"""Receipts of results of every outcome and reason, in their order."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tests.golden import access
from tests.golden.world import GROUP, HOST, Files, digest, files_in, prediction, scene

# Every reason, each with the outcome that it comes with, a status and a number of attempts.
RESULTS: list[tuple[str, str | None, dict[str, Any]]] = [
    ("created", None, {"prediction_uuid": prediction(0), "attempts": 1}),
    ("created", "resent", {"prediction_uuid": prediction(1), "attempts": 2, "message": "there may be two"}),
    ("skipped", None, {"prediction_uuid": prediction(2)}),
    ("skipped", "resent", {"prediction_uuid": prediction(3)}),
    (
        "refused",
        "changed",
        {"prediction_uuid": prediction(4), "message": "was created from another document"},
    ),
    *(
        ("refused", reason, {"message": f"is refused: {reason}"})
        for reason in (
            "not_a_uuid",
            "duplicate_scene",
            "unreadable",
            "bad_row",
            "too_large",
            "not_json",
            "no_openlabel",
            "invalid",
            "no_annotations",
            "class_not_mapped",
        )
    ),
    *(
        (
            "refused",
            f"http_{status}",
            {"status": status, "attempts": 1, "message": "kein Präfix, ☃ and \udcff"},
        )
        for status in (400, 404, 409, 413, 415, 422)
    ),
    ("in_doubt", "NoAnswer", {"attempts": 1, "message": "sent, and no answer came"}),
    ("in_doubt", "http_502", {"status": 502, "attempts": 3, "message": "Bad gateway"}),
    ("in_doubt", "earlier_run", {"message": "an earlier run sent it"}),
    ("in_doubt", "unclear", {"attempts": 1, "message": "whether that was there before is not known"}),
    ("in_doubt", "unexpected", {"attempts": 0, "message": "unexpected ValueError: no"}),
    ("unsent", "run_ended", {"message": "the run ended first"}),
    ("unsent", "http_429", {"status": 429, "attempts": 10, "message": "too many requests"}),
    ("unsent", None, {}),
]


def make() -> Files:
    """Write receipts, and those of an upload of nothing."""
    results = []
    for number, (outcome, reason, more) in enumerate(RESULTS):
        source = f"/data/über/{scene(number)}.json" if number % 2 else f"s3://bucket/rows.jsonl:{number + 1}"
        given = {"reason": reason, "digest": digest(f"document {number}") if number % 3 else None, **more}
        where = "" if reason == "bad_row" else scene(number)
        results.append(access.result(where, source, outcome, **given))
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        access.write_receipts(root / "r.jsonl", HOST, GROUP, results)
        access.write_receipts(root / "none" / "of.all.jsonl", HOST, GROUP, [])
        return files_in(root)
