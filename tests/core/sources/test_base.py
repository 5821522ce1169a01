"""What every source has in common."""

import pytest

from airflow_provider_kognic.core.errors import KognicInputError, KognicStoreError
from airflow_provider_kognic.core.models import Outcome, Prediction, Refused, Result
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.base import (
    Given,
    cannot_read_on,
    folded,
    prediction_of,
    refusal,
    scenes_of,
    unique,
)
from airflow_provider_kognic.core.sources.rows import RowsSource
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.emulator import demo

SCENE = demo.scene_uuid(0)


@pytest.mark.parametrize("text", [SCENE, SCENE.upper(), f" {SCENE}\n"])
def test_a_scene_is_named_by_its_uuid(text: str) -> None:
    """Of either case, with or without space around it."""
    entry = prediction_of(text, "here", lambda: b"x", "the name")
    assert isinstance(entry, Prediction)
    assert (entry.scene_uuid, entry.source, entry.read()) == (SCENE, "here", b"x")


@pytest.mark.parametrize(
    ("named", "shown"), [("scene-1", "scene-1"), (" x ", "x"), (7, ""), (None, ""), (SCENE[:-1], SCENE[:-1])]
)
def test_anything_else_names_none(named: object, shown: str) -> None:
    """The refusal says what it was, and of what."""
    entry = prediction_of(named, "here", lambda: b"", "the name")
    assert isinstance(entry, Result)
    assert (entry.scene_uuid, entry.source, entry.reason) == (shown, "here", "not_a_uuid")
    assert str(entry.message).startswith(f"the name is no scene uuid: {named!r}.")


def test_a_refusal_is_a_result() -> None:
    """With the reason and the message of why."""
    found = refusal(SCENE, "here", Refused(Reason.BAD_ROW, "a message."))
    assert (found.outcome, found.reason, found.message) == (Outcome.REFUSED, "bad_row", "a message.")


def test_of_several_entries_of_a_scene_the_first_counts() -> None:
    """The others are refused in their places; entries that name no scene are what they are."""
    source = RowsSource(
        [
            {"sceneUuid": text, "openlabelContent": {}}
            for text in (SCENE, "x", SCENE.upper(), demo.scene_uuid(1), "x", SCENE)
        ]
    )
    reasons = [entry.reason if isinstance(entry, Result) else None for entry in unique(source)]
    assert reasons == [None, "not_a_uuid", "duplicate_scene", None, "not_a_uuid", "duplicate_scene"]
    assert scenes_of(source) == [SCENE, demo.scene_uuid(1)]


@pytest.mark.parametrize(("value", "found"), [(" AbC\n", "abc"), (7, 7), (None, None)])
def test_text_is_compared_without_case_and_space(value: object, found: object) -> None:
    assert folded(value) == found


def test_an_error_of_a_store_while_a_source_is_read() -> None:
    """Its kind and what it said; what it means is the table's, and what we know ourselves is left as it is."""
    silent, denied = cannot_read_on(OSError("gone")), cannot_read_on(PermissionError("no"))
    assert type(silent) is KognicStoreError
    assert str(silent) == "the source cannot be read on: OSError: gone."
    assert type(denied) is KognicInputError
    assert str(denied) == (
        "the source cannot be read on: PermissionError: no. The store's Airflow connection, or this worker, must be"
        " allowed to list and read there."
    )


def test_rows_are_no_path() -> None:
    """Nothing is asked of them that only a path could answer."""
    given = Given([1, 2], 10, Patience(0))
    assert (given.rows, given.text, given.is_folder, given.is_file) == ([1, 2], "", False, False)
