"""Run manifests: what may be in one, and how it stands in a group's description and is found there again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.identity.run_manifest import (
    MOST_BYTES,
    check_run_manifest,
    common,
    described,
    differing,
    head,
    head_of,
    is_head,
)

MANIFEST: dict[str, Any] = {
    "model": "detector",
    "version": 7,
    "thresholds": {"Car": 0.4},
    "note": "a\nb",
    "none": None,
}
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.from_regex(r"[a-z][a-z_ ]{0,8}[a-z]", fullmatch=True)


def test_it_stands_below_the_description_line_by_line() -> None:
    assert described("Nightly run.\n", MANIFEST) == (
        "Nightly run.\n\nRun manifest:\n  model: detector\n  version: 7\n"
        '  thresholds: {"Car": 0.4}\n  note: "a\\nb"\n  none: null'
    )
    assert described(None, {"a": 1}) == described("", {"a": 1}) == "Run manifest:\n  a: 1"
    assert described("as it was", None) == "as it was"


@settings(deadline=None)
@given(st.dictionaries(FIELDS, VALUES, max_size=5), st.text(max_size=20))
def test_a_description_has_the_manifest_that_was_written(manifest: dict[str, Any], text: str) -> None:
    checked = check_run_manifest(manifest) or {}
    written = described(text, checked)
    assert differing(checked, written) == ([] if checked else None)
    assert differing(checked, (written or "").replace("\n", "\r\n") + "\n") == ([] if checked else None)


def test_fields_that_differ_are_named_and_airflows_run_is_not_one() -> None:
    there = described("text", {**MANIFEST, "airflow": {"run_id": "a"}, "gone": 1})
    now = {**MANIFEST, "version": 8, "airflow": {"run_id": "b"}, "new": "x"}
    assert differing(now, there) == ["version", "new", "gone"]
    assert differing(now, "made by a person") is None
    assert differing(now, None) is None


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("model", "must be a dict"),
        (["model"], "must be a dict"),
        ({1: 2}, "a field 1"),
        ({"": 2}, "a field ''"),
        ({"a: b": 2}, "without a colon"),
        ({"a\nb": 2}, "on one line"),
        ({"x" * 65: 2}, "1 to 64 characters"),
        ({"a": float("nan")}, "nan at $.a"),
        ({"a": {"b": [1, float("inf")]}}, "inf at $.a.b[1]"),
        ({"a": 10**400}, "at $.a"),
        ({"a": {1: 2}}, "the key 1 at $.a"),
        ({"a": {"b": object}}, "a type: expected text"),
        ({"a": ["/data/\udcff.pt"]}, "'/data/\\udcff.pt' at $.a[0], which is no Unicode text"),
        ({"a": {"\ud800": 1}}, "at $.a, which is no Unicode text"),
        ({"a": b"x"}, "a bytes: expected text"),
        ({"a": [[[[[[1]]]]]]}, "nested more than 5 deep"),
        ({"a": "x" * MOST_BYTES, "b": 1}, "The largest field is 'a'"),
    ],
)
def test_what_json_does_not_hold_is_refused_with_its_place(value: Any, wrong: str) -> None:
    with pytest.raises(KognicInputError, match="run_manifest") as raised:
        check_run_manifest(value)
    assert wrong in str(raised.value)


def test_a_manifest_is_what_json_makes_of_it() -> None:
    given_ = {"a": (1, 2), "b": {"c": [True, None]}}
    assert check_run_manifest(given_) == json.loads(json.dumps(given_))
    assert check_run_manifest(None) is None


def test_the_head_of_receipts_is_told_from_rows() -> None:
    line = head(MANIFEST)
    assert is_head(line)
    assert is_head(line.decode())
    assert head_of(line) == MANIFEST
    assert head(None) == b""
    assert not is_head(b'{"scene_uuid": "x", "run_manifest": {}}')


def test_shards_agree_on_what_is_the_same_in_all() -> None:
    assert common([{"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}]) == {"a": 1}
    assert common([]) == {}
