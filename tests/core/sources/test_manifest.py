"""Manifests and receipts: which rows there are, whose they are, and where their documents are found."""

import json
import re
from pathlib import Path

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Outcome, Prediction, Refused, Result
from airflow_provider_kognic.core.sources.base import nothing_in, unique
from airflow_provider_kognic.core.sources.manifest import Expected
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.sources.support import open_, predictions, receipt, rewrite, row, write
from tests.core.support import content, settings_for, upload_all

CSV = "scene_uuid,path\n{0},a/{0}.json\n{1},{folder}/a/{1}.json\n{2},a/gone.json\n"


@pytest.mark.parametrize(
    "text",
    [
        CSV,
        "\ufeff" + CSV,
        CSV.replace("\n", "\r\n"),
        CSV.replace("\n", "\n\n"),
        'path,other,"scene_uuid"\na/{0}.json,1,{0}\n"{folder}/a/{1}.json","x, y",{1}\na/gone.json,,{2}\n',
        (
            '{{"scene_uuid": "{0}", "path": "a/{0}.json", "more": 1}}\n\n'
            '{{"scene_uuid": "{1}", "path": "{folder}/a/{1}.json"}}\n{{"scene_uuid":"{2}","path":"a/gone.json"}}'
        ),
        (
            '\ufeff\n{{"path": "a/{0}.json", "scene_uuid": "{0}"}}\n'
            '{{"scene_uuid": "{1}", "path": " a/{1}.json "}}\n'
            '{{"scene_uuid": "{2}", "path": "a/gone.json"}}'
        ),
    ],
    ids=[
        "plain",
        "byte order mark",
        "CRLF",
        "blank lines",
        "quotes and columns",
        "JSON lines",
        "JSON, blank first",
    ],
)
def test_manifests(emulator: Emulator, group: str, tmp_path: Path, text: str) -> None:
    """CSV or JSON lines, paths relative to the manifest or absolute; a missing file is refused."""
    write(tmp_path / "a", 3)
    (tmp_path / "a" / f"{demo.scene_uuid(2)}.json").unlink()
    scenes = [demo.scene_uuid(i) for i in range(3)]
    manifest = tmp_path / "manifest.csv"
    manifest.write_bytes(text.format(*scenes, folder=tmp_path).encode())
    source = open_(None, manifest)
    assert source.total == 3
    run = upload_all(source, settings_for(emulator), group)
    assert run.scenes(Outcome.CREATED) == set(scenes[:2])
    (missing,) = run.report.first
    assert (missing.scene_uuid, missing.reason) == (scenes[2], "unreadable")
    assert "gone.json" in missing.source


def test_bad_rows_of_a_manifest(tmp_path: Path) -> None:
    """Rows without path or with a bad uuid are refused with their line; duplicates after the first too."""
    scene = demo.scene_uuid(0)
    manifest = tmp_path / "m.csv"
    manifest.write_text(f"scene_uuid,path\n{scene}\nnobody,x.json\n{scene},x.json\n{scene},y.json\n,z.json\n")
    found = [entry for entry in unique(open_(None, manifest)) if isinstance(entry, Result)]
    assert [entry.reason for entry in found] == ["bad_row", "not_a_uuid", "duplicate_scene", "not_a_uuid"]
    assert found[0].source.endswith("m.csv:2")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "no column 'scene_uuid' and 'path'; it has none"),
        (b"scene,path\na,b\n", "no column 'scene_uuid'; it has 'scene', 'path'"),
        (b"scene_uuid;path\na;b\n", "it has 'scene_uuid;path'"),
        (b'{"scene_uuid": "a"}\n', "no column 'path'"),
        (b"scene_uuid,path\n\xff\xfe,b\n", "neither CSV nor JSON lines"),
        (b'\x89PNG\x0d\x0a"', "neither|no column"),
    ],
)
def test_a_manifest_that_is_none(tmp_path: Path, raw: bytes, said: str) -> None:
    """Said before anything is sent, with the columns that are there."""
    manifest = tmp_path / "m.csv"
    manifest.write_bytes(raw)
    with pytest.raises(KognicInputError, match=said):
        open_(None, manifest)
    with pytest.raises(KognicInputError, match="cannot be read"):
        open_(None, tmp_path / "gone.csv")


@pytest.mark.parametrize("character", ["\0", "\ud800"])
def test_a_row_whose_path_no_file_can_have(
    emulator: Emulator, group: str, tmp_path: Path, character: str
) -> None:
    """It is refused, and the others are read."""
    good, bad = write(tmp_path, 1)[0], demo.scene_uuid(1)
    manifest = tmp_path / "m.jsonl"
    rows = [(bad, f"a{character}b.json"), (good, f"{good}.json")]
    manifest.write_text("".join(json.dumps({"scene_uuid": s, "path": path}) + "\n" for s, path in rows))
    run = upload_all(open_(None, manifest), settings_for(emulator), group)
    assert run.scenes(Outcome.CREATED) == {good}
    assert [(one.scene_uuid, one.reason) for one in run.report.first] == [(bad, "unreadable")]


def test_a_manifest_row_of_an_unknown_scheme_is_refused_and_the_next_one_read(tmp_path: Path) -> None:
    """One row that no path can be made of does not end the source."""

    def resolve(text: str) -> Path:
        raise ValueError(f"no filesystem for {text}")

    good = "0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a01"
    (tmp_path / "good.json").write_text('{"openlabel": {}}', encoding="utf-8")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        f"scene_uuid,path\n0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a02,odd://x/y.json\n{good},good.json\n",
        encoding="utf-8",
    )
    first, second = open_source(None, manifest, resolve=resolve)
    assert isinstance(first, Result)
    assert (first.reason, first.source) == ("unreadable", f"{manifest}:2")
    assert "odd://x/y.json" in str(first.message)
    assert isinstance(second, Prediction)
    assert second.scene_uuid == good


def test_a_manifest_may_begin_with_blank_lines(tmp_path: Path) -> None:
    """They are neither header nor row, and the line numbers stay right."""
    scene = "0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a01"
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(f"\n\nscene_uuid,path\n{scene},a.json\nno-uuid,b.json\n", encoding="utf-8")
    source = open_(manifest=manifest)
    first, second = source
    assert (first.scene_uuid, source.total) == (scene, 2)
    assert isinstance(second, Result)
    assert f"{manifest}:5" in str(second.message)


def test_receipts_are_a_manifest(tmp_path: Path) -> None:
    """Their rows name documents by `source`: a file, or a line of a file of JSON lines."""
    write(tmp_path / "a", 2)
    rewrite(tmp_path / "rows.jsonl", "\n".join(["", json.dumps(row(2)), "{", json.dumps(row(3))]).encode())
    elsewhere = tmp_path / "receipts" / "r.failed.jsonl"
    elsewhere.parent.mkdir()
    sources = [
        f"{tmp_path}/a/{demo.scene_uuid(0)}.json",
        f"{tmp_path}/rows.jsonl:4",
        f"{tmp_path}/rows.jsonl:2",
        f"{tmp_path}/a/{demo.scene_uuid(1)}.json",
    ]
    scenes = [0, 3, 2, 1]
    elsewhere.write_text("\n".join(map(receipt, scenes, sources)))
    source = open_(manifest=elsewhere)
    assert source.total == 4
    found = list(predictions(source))
    assert [prediction.scene_uuid for prediction in found] == [demo.scene_uuid(i) for i in scenes]
    assert [prediction.source for prediction in found] == sources
    for _ in range(2):
        assert [json.loads(prediction.read()) for prediction in found] == [content(i) for i in scenes]


def test_receipts_whose_documents_are_gone_are_refused_one_by_one(tmp_path: Path) -> None:
    """Each says why; none of them ever becomes the document of another scene, or a second one of its own."""
    file = tmp_path / "rows.jsonl"
    rewrite(file, b"\n".join([json.dumps(row(9)).encode(), b"{", b'{"scene_uuid": "a", "path": "b"}']))
    rows_ = [
        (receipt(0, "predictions[3]"), "unreadable", "row in memory.*as a .jsonl file"),
        (receipt(1, f"{file}:1"), "unreadable", "is of scene .*the file was changed"),
        (receipt(2, f"{file}:2"), "unreadable", "not a row"),
        (receipt(3, f"{file}:3"), "unreadable", "not a row"),
        (receipt(4, f"{file}:4"), "unreadable", "has 3 lines, and no line 4"),
        (receipt(5, f"{tmp_path}/gone.jsonl:1"), "unreadable", "FileNotFoundError"),
        (receipt(6, f"{tmp_path}/gone.json"), "unreadable", "FileNotFoundError"),
        (receipt(7, f"{file}:1", reason="duplicate_scene"), "duplicate_scene", "the first one counts"),
        (receipt(8, None), "bad_row", "without"),
        (receipt(9, f"{file}:{'9' * 5000}"), "unreadable", "OSError"),
    ]
    manifest = tmp_path / "r.failed.jsonl"
    manifest.write_text("\n".join(line for line, _, _ in rows_))
    entries = list(open_(manifest=manifest))
    for number, (entry, (_, reason, said)) in enumerate(zip(entries, rows_, strict=True)):
        assert entry.scene_uuid == demo.scene_uuid(number)
        if isinstance(entry, Prediction):
            with pytest.raises(Refused, match=said) as caught:
                entry.read()
            assert caught.value.reason == reason
        else:
            assert entry.reason == reason
            assert re.search(said, str(entry.message))
    assert entries[0].source == "predictions[3]"


def test_receipts_in_which_nothing_failed_are_an_empty_source(tmp_path: Path) -> None:
    """An empty file of JSON lines has no rows; an empty CSV has no header, which is an error."""
    (tmp_path / "r.failed.jsonl").write_text("\n")
    source = open_(manifest=tmp_path / "r.failed.jsonl")
    assert (source.total, list(source)) == (0, [])
    assert nothing_in(source) == f"The manifest {tmp_path / 'r.failed.jsonl'} has no rows."


GROUP, HOST = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10", "dataset.app.kognic.com"


@pytest.mark.parametrize(
    ("name", "found", "said"),
    [
        ("predictions_group_uuid", demo.scene_uuid(0), "a receipt of predictions group"),
        ("host", "elsewhere.example", "a receipt of host"),
    ],
)
def test_receipts_of_another_upload(tmp_path: Path, name: str, found: str, said: str) -> None:
    """They are an error before anything is sent, which names file, line, and both."""
    own = {"predictions_group_uuid": GROUP.upper(), "host": f" {HOST.upper()}.:0443"}
    manifest = tmp_path / "r.failed.jsonl"
    manifest.write_text(
        "\n".join([receipt(0, "x.json", **own), "", receipt(1, "y.json", **(own | {name: found}))])
    )
    own_place = Expected(HOST, GROUP)
    with pytest.raises(KognicInputError, match=said) as caught:
        open_source(None, manifest, resolve=Path, expected=own_place)
    wanted = getattr(own_place, name)
    assert all(part in str(caught.value) for part in (f"{manifest}:3", repr(found), repr(wanted)))
    manifest.write_text(receipt(0, "x.json", **own) + "\n" + receipt(1, "y.json", host="a machine"))
    assert open_source(None, manifest, resolve=Path, expected=own_place).total == 2


QUOTES = {
    "at the end": 'scene_uuid,path\n{0},"a.json\n{1},b.json\n',
    "closed by a later one": 'scene_uuid,path\n{0},"a.json\n{1},b.json\n{2},"c.json"\n',
    "closed at a later line's end": 'scene_uuid,path\n{0},"a.json\n{1},b.json\n{2},c.json"\n',
    "in the first column": 'scene_uuid,path\n"{0},a.json\n{1}",b.json\n',
    "CR": 'scene_uuid,path\r{0},"a.json\r{1},b.json"\r',
    "in another column": 'scene_uuid,path,note\n{0},a.json,"oops\n{1},b.json,fine\n{2},c.json,fine"\n',
    "in another column, no scene": 'scene_uuid,path,note\n{0},a.json,"oops\nx,b.json,fine"\n',
    "in a first column of another name": 'note,scene_uuid,path\n"oops,{0},a.json\nbad",{1},b.json\n',
    "in the header": 'scene_uuid,path,"note\n{0},a.json,x\n',
}


@pytest.mark.parametrize("case", QUOTES)
def test_a_quote_that_is_not_closed_is_an_error_of_the_whole_manifest(tmp_path: Path, case: str) -> None:
    """Found before anything is sent: it has swallowed rows that nobody would miss."""
    manifest = tmp_path / "m.csv"
    manifest.write_text(QUOTES[case].format(*map(demo.scene_uuid, range(3))), newline="")
    with pytest.raises(KognicInputError, match=r"m\.csv.*(a quote is opened|a quote not closed)"):
        open_(None, manifest)


def test_quotes_that_are_closed(tmp_path: Path) -> None:
    """Commas, quotes, and in other columns line breaks, too."""
    manifest = tmp_path / "m.csv"
    scenes = [demo.scene_uuid(i) for i in range(2)]
    manifest.write_text(
        f'scene_uuid,path,note\n{scenes[0]},"a, ""b"".json","two\nlines"\n"{scenes[1]}",c.json,a 5" disc\n'
    )
    source = open_(None, manifest)
    assert [(entry.scene_uuid, Path(entry.source).name) for entry in source] == [
        (scenes[0], 'a, "b".json'),
        (scenes[1], "c.json"),
    ]


def test_a_row_with_more_fields_than_columns_is_refused(tmp_path: Path) -> None:
    """Its path may have a comma, and half of it is another path; an empty field at the end is nothing."""
    manifest = tmp_path / "m.csv"
    scene = demo.scene_uuid(0)
    manifest.write_text(f"scene_uuid,path\n{demo.scene_uuid(1)},a,b.json\n{scene},c.json,\n")
    first, second = open_(None, manifest)
    assert isinstance(first, Result)
    assert (first.reason, first.source) == ("bad_row", f"{manifest}:2")
    assert "3 fields" in str(first.message)
    assert second.scene_uuid == scene


@pytest.mark.parametrize(
    "text", ["scene_uuid,path,path\na,b,c\n", "scene_uuid,path,source,scene_uuid\na,b,c,d\n"]
)
def test_a_column_that_stands_there_twice(tmp_path: Path, text: str) -> None:
    """Which one counts, nobody knows."""
    manifest = tmp_path / "m.csv"
    manifest.write_text(text)
    with pytest.raises(KognicInputError, match=r"the column '(path|scene_uuid)' more than once"):
        open_(None, manifest)


@pytest.mark.parametrize("first", [True, False])
def test_a_key_that_stands_twice_in_a_row(tmp_path: Path, first: bool) -> None:  # noqa: FBT001
    """Is that row's fault, however it is spelled."""
    good = json.dumps({"scene_uuid": demo.scene_uuid(0), "path": "a.json"})
    bad = '{"path": "a", "scene_uuid": "%s", "p\\u0061th": "b"}' % demo.scene_uuid(1)  # noqa: UP031
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("\n".join([bad, good] if first else [good, bad]))
    found = [entry.reason if isinstance(entry, Result) else None for entry in open_(None, manifest)]
    assert found == (["bad_row", None] if first else [None, "bad_row"])


def test_a_line_that_is_longer_than_any_row(tmp_path: Path) -> None:
    """Nobody reads all of it to find that out."""
    manifest = tmp_path / "m.jsonl"
    with manifest.open("wb") as file:
        file.write(b'{"scene_uuid": "a", "path": "b"}\n{')
        file.truncate(4 << 30)  # a hole: it takes no disk
    with pytest.raises(KognicInputError, match="a line of more than"):
        open_(None, manifest)


def test_a_receipt_of_a_models_results_says_which_arguments_it_needs(tmp_path: Path) -> None:
    """Once it said that a file of that name is not there."""
    failed = tmp_path / "r.failed.jsonl"
    line = {"scene_uuid": demo.scene_uuid(0), "source": f"{tmp_path}/results.json#a", "outcome": "unsent"}
    failed.write_text(json.dumps(line) + "\n")
    (entry,) = open_(None, failed)
    assert isinstance(entry, Prediction)
    with pytest.raises(Refused, match=r"A '#' is of a model's results: give predictions_format, scenes, "):
        entry.read()
