"""What holds for every source, in every store; a new format adds a line to CASES, and what writes it down."""

import csv
import io
import itertools
import json
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.models import Outcome, Prediction, Refused, Result, is_uuid
from airflow_provider_kognic.core.sources.base import Source, scenes_of, unique
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.sources.walk import walk
from tests.core.sources.support import rewrite, store_in_memory
from tests.core.support import content

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::PendingDeprecationWarning",
    "ignore::FutureWarning",
    "ignore::UserWarning",
)

MOST = 20_000


def scene(number: int) -> str:
    """Scenes whose names are in the order of their numbers, and have letters."""
    return f"{number}abcdef0-0000-4000-8000-000000000000"


def document(number: int) -> bytes:
    return json.dumps(content(number), separators=(",", ":")).encode()


LARGE = json.dumps({"openlabel": {"x": "y" * 4_000_000}}, separators=(",", ":")).encode()

# What is written down, in order: the text that names the scene, and its document; None for what cannot be read.
Entries = list[tuple[str, bytes | None]]
ENTRIES: Entries = [
    (scene(0).upper(), document(0)),
    (scene(0), document(9)),
    (scene(1), document(1)),
    ("2-is-no-uuid", document(2)),
    (scene(3), LARGE),
    (scene(4), document(4)),
    (scene(5), None),
    (scene(6), document(6)),
]
# What becomes of them: a document, or the reasons of which one is given.
EXPECTED: list[tuple[str, bytes | set[str]]] = [
    (scene(0), document(0)),
    (scene(0), {"duplicate_scene"}),
    (scene(1), document(1)),
    ("2-is-no-uuid", {"not_a_uuid"}),
    (scene(3), {"too_large"}),
    (scene(4), document(4)),
    (scene(5), {"unreadable", "bad_row"}),
    (scene(6), document(6)),
]


def write_folder(place: Any, entries: Entries) -> Any:
    for name, raw in entries:
        rewrite(place / f"{name}.json", raw or b"")
    return place


def forget(place: Any, entries: Entries) -> None:
    """Remove what cannot be read, once a listing has found it."""
    for name, raw in entries:
        if raw is None:
            (place / f"{name}.json").unlink()


def write_json_lines(place: Any, entries: Entries) -> Any:
    rows = (
        b"{broken" if raw is None else b'{"sceneUuid": "%s", "openlabelContent": %s}' % (name.encode(), raw)
        for name, raw in entries
    )
    rewrite(place / "rows.jsonl", b"\r\n\n".join(rows))
    return place / "rows.jsonl"


def make_rows(_: Any, entries: Entries) -> Any:
    return [
        "broken" if raw is None else {"sceneUuid": name, "openlabelContent": json.loads(raw)}
        for name, raw in entries
    ]


def write_files(place: Any, entries: Entries) -> list[tuple[str, str]]:
    """Documents in files whose names say nothing; returns scenes and relative paths."""
    table = []
    for number, (name, raw) in enumerate(entries):
        if raw is not None:
            rewrite(place / f"{number}.json", raw)
        table.append((name, f"{number}.json"))
    return table


def write_csv(place: Any, entries: Entries) -> Any:
    text = io.StringIO()
    csv.writer(text).writerows([("scene_uuid", "path"), *write_files(place, entries)])
    rewrite(place / "m.csv", text.getvalue().encode())
    return place / "m.csv"


def write_json_manifest(place: Any, entries: Entries) -> Any:
    rows = (json.dumps({"path": path, "scene_uuid": name}) for name, path in write_files(place, entries))
    rewrite(place / "m.jsonl", "\n".join(rows).encode())
    return place / "m.jsonl"


def write_receipts(place: Any, rows: list[tuple[str, str]], name: str = "r.failed.jsonl") -> Any:
    lines = [json.dumps({"scene_uuid": one, "source": source, "outcome": "refused"}) for one, source in rows]
    rewrite(place / name, "\n".join(lines).encode())
    return place / name


def write_receipts_of_files(place: Any, entries: Entries) -> Any:
    return write_receipts(place, [(name, f"{place}/{path}") for name, path in write_files(place, entries)])


def write_receipts_of_lines(place: Any, entries: Entries) -> Any:
    file = write_json_lines(place, entries)
    # Every other line is blank.
    return write_receipts(
        place,
        [
            (name, f"{file}:{number}")
            for number, (name, _) in zip(itertools.count(1, 2), entries, strict=False)
        ],
    )


@dataclass(frozen=True)
class Case:
    """A kind of source.

    Attributes:
        write: Writes entries down in a folder, and returns what a task is given.
        argument: As what.
        of: What is given for the written.
        counted: Whether the number of entries is known before the end.
        after: Called once the source is open.
        unread: Whether a document that is too large is never in memory.
        found: Whether documents can be found again.
        grow: Adds an entry to what is written down.
    """

    write: Callable[[Any, Entries], Any]
    argument: str = "predictions"
    of: Callable[[Any], Any] = lambda written: written
    counted: bool = True
    after: Callable[[Any, Entries], None] = lambda place, entries: None
    unread: bool = True
    found: bool = True
    grow: Callable[[Any], None] = lambda place: rewrite(place / f"{scene(8)}.json", document(8))


ROW_MORE = json.dumps({"scene_uuid": scene(8), "path": "0.json"}).encode()


def append_to(name: str, raw: bytes) -> Callable[[Any], None]:
    """What adds to a file at its end."""

    def grow(place: Any) -> None:
        with (place / name).open("ab") as file:
            file.write(raw)

    return grow


CASES = {
    "folder": Case(write_folder, after=forget),
    "glob": Case(write_folder, of=lambda folder: folder / "*.json", after=forget),
    "JSON lines": Case(
        write_json_lines,
        counted=False,
        grow=append_to("rows.jsonl", b'\n{"sceneUuid": "%s", "openlabelContent": {}}' % scene(8).encode()),
    ),
    "rows": Case(make_rows, unread=False, found=False),
    "CSV": Case(write_csv, argument="manifest", grow=append_to("m.csv", f"{scene(8)},0.json\n".encode())),
    "JSON manifest": Case(
        write_json_manifest, argument="manifest", grow=append_to("m.jsonl", b"\n%s" % ROW_MORE)
    ),
    "receipts of files": Case(
        write_receipts_of_files, argument="manifest", grow=append_to("r.failed.jsonl", b"\n%s" % ROW_MORE)
    ),
    "receipts of JSON lines": Case(
        write_receipts_of_lines, argument="manifest", grow=append_to("r.failed.jsonl", b"\n%s" % ROW_MORE)
    ),
}


class Opened:
    """A case, written down in a store."""

    def __init__(self, case: Case, place: Any, resolve: Callable[[str], Any]) -> None:
        self.case, self.place, self.resolve = case, place, resolve

    def open(self, entries: Entries | None = None) -> Source:
        wanted = ENTRIES if entries is None else entries
        given = {self.case.argument: self.case.of(self.case.write(self.place, wanted))}
        source = self.open_source(given.get("predictions"), given.get("manifest"))
        self.case.after(self.place, wanted)
        return source

    def open_source(self, predictions: Any = None, manifest: Any = None) -> Source:
        return open_source(predictions, manifest, resolve=self.resolve, max_document_bytes=MOST)


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, Callable[[str], Any]]:
    """A folder of a store, and what makes paths of text there."""
    if request.param == "local":
        (tmp_path / "here").mkdir()
        return tmp_path / "here", Path
    place = store_in_memory(tmp_path)
    place.mkdir(parents=True, exist_ok=True)
    return place, type(place)


@pytest.fixture(params=list(CASES))
def opened(request: pytest.FixtureRequest, store: tuple[Any, Callable[[str], Any]]) -> Opened:
    return Opened(CASES[request.param], *store)


def read(entry: Prediction | Result) -> bytes | str | None:
    """The document, or the reason why there is none."""
    if isinstance(entry, Result):
        assert entry.outcome is Outcome.REFUSED
        assert entry.message
        return entry.reason
    try:
        return entry.read()
    except Refused as why:
        return why.reason


def check(found: list[tuple[str, bytes | str | None]]) -> None:
    """Check scenes and documents; a broken row names no scene."""
    for (scene_uuid, document_), (name, expected) in zip(found, EXPECTED, strict=True):
        if isinstance(expected, bytes):
            assert document_ == expected
        else:
            assert document_ in expected
        assert scene_uuid == name or (not scene_uuid and document_ == "bad_row")


def test_every_entry_is_a_prediction_or_says_why_not(opened: Opened) -> None:
    """In the order in which they are written; what is wrong with one does not end the source."""
    check([(entry.scene_uuid, read(entry)) for entry in unique(opened.open())])


def test_a_source_can_be_gone_through_again(opened: Opened) -> None:
    """Each pass yields the same."""
    source = opened.open()
    first, second = ([(e.scene_uuid, e.source, read(e)) for e in source] for _ in range(2))
    assert first == second
    assert len(first) == len(ENTRIES)


def test_what_comes_between_two_passes_is_left_out(opened: Opened) -> None:
    """The second one is of what the first one was of."""
    if opened.case.argument == "predictions" and not opened.case.found:
        pytest.skip("rows in memory are a list of the task's own")
    source = opened.open()
    first = list(source)
    opened.case.grow(opened.place)
    assert [(e.scene_uuid, e.source) for e in source] == [(e.scene_uuid, e.source) for e in first]
    assert len(first) == len(ENTRIES)
    assert scene(8) not in scenes_of(source)


def test_its_scenes_are_lower_case_uuids_each_once(opened: Opened) -> None:
    """Whatever letters they are written in."""
    found = scenes_of(opened.open())
    assert all(is_uuid(one) and one == one.lower() for one in found)
    assert len(set(found)) == len(found)
    assert set(found) >= {scene(number) for number in (0, 1, 4, 6)}


def test_its_total_is_the_number_of_its_entries(opened: Opened) -> None:
    """Or it is not known."""
    source = opened.open()
    assert source.total == (len(list(source)) if opened.case.counted else None)


def test_every_entry_has_a_source_of_its_own(opened: Opened) -> None:
    """Text that tells it from all others."""
    found = [entry.source for entry in opened.open()]
    assert all(found)
    assert len(set(found)) == len(found)


def test_a_document_can_be_read_again(opened: Opened) -> None:
    """Also long after the source has gone on."""
    kept = [entry for entry in opened.open() if isinstance(entry, Prediction)]
    once, again = ([read(entry) for entry in kept] for _ in range(2))
    assert once == again
    assert document(6) in once


def test_a_document_that_is_too_large_is_refused_unread(opened: Opened) -> None:
    """It is never in memory; nor is it where it is refused again."""
    if not opened.case.unread:
        pytest.skip("it is in memory already")
    source = opened.open()
    list(map(read, source))  # what is imported and kept once
    tracemalloc.start()
    try:
        found = {entry.scene_uuid: (read(entry), read(entry)) for entry in unique(source)}
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found[scene(3)] == ("too_large", "too_large")
    assert most < len(LARGE) / 4


def test_documents_that_were_read_are_not_kept(opened: Opened) -> None:
    """A source may be larger than the memory, whoever keeps its predictions."""
    size = 15_000
    raw = json.dumps({"openlabel": {"x": "y" * size}}, separators=(",", ":")).encode()
    uuids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(100)]
    source = opened.open([(one, raw) for one in uuids])
    assert len(list(map(read, source))) == len(uuids)
    tracemalloc.start()
    try:
        kept = []
        for entry in source:
            assert len(read(entry) or "") > size
            kept.append(entry)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(kept) == len(uuids)
    assert held < len(uuids) * size / 4


def test_an_entry_is_found_again_by_its_source(opened: Opened) -> None:
    """As receipts name it, in a manifest of them; and again from the receipts of that."""
    source = opened.open()
    for name_ in ("first.jsonl", "second.jsonl"):
        before = [(entry.scene_uuid, entry.source, read(entry)) for entry in unique(source)]
        receipts = write_receipts(opened.place, [(name, where) for name, where, _ in before], name_)
        source = opened.open_source(manifest=receipts)
        assert source.total == len(before)
        after = [(entry.scene_uuid, entry.source, read(entry)) for entry in unique(source)]
        assert [where for _, where, _ in after] == [where for _, where, _ in before]
        for (name, _, found), (_, _, was) in zip(after, before, strict=True):
            if not opened.case.found:
                assert found == "unreadable"
            elif isinstance(was, bytes):
                assert (name, found) == (name.lower(), was)
            else:
                assert isinstance(found, str)  # refused again


def test_rows_in_memory_say_that_they_cannot_be_found_again(store: tuple[Any, Callable[[str], Any]]) -> None:
    """And what to do instead."""
    opened = Opened(CASES["rows"], *store)
    receipts = write_receipts(opened.place, [(scene(0), "predictions[3]")])
    (entry,) = opened.open_source(manifest=receipts)
    assert isinstance(entry, Result)
    assert entry.source == "predictions[3]"
    assert "was a row in memory" in str(entry.message)


@pytest.mark.parametrize("readers", [1, 4])
def test_several_readers_find_the_same(opened: Opened, readers: int) -> None:
    """In the same order as one."""
    check(list(walk(opened.open(), lambda entry: (entry.scene_uuid, read(entry)), readers=readers)))


def test_nothing_is_an_empty_source(opened: Opened) -> None:
    """Whether that is an error is not the source's to say."""
    source = opened.open([])
    assert list(source) == []
    assert source.total == (0 if opened.case.counted else None)
