"""What a shard is when it travels, and what is no shard."""

import json
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Span
from airflow_provider_kognic.core.sources.ranges.shard import Shard

FIRST, BEFORE = "10000000-0000-4000-8000-000000000000", "20000000-0000-4000-8000-000000000000"
SHARD = Shard(
    "s3://ml@preds/day/", is_manifest=False, span=Span(FIRST, BEFORE), index=1, of=8, items=5, bytes=75_000
)


@pytest.mark.parametrize("is_manifest", [True, False])
@pytest.mark.parametrize("span", [Span(), Span(FIRST), Span(None, BEFORE), Span(FIRST, BEFORE)])
def test_it_comes_back_as_it_went(span: Span, *, is_manifest: bool) -> None:
    shard = Shard("/data/é", is_manifest, span, 0, 2, 3, 4)
    assert Shard.read(json.loads(json.dumps(shard.to_dict()))) == shard


def test_it_is_small() -> None:
    assert len(json.dumps(SHARD.to_dict())) < 300


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kognic_shard": 2}, "a shard of version 2"),
        ({"first": "1"}, "look at 'first'"),
        ({"before": BEFORE.upper().replace("2", "A")}, "look at 'before'"),
        ({"first": BEFORE, "before": FIRST}, "whose end comes first"),
        ({"index": -1}, "look at 'index'"),
        ({"of": "8"}, "look at 'of'"),
        ({"items": None}, "look at 'items'"),
        ({"bytes": True}, "look at 'bytes'"),
        ({"manifest": "/data/m.csv"}, "look at 'predictions'"),
        ({"predictions": 7}, "look at 'predictions'"),
        ({"until": BEFORE}, "look at 'until'"),
    ],
)
def test_what_was_changed_is_not_taken(change: dict[str, Any], said: str) -> None:
    with pytest.raises(KognicInputError, match=said):
        Shard.read({**SHARD.to_dict(), **change})


def test_a_row_is_no_shard() -> None:
    with pytest.raises(KognicInputError, match=r"a dict, and no shard .* One row goes into a list"):
        Shard.read({"sceneUuid": FIRST, "openlabelContent": {}})


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (Span(), Span(), True),
        (Span(None, FIRST), Span(FIRST), False),
        (Span(FIRST), Span(None, FIRST), False),
        (Span(None, BEFORE), Span(FIRST), True),
        (Span(FIRST, BEFORE), Span(FIRST, BEFORE), True),
        (Span(FIRST, BEFORE), Span(BEFORE), False),
        (Span(FIRST, BEFORE), Span(), True),
    ],
)
def test_which_ranges_overlap(one: Span, other: Span, *, overlap: bool) -> None:
    assert one.overlaps(other) is overlap
    assert other.overlaps(one) is overlap
