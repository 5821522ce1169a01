"""The sum of summaries that were pulled, whatever of them is there; sums in Airflow: `operators/test_summaries`."""

import json
import subprocess
import sys
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.summaries import COUNTS, cut, summarise, summary_of


def one(index: int = 0, **changed: Any) -> dict[str, Any]:
    """A summary as a task leaves it."""
    return {
        "predictions_group_uuid": "a group",
        **dict.fromkeys(COUNTS, 0),
        "duration_s": 0.0,
        "rate_per_s": 0.0,
        "reasons": {},
        "predictions_group": "detector v7",
        "dataset_uuid": "a dataset",
        "dataset": "night-drives",
        "link": "https://app/a",
        "source": f"/data/{index}",
        "counted": True,
        "error": None,
        "task_id": "upload",
        "map_index": index,
        "try_number": 1,
        **changed,
    }


def test_counts_seconds_and_reasons_are_added_up() -> None:
    total = summarise(
        [
            one(0, uploaded=3, total=3, duration_s=1.0, rate_per_s=3.0),
            one(
                1,
                uploaded=5,
                refused=2,
                total=7,
                duration_s=3.0,
                reasons={"invalid": 1, "http_422": 1},
                error="bad.",
            ),
            one(2, refused=2, total=2, reasons={"http_422": 2}, error="worse"),
        ]
    )
    assert {name: total[name] for name in COUNTS if total[name]} == {"uploaded": 8, "refused": 4, "total": 12}
    assert (total["duration_s"], total["rate_per_s"]) == (4.0, 2.0)
    assert list(total["reasons"].items()) == [("http_422", 3), ("invalid", 1)]
    assert (total["shards"], total["failed_shards"]) == (3, ["upload[1]", "upload[2]"])
    assert total["error"] == "2 of 3 uploads failed. upload[1] (/data/1): bad. upload[2] (/data/2): worse."
    assert (total["source"], total["link"]) == (None, "https://app/a")


@pytest.mark.parametrize("given", [one(), [one()], (one(),), iter([one()])])
def test_one_is_what_it_is(given: Any) -> None:
    """However it was pulled."""
    total = summarise(given)
    kept = {
        name: value for name, value in one().items() if name not in {"task_id", "map_index", "try_number"}
    }
    assert {name: total[name] for name in kept} == kept
    assert (total["shards"], total["failed_shards"]) == (1, [])


@pytest.mark.parametrize("given", [None, [None], [None, one(1, uploaded=4, total=4)]])
def test_what_is_missing_is_named_and_not_taken_for_zero(given: Any) -> None:
    total = summarise(given)
    assert total["counted"] is False
    assert total["unknown_shards"] == ["[0]"]
    shards = total["shards"]
    assert total["error"] == (
        f"The counts of 1 of {shards} uploads are not known, or not all. [0]: left no summary."
    )
    assert total["failed_shards"] == []


def test_of_none_at_all_nothing_is_known() -> None:
    """A pull that found nothing, as with a wrong key, is not an upload that had nothing to do."""
    total = summarise([])
    assert (total["shards"], total["total"], total["counted"]) == (0, 0, False)
    assert total["error"] == "No shard left a summary: nothing is known of the upload."


@pytest.mark.parametrize(
    ("given", "lacking", "uploaded"),
    [
        ({"total": 3}, "uploaded, skipped, refused, in_doubt, unsent", 1),
        ({"total": 3, "task_id": "upload"}, "uploaded, skipped, refused, in_doubt, unsent", 1),
        (one(0, uploaded=2, total=None, duration_s=None, reasons={"invalid": None}), "total", 3),
        (one(0, uploaded="2", total=2), "uploaded", 1),
    ],
)
def test_a_summary_without_its_counts_is_unknown(given: dict[str, Any], lacking: str, uploaded: int) -> None:
    total = summarise([given, one(1, uploaded=1, total=1)])
    assert (total["counted"], len(total["unknown_shards"]), total["uploaded"]) == (False, 1, uploaded)
    assert total["error"].startswith("The counts of 1 of 2 uploads are not known, or not all. ")
    assert total["error"].endswith(f": its summary has no number as {lacking}.")


def test_an_upload_that_did_not_begin_knows_less_than_the_others() -> None:
    """What they agree on is what it would have known, too."""
    early = one(
        1, link=None, predictions_group=None, dataset_uuid=None, counted=False, error="no such folder"
    )
    total = summarise([one(0), early])
    assert (total["link"], total["predictions_group"]) == ("https://app/a", "detector v7")
    assert (total["failed_shards"], total["unknown_shards"]) == (["upload[1]"], ["upload[1]"])
    assert total["error"].startswith("1 of 2 uploads failed; the counts of 1 are not known, or not all. ")


def test_of_many_that_failed_some_are_told_of_and_all_are_named() -> None:
    total = summarise([one(number, error="x" * 5000) for number in range(30)])
    assert len(total["failed_shards"]) == 30
    assert total["error"].endswith(" And 25 more.")
    assert len(total["error"]) <= 1500


def test_summaries_of_before_can_be_added_up() -> None:
    """Of a task that was run by an older version of this provider: they had counts alone."""
    old = {
        "predictions_group_uuid": "a group",
        **dict.fromkeys(COUNTS, 1),
        "duration_s": 1.0,
        "rate_per_s": 1.0,
    }
    total = summarise([old, one(1, uploaded=1)])
    assert (total["uploaded"], total["counted"], total["link"]) == (2, True, "https://app/a")


@pytest.mark.parametrize("given", ["upload", 7, [7], [{"link": "x"}], ["upload"]])
def test_what_is_no_summary_is_refused(given: Any) -> None:
    with pytest.raises(KognicInputError, match="summar"):
        summarise(given)


def test_a_callback_without_xcoms_gets_none() -> None:
    """Such as Airflow before 3.1 calls for a task whose worker was lost."""
    assert summary_of({"ti": object(), "exception": RuntimeError("lost")}) is None
    assert summary_of({"exception": None}) is None


@pytest.mark.parametrize("text", ["", "short", "ä" * 400, "\U0001f600" * 400, "a" * 5000])
def test_a_cut_text_fits(text: str) -> None:
    found = cut(text, 300)
    assert len(json.dumps(found)) <= 300
    assert found == text or (found.endswith("…") and text.startswith(found[:-1]) and len(found) > 20)


def test_nothing_slow_is_imported_for_it() -> None:
    """A Dag file imports it, and Dag files are parsed all day."""
    slow = ("airflow", "httpx", "requests", "pydantic", "kognic", "fsspec")
    program = (
        "import sys; before = set(sys.modules); import airflow_provider_kognic.summaries;"
        f"print([name for name in set(sys.modules) - before if name.partition('.')[0] in {slow}])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
