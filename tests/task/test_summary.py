"""What a task says of its upload: nothing that it does not know, no secrets, and never much."""

import json
import logging
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.api.switches import Switches
from airflow_provider_kognic.core.contract.switching import SWITCHABLE
from airflow_provider_kognic.core.models import Summary
from airflow_provider_kognic.core.reporting.conversions import Conversions
from airflow_provider_kognic.core.reporting.judgement import Failure
from airflow_provider_kognic.core.reporting.plan import Plan
from airflow_provider_kognic.core.sources.converting.summary import Conversion
from airflow_provider_kognic.summaries import COUNTS, summarise
from airflow_provider_kognic.task.failures import Ended
from airflow_provider_kognic.task.summary import TaskSummary

GROUP = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
DATASET = "7d1f3c2b-5a1f-4b66-8e4f-1a7a4c8a3b21"


class TaskInstance:
    """Keeps what is pushed."""

    task_id, map_index, try_number = "upload", 7, 2

    def __init__(self) -> None:
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value


def operator(**changed: Any) -> Any:
    given = {"predictions_group_uuid": GROUP, "dataset": None, "predictions": "/data", "manifest": None}
    return SimpleNamespace(**{**given, **changed})


def told(**changed: Any) -> TaskSummary:
    context: Any = {"ti": TaskInstance()}
    return TaskSummary(operator(**changed), context)


@pytest.mark.parametrize(
    ("app_url", "dataset", "link"),
    [
        (
            "https://app.kognic.com",
            DATASET.upper(),
            f"https://app.kognic.com/dataset/{DATASET}/predictions/{GROUP}",
        ),
        ("https://app.kognic.com", "a name", None),
        ("https://app.kognic.com", None, None),
        ("https://us.example.com/{predictions_group_uuid}", None, f"https://us.example.com/{GROUP}"),
    ],
)
def test_the_link_is_there_where_what_is_known_suffices(
    app_url: str, dataset: str | None, link: str | None
) -> None:
    """Though nothing was asked of the server yet."""
    summary = told(dataset=dataset, predictions_group_uuid=f" {GROUP.upper()} ")
    assert summary.leave_without_counts(ValueError("too early"))["link"] is None
    summary.knows_settings(Settings(app_url=app_url))
    left = summary.leave_without_counts(ValueError("early"))
    assert (left["link"], left["predictions_group_uuid"]) == (link, GROUP)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"predictions": "s3://ml@bucket/a?b/{c}"}, "s3://ml@bucket/a?b/{c}"),
        ({"predictions": "s3://key:secret/@secret@bucket/a"}, "s3://***@bucket/a"),
        (
            {"predictions": None, "manifest": "https://host/m.csv?sig=secret&x=1"},
            "https://host/m.csv?sig=***&x=1",
        ),
        ({"predictions": None, "manifest": "https://me:secret@host/m.csv"}, "https://***@host/m.csv"),
        ({"predictions": "abfs://c@account/x?sig=secret"}, "abfs://c@account/x?sig=***"),
        ({"predictions": "s3://ml@bucket/cam=front&key=3"}, "s3://ml@bucket/cam=front&key=3"),
        ({"predictions": [{}, {}]}, "2 rows"),
        ({"predictions": None}, None),
        ({"predictions": 7}, "int"),
    ],
)
def test_the_source_is_named_without_secrets(given: dict[str, Any], said: str | None) -> None:
    left = told(**given).leave_without_counts(ValueError(f"cannot open {given.get('manifest')}"))
    assert left["source"] == said
    assert "secret" not in json.dumps(left)


def test_what_airflow_masks_in_logs_is_masked() -> None:
    """Airflow itself does not mask XComs."""
    from airflow.providers.common.compat.sdk import redact

    import_module(redact.__module__).mask_secret("a-password-of-some-store")
    left = told().leave_without_counts(OSError("denied for a-password-of-some-store"))
    assert left["error"] == "OSError: denied for ***"


def conversion(much: str) -> Conversion:
    """What became of very many rows, for very many reasons."""
    counts = Conversion(rows=10**12, taken=10**12, scenes=10**12, unseen_keys=10**12, documents=10**12)
    for number in range(100):
        counts.refuse(f"{number}{much}", much, 7, much, much)
        counts.skipped[f"{number}{much}"] = counts.adjusted[f"{number}{much}"] = 10**12
    return counts


@pytest.mark.parametrize("text", ["a", "ä", "\U0001f600", "\n", '"'])
def test_a_summary_is_small_whatever_is_in_it(text: str) -> None:
    """However many scenes, reasons and shards there are, and whatever their names are made of."""
    much = text * 100_000
    left = []
    by = dict.fromkeys(SWITCHABLE, "the contract of 2026-11-28 (contradicted)")
    switches = Switches(listing=False, max_body_bytes=10**12, idempotency_key="X" * 100, said_by=by)
    conversions = Conversions()
    conversions.add(much, conversion(text * 1000))
    for number in range(100):
        summary = told(dataset=much, predictions=much)
        summary.knows_settings(Settings())
        summary.knows_dataset(SimpleNamespace(uuid=DATASET, name=much))  # type: ignore[arg-type]
        summary.knows_group(SimpleNamespace(name=much))  # type: ignore[arg-type]
        counts = Summary(GROUP, 10**12, 10**12, 10**12, 10**12, 10**12, 1e9).to_dict()
        counts["reasons"] = {f"{status}{much}": 10**12 for status in range(400, 600)}
        summary.knows_conversions(conversions)
        summary.knows_switches(switches.to_dict())
        summary.knows_sunsets({f"GET /{place}/{text * 1000}": text * 1000 for place in range(10)})
        ended = Ended(counts, Failure(much, retry=False), receipts=much)
        left.append({**summary.leave(ended), "map_index": number})
        assert left[-1]["link"].endswith(GROUP)
        assert left[-1]["error"].startswith(text * 50)
    assert max(len(json.dumps(one)) for one in left) < 4000
    total = summarise(left)
    named = [total.pop("failed_shards"), total.pop("unknown_shards"), total.pop("receipts")]
    assert [len(names) for names in named] == [100, 0, 100]
    assert len(json.dumps(total)) < 4000


def test_a_source_that_broke_off_is_not_counted() -> None:
    """Its counts are of what was gone through; with how it ended, if it failed."""
    counts = Summary(GROUP, uploaded=3, unsent=2).to_dict()
    left = told().leave(Ended(counts, Failure("broke off", retry=True), counted=False))
    assert (left["total"], left["counted"], left["error"]) == (5, False, "broke off")


def test_the_receipts_are_named_and_those_of_each_shard() -> None:
    counts = Summary(GROUP, uploaded=3).to_dict()
    summary = told(dataset="demo")
    left = summary.leave(Ended(counts, None, receipts="s3://key:secret@b/r.jsonl"))
    assert left["receipts"] == "s3://***@b/r.jsonl"
    assert summary.leave_without_counts(ValueError("early"))["receipts"] is None
    other = {**left, "map_index": 8, "receipts": None}
    assert summarise([left, other, None])["receipts"] == {"upload[7]": "s3://***@b/r.jsonl"}


def test_the_errors_of_shards_are_sentences() -> None:
    """Each ends once, whatever it ends with; and lines of one are no lines of the sum."""
    left = [
        told().leave(Ended(Summary(GROUP, refused=1).to_dict(), Failure(said, retry=False)))
        for said in ("visible from the worker?", "Two\nlines.", "no end")
    ]
    error = summarise([{**one, "map_index": number} for number, one in enumerate(left)])["error"]
    assert error == (
        "3 of 3 uploads failed. upload[0] (/data): visible from the worker? upload[1] (/data): Two lines."
        " upload[2] (/data): no end."
    )


def test_a_summary_that_cannot_be_stored_hides_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Such as in a task that is run without Airflow."""
    context: Any = {}
    with caplog.at_level(logging.ERROR):
        left = TaskSummary(operator(), context).leave(Ended(Summary(GROUP, uploaded=1).to_dict(), None))
    assert left["uploaded"] == 1
    assert "The summary could not be stored in XCom: {'predictions_group_uuid'" in caplog.text


def test_every_count_of_predictions_is_added_up() -> None:
    """One that is new in an upload's or a dry run's summary has to be named in `COUNTS`, or is lost in sums."""
    for counts in (Summary(GROUP).to_dict(), Plan(GROUP, {}, {}, (), None, 0.0).to_dict()):
        whole = {name for name, value in counts.items() if type(value) is int}
        assert whole - {"would_send"} == set(COUNTS)
        left = told().leave(Ended({**counts, **dict.fromkeys(whole, 3)}, None))
        total = summarise([left, left])
        assert {total[name] for name in whole} == {6}


def test_endpoints_that_end_are_named_with_their_dates() -> None:
    """Those that were heard of by the end, however they are written; a sum has those of all shards."""
    left = []
    for place in ("datasets", "scenes", None):
        summary, dates = told(), dict[str, str]()
        summary.knows_sunsets(dates)
        if place is not None:
            dates[f"GET /v2/{place}"] = "s3://key:secret@soon"
        left.append(summary.leave(Ended(Summary(GROUP, 3).to_dict(), None)))
    assert left[0]["sunset"] == {"GET /v2/datasets": "s3://***@soon"}
    assert "sunset" not in left[2]
    assert summarise(left)["sunset"] == {
        "GET /v2/datasets": "s3://***@soon",
        "GET /v2/scenes": "s3://***@soon",
    }
    assert "sunset" not in summarise(left[2:])


def test_a_summary_has_what_was_switched_and_a_sum_that_of_all_shards() -> None:
    left = []
    for switches in ({"compression": "on, by s3://key:secret@b"}, {"body_limit": "5 bytes, by me"}, {}):
        summary = told()
        summary.knows_switches(switches)
        left.append(summary.leave(Ended(Summary(GROUP, 3).to_dict(), None)))
    assert left[0]["switches"] == {"compression": "on, by s3://***@b"}
    assert "switches" not in left[2]
    assert summarise(left)["switches"] == {**left[0]["switches"], **left[1]["switches"]}
    assert "switches" not in summarise(left[2:])


def test_a_sum_has_what_became_of_the_rows_of_all_shards() -> None:
    left = []
    for number in range(2):
        counts = Conversion(rows=5, taken=4, documents=3)
        counts.refuse("bad_size", "/data/r.json", number, "k", "no size")
        counts.skipped["min_confidence"] = 2
        conversions = Conversions()
        conversions.add("/data/r.json", counts)
        summary = told()
        summary.knows_conversions(conversions)
        left.append(summary.leave(Ended(Summary(GROUP, 3).to_dict(), None)))
    total = summarise([*left, told().leave(Ended(Summary(GROUP, 3).to_dict(), None))])
    assert total["conversion"] == {
        "rows": 10,
        "taken": 8,
        "documents": 6,
        "empty_scenes": 0,
        "unseen_keys": 0,
        "keys_without_scene": 0,
        "skipped": {"min_confidence": 4},
        "refused": {"bad_size": 2},
        "adjusted": {},
        "examples": [
            "bad_size: /data/r.json, key k: no size",
            "bad_size: /data/r.json, row 1, key k: no size",
        ],
    }
