"""Texts that people read: sentences end once, and a line begins with what matters."""

from __future__ import annotations

import pytest

from airflow_provider_kognic.core.texts import about_one, sentence

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
