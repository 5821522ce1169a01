"""Receipts: one row for every prediction, complete or not there, and what failed can be tried again."""

import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from airflow_provider_kognic.core import files as stores
from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.models import Outcome, Prediction, Result
from airflow_provider_kognic.core.reporting.events import Settled, Throttled
from airflow_provider_kognic.core.reporting.receipts import Receipts
from airflow_provider_kognic.core.sources.base import unique
from airflow_provider_kognic.core.sources.manifest import Expected
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.emulator import demo
from tests.core.journal.folders import GROUP, HOST, object_store
from tests.core.support import content

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning"),
]

RESULTS = [
    Result(demo.scene_uuid(0), "/p/0.json", Outcome.CREATED, "u0", 200, attempts=2, digest="ab" * 32),
    Result(demo.scene_uuid(1), "/p/1.json", Outcome.SKIPPED, "u1", message="earlier", digest="ab" * 32),
    Result(demo.scene_uuid(2), "/p/2.json", Outcome.REFUSED, None, 422, "http_422", "nö", 1, "cd" * 32),
    Result(demo.scene_uuid(3), "/p/3.json", Outcome.IN_DOUBT, reason="no_answer", attempts=1),
    Result("", "/p/rows.jsonl:7", Outcome.REFUSED, reason="bad_row", message="line\nbreak"),
    Result(demo.scene_uuid(4), "/p/\udcff.json", Outcome.UNSENT, reason="run_ended"),
]


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return tmp_path / "r" if request.param == "local" else object_store("receipts") / tmp_path.name


def receipts(path: Any) -> Receipts:
    return Receipts(path, host=HOST, predictions_group_uuid=GROUP)


def write(path: Any, results: list[Result]) -> None:
    with receipts(path) as kept:
        for result in results:
            kept.notice(Settled(result))
        assert kept.write() == len(results)


def rows(path: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stores.read(path).splitlines()]


def test_a_row_for_each_result(folder: Any) -> None:
    """In their order, with everything that is known; and those that failed once more beside them."""
    write(folder / "r.jsonl", RESULTS)
    found = rows(folder / "r.jsonl")
    assert [row["source"] for row in found] == [result.source for result in RESULTS]
    assert found[0] == {
        "scene_uuid": demo.scene_uuid(0),
        "source": "/p/0.json",
        "digest": f"sha256:{'ab' * 32}",
        "outcome": "created",
        "prediction_uuid": "u0",
        "status": 200,
        "message": None,
        "attempts": 2,
        "predictions_group_uuid": GROUP,
        "host": HOST,
        "reason": None,
    }
    assert [row["outcome"] for row in found] == [
        *("created", "skipped", "refused", "in_doubt", "refused", "unsent")
    ]
    assert found[3]["digest"] is None
    assert rows(folder / "r.failed.jsonl") == found[2:]
    assert sorted(stores.names(folder)) == ["r.failed.jsonl", "r.jsonl"]


def test_only_what_is_settled_has_a_row(tmp_path: Path) -> None:
    """Receipts are told of all that happens."""
    with receipts(tmp_path / "r.jsonl") as kept:
        kept.notice(Throttled(3, 1.0, KognicError("slower")))
        kept.notice(Settled(RESULTS[0]))
        assert kept.write() == 1
    assert [row["source"] for row in rows(tmp_path / "r.jsonl")] == ["/p/0.json"]


def test_what_an_earlier_attempt_wrote_does_not_stay(folder: Any) -> None:
    """When nothing fails any more the file of what failed is there, and empty."""
    write(folder / "r.jsonl", RESULTS)
    write(folder / "r.jsonl", RESULTS[:1])
    assert len(rows(folder / "r.jsonl")) == 1
    assert stores.read(folder / "r.failed.jsonl") == b""
    source = open_source(None, folder / "r.failed.jsonl", resolve=Path)
    assert (source.total, list(source)) == (0, [])


def test_they_can_be_written_again(folder: Any) -> None:
    """With what came meanwhile."""
    with receipts(folder / "r.jsonl") as kept:
        kept.notice(Settled(RESULTS[0]))
        kept.write()
        kept.notice(Settled(RESULTS[2]))
        kept.write()
    assert len(rows(folder / "r.jsonl")) == 2
    assert len(rows(folder / "r.failed.jsonl")) == 1


def test_what_failed_is_a_manifest_of_exactly_that(tmp_path: Path) -> None:
    """Each failed prediction comes again, with the same scene, source and document; and nothing else."""
    (tmp_path / "files").mkdir()
    for number in range(4):
        (tmp_path / "files" / f"{demo.scene_uuid(number)}.json").write_text(json.dumps(content(number)))
    lines = [{"sceneUuid": demo.scene_uuid(n), "openlabelContent": content(n)} for n in range(10, 14)]
    text = [*map(json.dumps, lines), "{bad", json.dumps(lines[0])]
    (tmp_path / "rows.jsonl").write_text("\n".join(text))
    for predictions, failing in ((tmp_path / "files", {1, 3}), (tmp_path / "rows.jsonl", {10, 12, 13})):
        entries = list(unique(open_source(predictions, None, resolve=Path)))
        results, expected, lost = [], [], []
        for entry in entries:
            if isinstance(entry, Result):
                results.append(entry)
                lost.append((entry.source, entry.reason))
                continue
            fails = entry.scene_uuid in {demo.scene_uuid(number) for number in failing}
            outcome = Outcome.IN_DOUBT if fails else Outcome.CREATED
            results.append(Result(entry.scene_uuid, entry.source, outcome))
            if fails:
                expected.append((entry.scene_uuid, entry.source, entry.read()))
        write(tmp_path / "r" / "r.jsonl", results)
        failed = tmp_path / "r" / "r.failed.jsonl"
        again = list(open_source(None, failed, resolve=Path, expected=Expected(HOST, GROUP)))
        assert [(e.scene_uuid, e.source, e.read()) for e in again if isinstance(e, Prediction)] == expected
        # What could not be sent the first time cannot be now: a line without a scene, a scene's second row.
        refused = [e for e in again if isinstance(e, Result)]
        assert [e.source for e in refused] == [source for source, _ in lost]
        assert {e.reason for e in refused} <= {"not_a_uuid", "duplicate_scene"}
        with pytest.raises(KognicInputError, match="a receipt of predictions group"):
            open_source(None, failed, resolve=Path, expected=Expected(HOST, demo.scene_uuid(5)))


def test_rows_in_memory_say_that_they_are_gone(tmp_path: Path) -> None:
    row = {"sceneUuid": demo.scene_uuid(0), "openlabelContent": content(0)}
    (entry,) = open_source([row], None, resolve=Path)
    write(tmp_path / "r.jsonl", [Result(entry.scene_uuid, entry.source, Outcome.UNSENT)])
    (again,) = open_source(None, tmp_path / "r.failed.jsonl", resolve=Path)
    assert isinstance(again, Result)
    assert (again.scene_uuid, again.source, again.reason) == (
        demo.scene_uuid(0),
        "predictions[0]",
        "unreadable",
    )
    assert "was a row in memory" in str(again.message)


@pytest.mark.parametrize("name", ["r.json", "r", "r.jsonl.gz", "r.csv", ".jsonl"])
def test_another_ending(tmp_path: Path, name: str) -> None:
    """It is refused at once: a reader would take the file for something else."""
    with pytest.raises(KognicInputError, match=r"'receipts' must be the path of a file that ends in \.jsonl"):
        receipts(tmp_path / name)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """It is known before anything is sent, with the path."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "x.failed.jsonl").mkdir()
    for path in (tmp_path / "file" / "r.jsonl", tmp_path / "folder.jsonl", tmp_path / "x.jsonl"):
        with pytest.raises(KognicInputError, match=f"cannot be written to {path}.*Nothing"):
            receipts(path)


class Forbidden(MemoryFileSystem):  # type: ignore[misc]
    """A store that may be read only, from some moment on."""

    cachable = False
    forbids = True

    def _open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        if self.forbids and "r" not in mode:
            raise PermissionError("AccessDenied")
        return super()._open(path, mode, **more)


def test_a_store_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither from the beginning nor in the end."""
    path = object_store("forbidden", Forbidden) / "r.jsonl"
    with pytest.raises(KognicInputError, match=r"r\.jsonl: PermissionError: AccessDenied"):
        receipts(path)
    monkeypatch.setattr(Forbidden, "forbids", False)
    with receipts(path) as kept:
        monkeypatch.setattr(Forbidden, "forbids", True)
        with pytest.raises(KognicInputError, match=r"r\.jsonl: PermissionError: AccessDenied"):
            kept.write()


def test_a_check_leaves_nothing(folder: Any) -> None:
    """Nor does it touch what is there, or make the folder."""
    with receipts(folder / "deeper" / "r.jsonl"):
        pass
    assert stores.names(folder) == []
    write(folder / "r.jsonl", RESULTS)
    before = stores.read(folder / "r.jsonl")
    with receipts(folder / "r.jsonl"):
        pass
    assert sorted(stores.names(folder)) == ["r.failed.jsonl", "r.jsonl"]
    assert stores.read(folder / "r.jsonl") == before


def test_a_local_file_is_whole_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When writing breaks in the middle the one before is still there, and nothing beside it."""
    write(tmp_path / "r.jsonl", RESULTS[:1])
    before = (tmp_path / "r.jsonl").read_bytes()

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    with receipts(tmp_path / "r.jsonl") as kept:
        kept.notice(Settled(RESULTS[2]))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(KognicInputError, match="No space left"):
                kept.write()
    assert (tmp_path / "r.jsonl").read_bytes() == before
    assert sorted(stores.names(tmp_path)) == ["r.failed.jsonl", "r.jsonl"]


def test_memory_does_not_grow(tmp_path: Path) -> None:
    """Twenty thousand receipts, several MB of them, are kept in a file; which is gone in the end."""
    with receipts(tmp_path / "r.jsonl") as kept:
        kept.notice(Settled(RESULTS[2]))
        tracemalloc.start()
        for _ in range(20_000):
            kept.notice(Settled(RESULTS[2]))
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        kept.write()
    assert peak < 1_000_000, held
    assert (tmp_path / "r.jsonl").stat().st_size > 5_000_000
    with pytest.raises(ValueError, match="closed"):
        kept.notice(Settled(RESULTS[2]))
