from airflow_provider_kognic.core.models import Outcome, Result, Summary
from airflow_provider_kognic.core.reporting.report import Report, failure_table

GROUP = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
SCENE = "0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a01"


def report(reasons: dict[str, int], *first: Result) -> Report:
    doubts = tuple(one for one in first if one.outcome is Outcome.IN_DOUBT)
    return Report(Summary(GROUP), None, reasons, first, doubts)


def test_a_row_for_each_reason_with_the_first_of_it() -> None:
    lines = failure_table(
        report(
            {"invalid": 1204, "http_500": 3, "run_ended": 7},
            Result(
                SCENE,
                f"s3://key:hunter2@p/{SCENE}.json",
                Outcome.REFUSED,
                reason="invalid",
                message="no\nframes",
            ),
            Result(SCENE, "rows.jsonl:7", Outcome.IN_DOUBT, reason="http_500", message="x" * 500),
        ),
        "s3://ml@r/r.failed.jsonl",
    )
    assert lines[0] == "count  outcome   reason     such as"
    assert lines[1] == f"1,204  refused   invalid    s3://***@p/{SCENE}.json: no frames"
    assert lines[2] == "    7  unsent    run_ended"
    assert lines[3].startswith(f"    3  in_doubt  http_500   scene {SCENE} in rows.jsonl:7: xxx")
    assert lines[4] == "Each of them is in s3://ml@r/r.failed.jsonl"
    assert len(lines) == 5
    assert max(map(len, lines)) < 310


def test_many_reasons_are_counted() -> None:
    lines = failure_table(report({f"http_{number}": 1 for number in range(400, 425)}), None)
    assert len(lines) == 12
    assert lines[-1] == "... and 15 more reasons."


def test_nothing_is_said_where_nothing_failed() -> None:
    assert failure_table(report({}), "s3://ml@r/r.failed.jsonl") == []
