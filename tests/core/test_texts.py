"""Texts that people read: sentences end once, and a line begins with what matters."""

from __future__ import annotations

import pytest

from airflow_provider_kognic.core.errors import KognicServerError
from airflow_provider_kognic.core.texts import about_one, brief, counted, many, printable, sentence, shortened

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
        ("a \x1b[31mred\x07 one", r"a \x1b[31mred\x07 one."),
        ("turned \u202e round \x9b", r"turned \u202e round \x9b."),
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


def test_control_characters_are_shown_and_not_obeyed() -> None:
    """A terminal that shows a log would do what they say."""
    line = about_one("refused", "inv\x1b[0malid", "no\x08", scene_uuid=SCENE, source="a\x1b]0;x\x07/b.json")
    assert line == rf"refused: inv\x1b[0malid: no\x08. (scene {SCENE}, a\x1b]0;x\x07/b.json)"
    assert printable("two\nlines\tand 日本語") == "two\nlines\tand 日本語"
    error = KognicServerError("down\x1b[2J", status=503, method="POST", url="https://h/x")
    assert str(error) == r"HTTP 503: down\x1b[2J (POST https://h/x)"
    assert error.with_message(error.message).message == error.message


def test_reasons_are_counted_in_a_line_of_some_length() -> None:
    reasons = {"r" * 5000: 1200, **{f"http_{status}": 1 for status in range(500, 505)}}
    line = counted(reasons)
    assert line.startswith(f"{'r' * 60}… (1,200), http_500 (1), ")
    assert line.endswith("http_503 (1), …")
    assert counted({"invalid": 2}) == "invalid (2)."


def test_the_end_of_a_text_may_stay_where_it_is_cut() -> None:
    assert shortened("What happened, at length. What to do.", 25, ending=11) == "What happened… What to do."
    assert shortened("short", 5, ending=2) == "short"


def test_one_thing_is_not_called_several() -> None:
    assert [many(number, "prediction") for number in (0, 1, 2_000)] == [
        "0 predictions",
        "1 prediction",
        "2,000 predictions",
    ]
    assert many(1, "retry", "retries") == "1 retry"
    assert many(2, "prediction stays", "predictions stay") == "2 predictions stay"
