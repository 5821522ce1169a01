from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import (
    KognicError,
    KognicInputError,
    KognicOutageError,
    KognicPermissionError,
    KognicServerError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.models import Outcome, Result, Summary
from airflow_provider_kognic.core.options import MaxFailures, UploadOptions
from airflow_provider_kognic.core.reporting.judgement import Failure, judge
from airflow_provider_kognic.core.reporting.report import Report
from airflow_provider_kognic.summaries import MOST_ERROR_BYTES, cut

GROUP = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"


def report(stopped: KognicError | None = None, **counts: int) -> Report:
    first = tuple(
        Result("", f"{outcome.value}.json", outcome, reason=f"because_{outcome.value}", message="so it is")
        for outcome in (Outcome.REFUSED, Outcome.IN_DOUBT, Outcome.UNSENT)
        if counts.get(outcome.value)
    )
    reasons = {str(result.reason): counts[result.outcome.value] for result in first}
    in_doubt = tuple(result for result in first if result.outcome is Outcome.IN_DOUBT)
    return Report(Summary(GROUP, **counts), stopped, reasons, first, in_doubt)


def verdict(max_failures: Any = 0, *, allow_empty: bool = False, **kwargs: Any) -> Failure | None:
    return judge(report(**kwargs), UploadOptions.of(max_failures=max_failures, allow_empty=allow_empty))


@pytest.mark.parametrize("value", [-1, True, 1.5, None, "", "-1", "2 percent", "101%", "nan%", "1e3", [1]])
def test_what_is_neither_count_nor_share_is_refused(value: object) -> None:
    """The message shows the value and both forms."""
    with pytest.raises(
        KognicInputError, match="max_failures must be a count such as 3 or a share such as '2%'"
    ):
        MaxFailures.parse(value)


@pytest.mark.parametrize(
    ("value", "refused", "total", "allowed"),
    [
        (0, 0, 100, True),
        (0, 1, 100, False),
        ("3", 3, 100, True),
        (3, 4, 100, False),
        ("2%", 2, 100, True),
        ("2%", 2, 99, False),
        (" 2.5 % ", 5, 200, True),
        ("0%", 1, 10**6, False),
        ("100%", 7, 7, True),
    ],
)
def test_a_share_is_one_of_all_predictions(value: object, refused: int, total: int, allowed: bool) -> None:  # noqa: FBT001
    """Exactly the share is still allowed."""
    assert MaxFailures.parse(value).allows(refused, total) is allowed


def test_success_is_everything_created_skipped_or_allowed_to_be_refused() -> None:
    """Refusals within the budget are no failure."""
    assert verdict(uploaded=3, skipped=2) is None
    assert verdict(1, uploaded=3, refused=1) is None
    assert verdict("50%", uploaded=1, refused=1) is None


def test_an_empty_source_fails_unless_it_may_be_empty() -> None:
    """An empty folder is more often a wrong date than good news; trying again does not fill it."""
    failure = verdict()
    assert failure is not None
    assert not failure.retry
    assert "allow_empty=True" in failure.message
    assert verdict(allow_empty=True) is None


@pytest.mark.parametrize(
    ("counts", "retry"),
    [
        ({"uploaded": 3, "refused": 1}, False),
        ({"uploaded": 3, "in_doubt": 1}, False),
        ({"uploaded": 3, "unsent": 1}, True),
        ({"uploaded": 3, "unsent": 1, "in_doubt": 1, "refused": 1}, True),
    ],
)
def test_only_what_is_unsent_calls_for_another_try(counts: dict[str, int], retry: bool) -> None:  # noqa: FBT001
    """Refusals stay refusals, and doubt must not be sent again blindly."""
    failure = judge(report(None, **counts), UploadOptions())
    assert failure is not None
    assert failure.retry is retry


@pytest.mark.parametrize(
    ("stopped", "retry"),
    [
        (KognicOutageError("down"), True),
        (KognicStoppedError("killed"), True),
        (KognicPermissionError("not yours", status=403), False),
    ],
)
def test_an_early_end_is_a_failure_whatever_the_counts(stopped: KognicError, retry: bool) -> None:  # noqa: FBT001
    """Even with nothing unsent; whether a retry helps depends on why."""
    failure = verdict(stopped=stopped, uploaded=1, allow_empty=True)
    assert failure is not None
    assert failure.retry is retry
    assert str(stopped) in failure.message


def test_the_message_begins_with_what_failed_and_ends_with_the_first_predictions() -> None:
    """Lines, the counts of what fails the task first, without those that are zero."""
    failure = verdict("1%", uploaded=1990, refused=30, in_doubt=2, unsent=1)
    assert failure is not None
    lines = failure.message.splitlines()
    assert lines[:3] == [
        "The upload is incomplete: 2 in doubt, 1 unsent, 30 refused (allowed: 1 %), 1,990 created, of 2,023.",
        "Reasons: because_refused (30), because_in_doubt (2), because_unsent (1).",
        "In doubt: sent, and the answer was lost, so that the server may have created them.",
    ]
    assert lines[-5:] == [
        "The log names each that is in doubt, in a line that begins with 'in_doubt:'.",
        "These are:",
        "- in_doubt: because_in_doubt: so it is. (scene unknown, in_doubt.json)",
        "- refused: because_refused: so it is. (scene unknown, refused.json)",
        "- unsent: because_unsent: so it is. (scene unknown, unsent.json)",
    ]
    assert ".." not in failure.message.replace("://...", "")


def doubtful(**changes: Any) -> Report:
    """A report with 63 in doubt, 3 refused, and 335 created."""
    counts = {"uploaded": 335, "in_doubt": 63, "refused": 3}
    in_doubt = tuple(
        Result(
            scene(number), f"/day/{scene(number)}.json", Outcome.IN_DOUBT, reason="http_503", message="Down."
        )
        for number in range(63)
    )
    refused = tuple(
        Result(
            scene(number),
            f"/day/{scene(number)}.json",
            Outcome.REFUSED,
            reason="invalid",
            message="no frames",
        )
        for number in range(63, 66)
    )
    base = Report(
        Summary(GROUP, **counts), None, {"http_503": 63, "invalid": 3}, (*refused, *in_doubt[:17]), in_doubt
    )
    return replace(base, **changes)


def scene(number: int) -> str:
    return f"5ce00000-0000-4000-8000-{number:012}"


def told(report: Report, receipts: str | None = None, **options: Any) -> list[str]:
    failure = judge(report, UploadOptions.of(**options), receipts=receipts)
    assert failure is not None
    return failure.message.splitlines()


def test_much_doubt_hides_neither_its_number_nor_the_ways_out() -> None:
    """No zero, no row of uuids; what matters is in what a log view shows of each line: some 85 characters."""
    lines = told(doubtful(journaled=True), "s3://ml@preds/receipts/day.failed.jsonl")
    assert lines == [
        "The upload is incomplete: 63 in doubt, 3 refused (allowed: 0), 335 created, of 401.",
        "Reasons: http_503 (63), invalid (3).",
        "In doubt: sent, and the answer was lost, so that the server may have created them.",
        "They are not sent again. Compare these scenes with the predictions group in the app; then",
        "- leave them as they are, or",
        "- remove what is there of them, and upload the receipts named below (manifest=), with force=True, or",
        "- clear the task with on_ambiguous='resend': that sends them again, and may make duplicates.",
        "All that is neither created nor skipped: s3://ml@preds/receipts/day.failed.jsonl",
        "The first of them:",
        f"- in_doubt: http_503: Down. (scene {scene(0)} in /day)",
        f"- refused: invalid: no frames. (scene {scene(63)} in /day)",
        f"- in_doubt: http_503: Down. (scene {scene(1)} in /day)",
    ]


def test_what_does_not_fail_the_task_is_no_example() -> None:
    """Refusals within the budget are counted, after what fails it."""
    lines = told(doubtful(journaled=True), max_failures=3)
    assert lines[0] == ("The upload is incomplete: 63 in doubt, 3 refused (allowed: 3), 335 created, of 401.")
    examples = [line for line in lines if line.startswith(("- in_doubt: ", "- refused: "))]
    assert examples == [f"- in_doubt: http_503: Down. (scene {scene(number)} in /day)" for number in range(3)]
    lines = told(doubtful(journaled=True), on_ambiguous="skip")
    assert lines[0] == ("The upload is incomplete: 3 refused (allowed: 0), 63 in doubt, 335 created, of 401.")


@pytest.mark.parametrize(
    ("changes", "options", "says"),
    [
        (
            {"journaled": True, "settles": True},
            {},
            "Another try, or clearing the task, asks the server about them again.",
        ),
        (
            {"journaled": True, "settles": True},
            {"on_ambiguous": "resend"},
            "Another try, or clearing the task, sends them again, as on_ambiguous='resend' says: of those that",
        ),
        ({"journaled": True}, {}, "They are not sent again. Compare these scenes "),
        (
            {"journaled": True},
            {"on_ambiguous": "fail"},
            "They are not sent again. Compare these scenes ",
        ),
        ({"journaled": False}, {}, "They are not sent again. Compare these scenes "),
        ({"journaled": False, "settles": True}, {}, "They are not sent again. Compare these scenes "),
        (
            {"journaled": False, "settles": True, "stopped": KognicStoppedError("killed")},
            {},
            "There is no journal: another try sends all predictions again, these and what is created, too.",
        ),
    ],
)
def test_it_says_what_another_try_does_about_doubt(
    changes: dict[str, Any], options: dict[str, Any], says: str
) -> None:
    """What it does, not what another policy or another journal would do."""
    report = doubtful(**changes)
    text = " ".join(told(report, **options))
    assert says in text
    ways = (
        "asks the server about them",
        "sends them again, as",
        "They are not sent again",
        "There is no journal",
    )
    assert sum(way in text for way in ways) == 1


def test_an_early_end_says_why_and_then_how_many() -> None:
    """What the server said ends with one full stop."""
    stopped = KognicPermissionError("Not yours.", status=403, method="POST", url="https://h/v1/predictions")
    first, second = told(report(stopped, uploaded=52, unsent=348))[:2]
    assert first == (
        "The upload ended early: HTTP 403: Not yours. A token was issued, but these credentials may not do this:"
        " ask your Kognic contact which rights the client has. (POST https://h/v1/predictions)."
    )
    assert second == "348 unsent, 52 created, of 400."
    assert told(report(KognicOutageError("down"), unsent=1))[0] == "The upload ended early: down."


def test_an_example_s_message_is_cut() -> None:
    """The log and the receipts have all of it."""
    long = Result("", "a.json", Outcome.REFUSED, reason="invalid", message="word " * 200)
    (example,) = [
        line
        for line in told(Report(Summary(GROUP, refused=1), None, {"invalid": 1}, (long,)))
        if line.startswith("- refused: ")
    ]
    assert example.endswith("word… (scene unknown, a.json)")
    assert len(example) < 230


def test_what_fails_is_an_example_though_what_does_not_came_first() -> None:
    """And nothing else is: where no result of what fails is known, there is no example."""
    doubts = tuple(Result(scene(n), f"{n}.json", Outcome.IN_DOUBT, reason="lost") for n in range(3))
    invalid = Result(scene(9), "9.json", Outcome.REFUSED, reason="invalid", message="bad.")
    summary = Summary(GROUP, in_doubt=3, refused=1)
    reasons = {"lost": 3, "invalid": 1}
    lines = told(Report(summary, None, reasons, (*doubts, invalid), doubts), on_ambiguous="skip")
    assert [line for line in lines if line.startswith("- ") and "5ce00000" in line] == [
        f"- refused: invalid: bad. (scene {scene(9)}, 9.json)"
    ]
    ended = KognicOutageError("no success for 600 s.")
    few = Report(Summary(GROUP, refused=1, unsent=450), ended, {"invalid": 1, "run_ended": 450}, (invalid,))
    assert not [line for line in told(few, max_failures=5) if line.startswith("- ")]


def test_what_could_not_be_read_is_named_in_the_log_where_there_are_no_receipts() -> None:
    unread = Result(scene(1), "1.json", Outcome.UNSENT, reason="store_unavailable", message="503.")
    lost = Report(Summary(GROUP, uploaded=5, unsent=1), None, {"store_unavailable": 1}, (unread,))
    pointer = (
        "The log names each that could not be read, in a line that begins with 'unsent: store_unavailable:'."
    )
    assert pointer in told(lost)
    assert pointer not in told(lost, receipts="r.failed.jsonl")


@pytest.mark.parametrize("receipts", ["s3://ml@preds/receipts/day/of/the/week.failed.jsonl", None])
def test_what_is_cut_to_fit_still_says_where_all_are(receipts: str | None) -> None:
    """However long the server's words are: the examples go first, and of the end its middle."""
    long = "The upstream pool is draining, please try again in a few minutes. " * 8
    url = f"https://dataset.app.kognic.com/v1/predictions-groups/{GROUP}/predictions"
    last = str(KognicServerError(long.strip(), status=503, method="POST", url=url))
    ended = KognicOutageError(f"no success for 600 s; the last error: {last}")
    doubts = tuple(replace(one, message=long) for one in doubtful().in_doubt)
    report = doubtful(stopped=ended, in_doubt=doubts, first=doubts[:20], journaled=True)
    text = cut("\n".join(told(report, receipts)), MOST_ERROR_BYTES)
    assert (
        receipts or "The log names each that is in doubt, in a line that begins with 'in_doubt:'."
    ) in text
    assert text.startswith(
        "The upload ended early: no success for 600 s; the last error: HTTP 503: The upstream"
    )
    assert f" (POST {url}).\n63 in doubt, 3 refused (allowed: 0), 335 created, of 401.\n" in text


def test_reasons_of_any_length_are_cut() -> None:
    """In the line that counts them, and in the examples."""
    reason = "r" * 3000
    one = Result("", "a.json", Outcome.REFUSED, reason=reason, message="no")
    lines = told(Report(Summary(GROUP, refused=1), None, {reason: 1}, (one,)))
    assert lines[1] == f"Reasons: {'r' * 60}… (1)."
    assert max(map(len, lines)) < 230


def test_an_end_before_the_first_prediction_counts_nothing() -> None:
    assert told(Report(Summary(GROUP), KognicOutageError("away"), {}, ())) == [
        "The upload ended early: away.",
        "Nothing was sent.",
    ]
