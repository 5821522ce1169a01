"""What reading a model's results may be told, and what is done with it."""

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.sources.formats.options import FormatOptions
from tests.core.sources.converting.support import (
    box,
    boxes,
    documents,
    one_scene_each,
    opened,
    scene,
    write_json,
)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"format": "nonsense"}, "predictions_format must be one of"),
        ({"format": "coco"}, "needs 'scenes'"),
        ({"scenes": Path("s"), "format": "openlabel"}, "'scenes' goes with the format of a model"),
        ({"classes": {"a": "b"}}, "'classes' goes with the format of a model"),
        (
            {"format": "coco", "scenes": Path("s"), "arguments": {"label_ids": "x"}},
            "'label_ids' does not go with",
        ),
        ({"unknown_class": "ignore"}, "unknown_class must be one of 'error', 'skip', 'keep'"),
        ({"confidence": "ignore"}, "confidence must be one of 'refuse', 'drop', 'clip'"),
        ({"empty_scenes": True}, "empty_scenes must be one of 'skip', 'send'"),
        ({"min_confidence": 2}, "min_confidence must be"),
        ({"min_confidence": {"Car": "high"}}, "min_confidence must be"),
        ({"max_per_frame": 0}, "max_per_frame must be"),
        ({"classes_only": "Car"}, "classes_only must be a list"),
        ({"format": "coco", "scenes": Path("s"), "classes": {"1": ""}}, "the class of '1' is no name"),
    ],
)
def test_what_does_not_go_is_said_at_once(given: dict[str, Any], says: str) -> None:
    with pytest.raises(KognicInputError, match=says):
        FormatOptions.of(**given)


def first(tmp_path: Path, rows: list[Any], **options: Any) -> tuple[list[Any], Any]:
    """The boxes of the first scene, and the counts."""
    source = opened(write_json(tmp_path / "r.json", rows), one_scene_each(tmp_path, ("a",)), **options)
    found = documents(source)
    return boxes(found[scene(0)]) if found else [], source.counts


def test_filters(tmp_path: Path) -> None:
    """By confidence, of all or by class; none counts as 1; then by class, and by number, the surest."""
    rows = [
        box("a", score=s, category=c) for s, c in ((0.2, 1), (0.6, 1), (0.6, 2), (None, 2), (0.9, 2), (1, 3))
    ]
    classes = {"1": "Car", "2": "Person", "3": "Sign"}
    found, counts = first(tmp_path, rows, classes=classes, min_confidence=0.6)
    assert len(found) == 5
    assert counts.skipped == {"min_confidence": 1}
    found, counts = first(tmp_path, rows, classes=classes, min_confidence={"Person": 0.7, "*": 0.1})
    assert [kind for kind, *_ in found] == ["Car", "Car", "Person", "Person", "Sign"]
    found, counts = first(tmp_path, rows, classes=classes, classes_only=["Car"])
    assert [kind for kind, *_ in found] == ["Car", "Car"]
    assert counts.skipped == {"classes_only": 4}
    found, counts = first(tmp_path, rows, classes=classes, max_per_frame=4)
    assert [one[2:] for one in found] == [(0.6,), (), (0.9,), (1.0,)]
    assert counts.skipped == {"max_per_frame": 2}
    assert counts.taken == 4


def test_unknown_classes(tmp_path: Path) -> None:
    rows = [box("a", category=1), box("a", category=2)]
    found, counts = first(tmp_path, rows, classes={"1": "Car"}, unknown_class="skip")
    assert (len(found), counts.skipped, counts.refused) == (1, {"unknown_class": 1}, {})
    found, counts = first(tmp_path, rows, classes={"1": "Car"}, unknown_class="keep")
    assert [kind for kind, *_ in found] == ["Car", "2"]
    found, counts = first(tmp_path, rows, classes={"1": "Car"})
    assert counts.refused == {"unknown_class": 1}


def test_confidences_out_of_range(tmp_path: Path) -> None:
    rows = [box("a", score=score) for score in (-2, 130.5, 0.5)]
    found, counts = first(tmp_path, rows, confidence="drop")
    assert [one[2:] for one in found] == [(), (), (0.5,)]
    assert counts.adjusted == {"confidence dropped": 2}
    found, counts = first(tmp_path, rows, confidence="clip")
    assert [one[2:] for one in found] == [(0.0,), (1.0,), (0.5,)]
    assert counts.adjusted == {"confidence clipped": 2}
    assert counts.is_clean


def test_empty_scenes(tmp_path: Path) -> None:
    """They are counted and named, and sent on request: that a model saw nothing is a result."""
    results, table = write_json(tmp_path / "r.json", [box("b")]), one_scene_each(tmp_path, ("a", "b"))
    source = opened(results, table)
    assert list(documents(source)) == [scene(1)]
    assert source.counts.empty_scenes == source.counts.unseen_keys == 1
    assert scene(0) in "\n".join(source.counts.lines())
    sent = documents(opened(results, table, empty_scenes="send"))
    assert sent[scene(0)]["frames"]["0"]["objects"] == {}
    assert sent[scene(0)]["streams"] == {"CAM": {"type": "camera"}}


def test_keys_without_a_scene_are_counted_and_named(tmp_path: Path) -> None:
    _, counts = first(tmp_path, [box("x"), box("x"), box("y"), box("a")])
    assert counts.refused == {"no_scene": 3}
    assert counts.keys_without_scene == 2
    assert [text.rpartition(": ")[0].rpartition("key ")[2] for text in counts.named["no_scene"]] == ["x", "y"]
