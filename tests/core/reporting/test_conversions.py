"""What became of a model's rows, and when that is a failure."""

import logging
from collections import Counter
from pathlib import Path

import pytest

from airflow_provider_kognic.core.options import MaxFailures
from airflow_provider_kognic.core.reporting.conversions import Conversions
from airflow_provider_kognic.core.sources.converting.summary import Conversion
from airflow_provider_kognic.core.sources.filtering.documents import FilteredDocument, FilteredSource
from airflow_provider_kognic.core.sources.filtering.filters import Filters
from airflow_provider_kognic.core.sources.opening import open_source


def read(*reasons: str, rows: int = 100) -> Conversion:
    counts = Conversion(rows=rows)
    for number, reason in enumerate(reasons, 1):
        counts.refuse(reason, "/r.json", number, "a", "so it is")
    return counts


@pytest.mark.parametrize(
    ("allowed", "reasons", "too_many", "incomplete"),
    [
        (None, ["bad_size"] * 50, False, False),
        (None, ["truncated"], False, True),
        ("2%", ["bad_size"] * 2, False, False),
        ("2%", ["bad_size"] * 3, True, False),
        (3, ["no_scene"] * 3, False, False),
        (0, [], False, False),
        (0, ["no_scene"], True, False),
        ("50%", ["broken_file"], True, True),
    ],
)
def test_how_many_rows_may_be_refused(
    allowed: object, reasons: list[str], *, too_many: bool, incomplete: bool
) -> None:
    """A file that broke off is more than any number allows: nobody knows how many rows it had."""
    conversions = Conversions(None if allowed is None else MaxFailures.parse(allowed, "max_refused_rows"))
    conversions.add("/r.json", read(*reasons))
    assert (conversions.too_many() is not None, conversions.incomplete() is not None) == (
        too_many,
        incomplete,
    )


def test_examples_are_of_each_kind_before_a_second_of_any(caplog: pytest.LogCaptureFixture) -> None:
    conversions = Conversions()
    assert not conversions
    with caplog.at_level(logging.WARNING):
        conversions.add("s3://key:secret@b/r.json", read("bad_size", "bad_size", "bad_row", "no_scene"))
    assert [text.partition(":")[0] for text in conversions.to_dict()["examples"]] == [
        *("bad_row", "bad_size")
    ]
    assert "4 rows of s3://***@b/r.json are refused" in caplog.text


def test_the_page_has_a_table_for_each_input_and_what_was_left_out() -> None:
    conversions = Conversions()
    conversions.add("/r`1`.json", read("bad_size"))
    source = FilteredSource(open_source([], None, resolve=Path), Filters(classes_only=("Car",)))
    source.count(FilteredDocument(b"", Counter(classes_only=3), emptied=True, classes=frozenset({"Van"})))
    conversions.filters(source)
    page = "\n".join(conversions.page())
    assert "## What was read in `/r 1 .json`" in page
    assert "| refused: bad_size | 1 |" in page
    assert "- `bad_size: /r.json, row 1, key a: so it is`" in page
    assert "| classes_only | 3 |" in page
    assert "| documents of which nothing is left, sent without objects | 1 |" in page
