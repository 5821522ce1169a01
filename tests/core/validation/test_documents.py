"""What is refused before it is sent: invalid documents, documents that are too large; and what is only said."""

import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.models import Outcome, Prediction
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.sources.rows import RowsSource
from airflow_provider_kognic.core.validation import documents as checks_module
from airflow_provider_kognic.core.validation.offline import open_paths
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.documents import boxes
from tests.core.support import Listed, MemoryLog, content, rows, settings_for, upload_all

ROOT = Path(__file__).parents[3]


def row(number: int, document: Any) -> dict[str, Any]:
    return {"sceneUuid": demo.scene_uuid(number), "openlabelContent": document}


def with_faults() -> dict[str, Any]:
    """A document with four faults of three rules."""
    document = boxes()
    frames = document["openlabel"]["frames"]
    frames["0"]["frame_properties"]["timestamp"] = -1
    for frame in frames.values():
        for data in frame["objects"].values():
            data["object_data"]["bbox"][0]["val"] = [1, 2, -3, 4]
    document["openlabel"]["streams"]["SONAR"] = {"type": "sonar"}
    return document


def test_invalid_documents_are_refused_and_never_sent_while_the_others_go(
    emulator: Emulator, group: str
) -> None:
    """The refusal says which rules are broken, where, and what to do."""
    source = RowsSource(
        [row(0, content()), row(1, with_faults()), row(2, content()), row(3, {"openlabel": {}})]
    )

    run = upload_all(source, settings_for(emulator), group)

    assert run.scenes(Outcome.CREATED) == {demo.scene_uuid(0), demo.scene_uuid(2)}
    assert emulator.stats()["prediction_posts"] == 2
    assert run.report.stopped is None
    assert run.report.reasons == {"invalid": 2}
    (refused,) = (one for one in run.results if one.scene_uuid == demo.scene_uuid(1))
    said = str(refused.message)
    # One place of each rule before a second of any.
    for named in ("timestamp_value at openlabel.frames.0", "bbox_size at openlabel.frames.", "found -3"):
        assert named in said
    assert "Write the size, not the second corner" in said
    assert "more error" in said
    assert len(said) < 1500
    assert (refused.attempts, refused.digest is not None) == (0, True)


def test_a_million_faults_are_said_shortly(emulator: Emulator, group: str) -> None:
    """A message is for people, however much is wrong."""
    document = content()
    objects = {str(number): {"object_data": {"poly2d": [1]}} for number in range(2, 30_000)}
    document["openlabel"]["frames"]["0"]["objects"] |= objects
    run = upload_all(RowsSource([row(0, document)]), settings_for(emulator), group)
    assert run.only().reason == "invalid"
    assert len(str(run.only().message)) < 1500


def test_what_shows_all_of_a_rows_faults_is_a_command_that_there_is(
    emulator: Emulator, group: str, tmp_path: Path
) -> None:
    """The command line takes a file of JSON lines, not one of its rows."""
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(row(0, with_faults())))
    run = upload_all(open_source(file, None, resolve=Path), settings_for(emulator), group)
    assert str(run.only().message).endswith(f"validate {file}")
    assert open_paths([str(file)])


def test_off_is_the_content_check_alone(emulator: Emulator, group: str) -> None:
    """Whatever Kognic thinks of a document, it is asked; what is no document is not sent."""
    emulator.set_faults(validate_openlabel=False)
    source = RowsSource([row(0, with_faults()), row(1, {"frames": {}})])

    run = upload_all(source, settings_for(emulator), group, validation="off")

    assert run.outcomes == {
        demo.scene_uuid(0): Outcome.CREATED,
        demo.scene_uuid(1): Outcome.REFUSED,
    }
    assert run.report.reasons == {"no_openlabel": 1}


def test_warnings_are_logged_within_bounds_and_refuse_nothing(
    emulator: Emulator, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The first documents are named, all are counted."""
    document = content()
    document["openlabel"]["frames"]["0"]["frame_properties"]["timestamp"] = 7
    source = RowsSource([row(number, document) for number in range(40)])
    caplog.set_level(logging.WARNING, "airflow_provider_kognic")

    run = upload_all(source, settings_for(emulator), group)

    assert run.counts() == (40, 0, 0, 0)
    said = [record.getMessage() for record in caplog.records if "single_frame" in record.getMessage()]
    assert len([one for one in said if one.startswith("warning: single_frame: at openlabel.frames")]) == 10
    assert said[-1].startswith("40 of the valid documents have warnings: single_frame (40)")


def test_what_is_created_already_is_not_checked_again(
    emulator: Emulator, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document that the journal knows with the same digest costs its digest; a newer one is checked."""
    log = MemoryLog()
    source = rows(3)
    upload_all(source, settings_for(emulator), group, journal=Journal(log))
    seen: list[str] = []
    checked = checks_module.Checks.examine

    def watched(self: Any, prediction: Prediction, document: bytes) -> None:
        seen.append(prediction.scene_uuid)
        checked(self, prediction, document)

    monkeypatch.setattr(checks_module.Checks, "examine", watched)
    again = RowsSource([*source.rows[:2], row(2, with_faults()), row(3, content())])
    run = upload_all(again, settings_for(emulator), group, journal=Journal(log.reopened()), on_changed="send")
    assert set(seen) == {demo.scene_uuid(2), demo.scene_uuid(3)}
    assert run.outcomes[demo.scene_uuid(2)] is Outcome.REFUSED
    assert run.scenes(Outcome.SKIPPED) == {demo.scene_uuid(0), demo.scene_uuid(1)}


def test_an_invalid_document_in_doubt_is_not_resent(emulator: Emulator, group: str) -> None:
    """`resend` sends again what may have been executed, but not what would be refused by now."""
    lines = MemoryLog()
    emulator.set_faults(rules=[{"kind": "drop_before"}])
    upload_all(rows(1), settings_for(emulator), group, journal=Journal(lines), on_ambiguous="fail")
    emulator.clear_faults()
    emulator.reset_stats()

    run = upload_all(
        RowsSource([row(0, with_faults())]),
        settings_for(emulator),
        group,
        journal=Journal(lines.reopened()),
        on_ambiguous="resend",
        on_changed="send",
    )

    assert run.only().outcome is Outcome.IN_DOUBT
    assert "It is not sent again, as it is not valid" in str(run.only().message)
    assert emulator.stats()["prediction_posts"] == 0


def test_uploading_does_not_wait_for_the_validation_of_all(emulator: Emulator, group: str) -> None:
    """The first prediction arrives while the source still has documents that nobody has read."""
    arrived = threading.Event()

    def last() -> bytes:
        assert arrived.wait(30), "nothing was sent before the last document was read"
        return json.dumps(content(99)).encode()

    def watch() -> None:
        while not emulator.count_predictions(group):
            time.sleep(0.01)
        arrived.set()

    entries = [
        Prediction(demo.scene_uuid(number), str(number), json.dumps(content(number)).encode)
        for number in range(5)
    ]
    source = Listed([*entries, Prediction(demo.scene_uuid(5), "the last", last)])
    run = upload_all(source, settings_for(emulator), group, alongside=watch)
    assert run.counts() == (6, 0, 0, 0)


# --- too large ---


@pytest.mark.parametrize("validation", ["strict", "off"])
@pytest.mark.parametrize("kind", ["folder", ".jsonl", "manifest", "receipts", "rows", "own"])
def test_documents_that_are_too_large_are_refused(
    emulator: Emulator, group: str, tmp_path: Path, kind: str, validation: str
) -> None:
    """From whatever source; the others go, and so does one of exactly the limit."""
    small = json.dumps(content(), separators=(",", ":")).encode()
    large = small + b" "
    most = len(small)
    documents = {demo.scene_uuid(0): small, demo.scene_uuid(1): large, demo.scene_uuid(2): small}
    if kind == "rows":
        more = content()
        more["openlabel"]["metadata"]["comment"] += "!"
        found: Any = [row(0, content()), row(1, more), row(2, content())]
        source: Any = open_source(found, None, resolve=Path, max_document_bytes=most)
    elif kind == "own":
        source = Listed([Prediction(scene, scene, lambda d=raw: d) for scene, raw in documents.items()])  # type: ignore[misc]
    else:
        for scene, raw in documents.items():
            (tmp_path / f"{scene}.json").write_bytes(raw)
        lines = tmp_path / "all.jsonl"
        lines.write_bytes(
            b"".join(
                b'{"sceneUuid": "%s", "openlabelContent": %s}\n'
                # Between the content and its end a space belongs to neither: it is put within.
                % (scene.encode(), raw if raw is small else small[:-1] + b" }")
                for scene, raw in documents.items()
            )
        )
        manifest = tmp_path / "manifest.csv"
        receipts = tmp_path / "receipts.jsonl"
        manifest.write_text("scene_uuid,path\n" + "".join(f"{scene},{scene}.json\n" for scene in documents))
        receipts.write_text(
            "".join(
                json.dumps({"scene_uuid": scene, "source": f"{lines}:{number}"}) + "\n"
                for number, scene in enumerate(documents, start=1)
            )
        )
        predictions = {"folder": tmp_path, ".jsonl": lines}.get(kind)
        given = {"manifest": manifest, "receipts": receipts}.get(kind)
        source = open_source(predictions, given, resolve=Path, max_document_bytes=most)

    run = upload_all(source, settings_for(emulator), group, max_document_bytes=most, validation=validation)

    assert run.report.reasons == {"too_large": 1}
    assert run.scenes(Outcome.CREATED) == {demo.scene_uuid(0), demo.scene_uuid(2)}
    assert run.scenes(Outcome.REFUSED) == {demo.scene_uuid(1)}
    assert f"{most:,}" in next(str(one.message) for one in run.results if one.reason == "too_large")


def test_an_unknown_validation_is_refused(emulator: Emulator, group: str) -> None:
    """A misspelt word must not switch the checks off."""
    with pytest.raises(KognicInputError, match="validation must be one of 'strict', 'off'"):
        upload_all(rows(1), settings_for(emulator), group, validation="lenient")
