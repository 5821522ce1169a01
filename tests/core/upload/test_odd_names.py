"""Names of files that are no UTF-8: said in our words, and never an error of an encoding on the way out."""

import json
import logging
import os
from pathlib import Path

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.reporting.receipts import Receipts
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.sources.support import open_, write
from tests.core.support import content, settings_for, upload_all

# As Python has bytes of a name that are no UTF-8.
ODD = os.fsdecode(b"night\xff")


def test_files_and_folders_with_odd_names_are_refused_and_named(
    emulator: Emulator, group: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the log, the report and the receipts, which are a manifest all the same; the others arrive."""
    good = write(tmp_path / "a" / "fine", 3)
    for name in (f"a/fine/{ODD}.json", f"a/{ODD}/{demo.scene_uuid(7)}.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(content()))
    told = Receipts(tmp_path / "r.jsonl", host="h", predictions_group_uuid=group)
    with caplog.at_level(logging.INFO), told as receipts:
        run = upload_all(
            open_(tmp_path / "a" / "*" / "*.json"), settings_for(emulator), group, observers=[receipts]
        )
        receipts.write()
    assert run.scenes(Outcome.CREATED) == set(good)
    refused = {str(result.reason): result for result in run.results if result.outcome is Outcome.REFUSED}
    assert sorted(refused) == ["not_a_uuid", "unreadable"]
    assert "is not UTF-8" in str(refused["unreadable"].message)
    for result in refused.values():
        assert r"night\udcff" in result.source
        for text in (result.source, result.scene_uuid, str(result.message)):
            text.encode()
    caplog.text.encode()
    written = (tmp_path / "r.jsonl").read_text()
    assert written.count("night") >= 2
    again = upload_all(open_(manifest=tmp_path / "r.failed.jsonl"), settings_for(emulator), group)
    assert again.counts() == (0, 2, 0, 0)


@pytest.mark.parametrize("given", ["folder", "glob", "file", "lines", "manifest"])
def test_a_path_with_an_odd_name_is_an_error_of_ours(tmp_path: Path, given: str) -> None:
    """Before anything is sent: no receipt could name what is there."""
    folder = tmp_path / ODD
    (scene,) = write(folder, 1)
    (folder / "rows.jsonl").write_text("")
    (folder / "m.csv").write_text("scene_uuid,path\n")
    paths = {
        "folder": folder,
        "glob": folder / "*.json",
        "file": folder / f"{scene}.json",
        "lines": folder / "rows.jsonl",
        "manifest": folder / "m.csv",
    }
    with pytest.raises(KognicInputError, match=r"night\\udcff.* is not UTF-8 as a path") as caught:
        open_(**{"manifest" if given == "manifest" else "predictions": paths[given]})
    str(caught.value).encode()


def test_a_scene_in_memory_that_is_no_text_is_refused(emulator: Emulator, group: str) -> None:
    """Half of a pair of surrogates, as JSON can have it."""
    run = upload_all(
        open_([{"sceneUuid": "\udcff", "openlabelContent": content()}]), settings_for(emulator), group
    )
    (result,) = run.results
    assert (result.reason, result.scene_uuid) == ("not_a_uuid", r"\udcff")
