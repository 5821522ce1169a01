"""The report of a dry run as an observer: a row for each entry that is planned, and the page."""

import json
from pathlib import Path

from airflow_provider_kognic.core.models import Outcome, Result
from airflow_provider_kognic.core.reporting.events import Planned, Settled
from airflow_provider_kognic.core.reporting.plan import Decision, Plan
from airflow_provider_kognic.core.reporting.plan import Planned as Entry
from airflow_provider_kognic.core.reporting.plan_report import PlanReport

GROUP = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
ENTRIES = [
    Entry("s0", "/p/0.json", Decision.WOULD_SEND, digest="ab" * 32),
    Entry("s1", "/p/1.json", Decision.SKIPPED, prediction_uuid="u1"),
    Entry("", "/p/\udcff.json", Decision.REFUSED, reason="not_a_uuid", message="a|b\n`c`"),
    Entry("s3", "/p/3.json", Decision.IN_DOUBT, message="lost"),
]


def test_each_planned_entry_has_a_row_and_the_page_names_what_would_not_be_sent(tmp_path: Path) -> None:
    """What else happens is none of its business."""
    counts = dict.fromkeys((Decision.WOULD_SEND, Decision.SKIPPED, Decision.REFUSED, Decision.IN_DOUBT), 1)
    plan = Plan(GROUP, counts, {"not_a_uuid": 1}, (), 7, 0.1)
    with PlanReport(tmp_path / "r.jsonl", host="h", predictions_group_uuid=GROUP) as report:
        for entry in ENTRIES:
            report.notice(Planned(entry))
        report.notice(Settled(Result("s9", "/p/9.json", Outcome.CREATED)))
        assert report.write(plan) == 4
    rows = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert rows[0] == {
        "scene_uuid": "s0",
        "source": "/p/0.json",
        "digest": f"sha256:{'ab' * 32}",
        "decision": "would_send",
        "prediction_uuid": None,
        "reason": None,
        "message": None,
        "predictions_group_uuid": GROUP,
        "host": "h",
    }
    assert [row["source"] for row in rows] == [entry.source for entry in ENTRIES]
    assert (tmp_path / "r.md").read_text() == (
        "# What the upload would do\n\n"
        f"Predictions group `{GROUP}` of `h`. Nothing was sent.\n"
        "The journal knows 7 predictions of this group.\n\n"
        "| predictions | number |\n| --- | ---: |\n| would be sent | 1 |\n| already created | 1 |\n"
        "| in doubt since an earlier run | 1 |\n| would be refused | 1 |\n| of it `not_a_uuid` | 1 |\n"
        "| total | 4 |\n\n"
        "## What would not be sent\n\n"
        "| scene | source | why | |\n| --- | --- | --- | --- |\n"
        "| unknown | /p/\\\\udcff.json | not\\_a\\_uuid | a\\|b \\`c\\` |\n"
        "| s3 | /p/3.json | in\\_doubt | lost |\n"
    )
