"""Texts that people read: sentences end once, and a line begins with what matters."""

from __future__ import annotations

import pytest

from airflow_provider_kognic.core.texts import about_one, brief, sentence

SCENE = "5ce00000-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Service Unavailable", "Service Unavailable."),
        ("Slow down.", "Slow down."),
        ("Really?", "Really?"),
        ("cut off…", "cut off…"),
        ("(see the docs.)", "(see the docs.)"),
        ("no (GET https://h/x)", "no (GET https://h/x)."),
        ("the field 'a.'", "the field 'a.'"),
        ("half a thought, ", "half a thought."),
        ("two\n  lines", "two lines."),
        (ValueError("an error"), "an error."),
        ("invalid_client: ", "invalid_client."),
        ("half ;", "half."),
        ("half , ;:", "half."),
        ("日本語。", "日本語。"),
        ("本当\uff1f", "本当\uff1f"),
        ("待って\uff01", "待って\uff01"),
        ("「終わり。」", "「終わり。」"),
        ("", ""),
        (" ;", ""),
        (None, ""),
    ],
)
def test_what_others_say_ends_as_a_sentence(said: object, expected: str) -> None:
    """Once, however it ended; and on one line."""
    assert sentence(said) == expected


def test_a_line_begins_with_what_and_why() -> None:
    """Which one comes last, and a uuid that the source names is not said twice."""
    line = about_one("refused", "http_422", "no frame 17", scene_uuid=SCENE, source=f"s3://b/d/{SCENE}.json")
    assert line == f"refused: http_422: no frame 17. (scene {SCENE} in s3://b/d)"
    line = about_one("in_doubt", "http_503", "down.\nHard.", scene_uuid=SCENE, source="rows.jsonl:7")
    assert line == f"in_doubt: http_503: down. Hard. (scene {SCENE}, rows.jsonl:7)"
    line = about_one("refused", None, None, scene_uuid="", source="predictions[3]")
    assert line == "refused: (scene unknown, predictions[3])"


def test_a_source_names_its_scene_in_any_case() -> None:
    """Files may be named by a uuid in capitals."""
    source = f"/d/{SCENE.upper()}.json"
    assert about_one("refused", "invalid", "no", scene_uuid=SCENE, source=source).endswith(f"no. ({source})")


def test_a_message_may_be_cut() -> None:
    """Where another place has all of it."""
    line = about_one("refused", "invalid", "word " * 99, scene_uuid=SCENE, source="x", longest=12)
    assert line == f"refused: invalid: word word wo… (scene {SCENE}, x)"


@pytest.mark.parametrize("value", ["x", None, 7, ["a", "b"], {"a": 1}, "x" * 298])
def test_a_value_is_quoted_as_it_is_written(value: object) -> None:
    assert brief(value) == repr(value)


@pytest.mark.parametrize(
    "value",
    ["x" * 200_000, {str(number): "x" for number in range(9000)}, 10**4000, [SCENE] * 3000],
    ids=lambda value: type(value).__name__,
)
def test_of_a_long_value_the_beginning_is_quoted(value: object) -> None:
    """A template may render to the whole of what it was to take a part of."""
    written = repr(value)
    assert brief(value) == f"{written[:300]}… ({len(written):,} characters)"


def test_a_number_that_python_does_not_write_is_quoted() -> None:
    assert brief(10**6000) == "a number of thousands of digits"


def test_no_half_of_a_password_is_quoted() -> None:
    """What hides it is looked for in the whole value."""
    url = f"https://user:{'secret' * 60}@host/"
    assert "secret" not in brief(url)
