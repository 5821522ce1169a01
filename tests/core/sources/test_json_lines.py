"""Rows of a file of JSON lines."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Outcome, Prediction, Refused
from airflow_provider_kognic.core.sources.base import nothing_in
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.sources.support import open_, predictions, rewrite, row, store_in_memory
from tests.core.support import check_truth, content, settings_for, upload_all


def test_json_lines(emulator: Emulator, group: str, tmp_path: Path) -> None:
    """One row a line; blank lines are skipped, bad ones refused with their number, a byte order mark is none."""
    file = tmp_path / "predictions.jsonl"
    lines = [
        "\ufeff" + json.dumps(row(0)),
        "",
        json.dumps(row(1, other="columns may be there")),
        "{broken",
        json.dumps({"sceneUuid": demo.scene_uuid(2)}),
        json.dumps({**row(3), "sceneUuid": 7}),
        json.dumps({**row(4), "openlabelContent": {"frames": {}}}),
        json.dumps([1]),
        "   ",
        json.dumps(row(1)),
        json.dumps({**row(5), "sceneUuid": demo.scene_uuid(5).upper()}),
    ]
    file.write_text("\r\n".join(lines))
    run = upload_all(open_(file), settings_for(emulator), group)
    assert run.scenes(Outcome.CREATED) == {demo.scene_uuid(i) for i in (0, 1, 5)}
    refused = {result.source.rpartition(":")[2]: result.reason for result in run.results if result.reason}
    assert refused == {
        "4": "bad_row",
        "5": "bad_row",
        "6": "not_a_uuid",
        "7": "invalid",
        "8": "bad_row",
        "10": "duplicate_scene",
    }
    check_truth(run, emulator, group)


def test_a_file_without_rows_is_named(tmp_path: Path) -> None:
    """Where a folder would have no documents, it has no rows."""
    file = tmp_path / "day.jsonl"
    file.write_text("\n \n")
    source = open_(file)
    assert list(source) == []
    assert nothing_in(source) == f"The file {file} has no rows."


def test_a_pipe_is_said_to_be_one(tmp_path: Path) -> None:
    """In sentences, with what to do."""
    os.mkfifo(tmp_path / "day.jsonl")
    said = r"day\.jsonl cannot be read: it is a pipe \(FIFO\), and only regular files are read\. Write the"
    with pytest.raises(KognicInputError, match=said):
        open_(tmp_path / "day.jsonl")


def test_json_lines_keep_bytes(tmp_path: Path) -> None:
    """A document within a line is sent as the bytes it is there."""
    file = tmp_path / "predictions.ndjson"
    raw = b'{"openlabel" : { "a":1.50}}'
    file.write_bytes(b'{"sceneUuid":"%s", "openlabelContent":%s }\n' % (demo.scene_uuid(0).encode(), raw))
    (prediction,) = predictions(open_(file))
    assert prediction.read() == raw


@pytest.mark.parametrize("scheme", ["local", "memory"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_a_row_of_json_lines_can_be_read_again(tmp_path: Path, scheme: str) -> None:
    """The second time from the file, at its place there, whatever ends the lines."""
    file: Any = (store_in_memory(tmp_path) if scheme == "memory" else tmp_path) / "rows.jsonl"
    lines = [
        "\ufeff" + json.dumps(row(0)),
        "",
        "{broken",
        json.dumps(row(1), ensure_ascii=False),
        json.dumps(row(2)),
    ]
    rewrite(file, "\r\n".join(lines).encode())
    found = list(predictions(open_(file)))
    once = [prediction.read() for prediction in found]
    assert [json.loads(raw) for raw in once] == [content(0), content(1), content(2)]
    assert [prediction.read() for prediction in found] == once
    assert [prediction.read() for prediction in found] == once

    # Another row at the same place, the same row at another place, and no row at all.
    for changed in (row(7), None):
        lines[3] = "" if changed is None else json.dumps(changed)
        rewrite(file, "\r\n".join(lines).encode())
        assert found[0].read() == once[0]
        with pytest.raises(Refused, match=r"line 4 of .*rows\.jsonl") as caught:
            found[1].read()
        assert caught.value.reason == "unreadable"
    file.unlink()
    with pytest.raises(Refused, match="FileNotFoundError"):
        found[0].read()


def test_a_row_that_was_read_is_not_kept(tmp_path: Path) -> None:
    """A hundred predictions that were read are held in far less memory than their documents."""
    import tracemalloc

    file = tmp_path / "rows.jsonl"
    with file.open("w") as out:
        for i in range(100):
            out.write(json.dumps({**row(i), "openlabelContent": {"openlabel": {"x": "y" * 100_000}}}) + "\n")
    tracemalloc.start()
    kept = []
    for prediction in predictions(open_(file)):
        assert len(prediction.read()) > 100_000
        kept.append(prediction)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept) == 100
    assert held < 1_000_000


ONE, TWO = (demo.scene_uuid(number) for number in range(2))


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('{"sceneUuid": "%s", "sceneUuid": "%s", "openlabelContent": {}}', "sceneUuid"),
        ('{"sceneUuid": "%s", "openlabelContent": {}, "sceneUuid": "%s"}', "sceneUuid"),
        ('{"sceneUuid": "%s", "openlabelContent": {}, "scene\\u0055uid": "%s"}', "sceneUuid"),
        ('{"sceneUuid": "%s", "openlabelContent": {"a": "%s"}, "openlabelContent": {}}', "openlabelContent"),
        (
            '{"sceneUuid": "%s", "openlabelContent": {"a": "%s"}, "\\u006fpenlabelContent": {}}',
            "openlabelContent",
        ),
    ],
)
@pytest.mark.parametrize("long", [False, True])
def test_a_row_with_a_key_twice_is_refused(tmp_path: Path, line: str, key: str, long: bool) -> None:  # noqa: FBT001
    """Nobody knows which one was meant, however it is spelled, and however long the row is."""
    file = tmp_path / "rows.jsonl"
    text = line % (ONE, TWO)
    if long:
        text = text.replace("{}", json.dumps({"x": "y" * (2 << 20)}))
    file.write_text(text + "\n" + json.dumps(row(2)))
    first, second = open_(file)
    if isinstance(first, Prediction):
        assert long
        with pytest.raises(Refused, match=f"the key '{key}' stands in it more than once") as caught:
            first.read()
        assert caught.value.reason == "bad_row"
    else:
        assert first.reason == "bad_row"
        assert f"the key '{key}' stands in it more than once" in str(first.message)
    assert second.scene_uuid == demo.scene_uuid(2)


def test_other_keys_may_stand_there_twice(tmp_path: Path) -> None:
    """And the same ones inside of the document are its own."""
    file = tmp_path / "rows.jsonl"
    line = (
        '{"x": 1, "sceneUuid": "-", "x": 2, "openlabelContent": {"sceneUuid": "a", "openlabelContent": {}}}'
    )
    file.write_text(line.replace("-", ONE))
    (entry,) = predictions(open_(file))
    assert entry.read() == b'{"sceneUuid": "a", "openlabelContent": {}}'


LONG = {"openlabel": {"x": "y" * (3 << 20), "sceneUuid": TWO}}


@pytest.mark.parametrize("scheme", ["local", "memory"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"sceneUuid": ONE, "openlabelContent": LONG}),
        json.dumps({"openlabelContent": LONG, "sceneUuid": ONE}),
        json.dumps({"a": 1, "sceneUuid": ONE.upper(), "openlabelContent": LONG}),
        json.dumps({"openlabelContent": LONG, "sceneUuid": ONE, "z": [1]}),
    ],
)
def test_long_rows_are_not_kept_until_they_are_wanted(tmp_path: Path, scheme: str, text: str) -> None:
    """Wherever in it the scene is named; what they have is what a short one would have."""
    import tracemalloc

    file: Any = (store_in_memory(tmp_path) if scheme == "memory" else tmp_path) / "rows.jsonl"
    rewrite(file, "\n".join(["\ufeff" + text, json.dumps(row(5)), text.replace(ONE[:4], "0000")]).encode())
    tracemalloc.start()
    found = list(predictions(open_(file)))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 1 << 20
    assert found[0].scene_uuid == ONE
    assert [json.loads(one.read()) for one in (found[0], found[1], found[0])] == [LONG, content(5), LONG]
    told = found[0].size()
    assert told is not None
    assert len(found[0].read()) <= told <= len(found[0].read()) + 1000


@pytest.mark.parametrize(
    "text",
    ['{"sceneUuid": "%s", "openlabelContent": {"x": "%s"', '{"sceneUuid": "%s", "x": "%s"}', "[%r, %r]"],
)
def test_a_long_line_that_is_no_row_is_refused(tmp_path: Path, text: str) -> None:
    """As a short one is, at the latest when it is read."""
    file = tmp_path / "rows.jsonl"
    file.write_text(text % (ONE, "y" * (2 << 20)) + "\n" + json.dumps(row(2)))
    first, second = open_(file)
    if isinstance(first, Prediction):
        with pytest.raises(Refused) as caught:
            first.read()
        assert caught.value.reason == "bad_row"
    else:
        assert first.reason == "bad_row"
    assert second.scene_uuid == demo.scene_uuid(2)
