"""Names of folders, whatever characters are in them: as a folder, in a glob, for one file; on disk and on S3."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Prediction
from airflow_provider_kognic.core.sources.base import Source
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.task.paths import to_source
from tests.stores.s3 import BUCKET, S3

SCENES = [demo.scene_uuid(number) for number in range(4)]
# Each character that means something to a URL, a shell, a template or a library on the way, alone and with others.
NAMES = [
    *"[]?*#%+&=@:{}",
    "a;,!$'()~|^b",
    "a[1]",
    "a?b",
    "a*b",
    "[!x]",
    "x[",
    "**",
    "a#b",
    "100%",
    "%20",
    "a+b c",
    "a&b=c",
    "dt=2026-01-31",
    "who@where",
    "12:30:00",
    "{ds}",
    "two  words",
    " around ",
    "prédictions-日本-🚗",
    "e\u0301",  # not the same as \u00e9
    "name.json",
    "rows.jsonl",
    "...",
    "-",
]

# The library under Airflow 3.0's paths takes such a name for the end of a URL.
OLD_PATHS = version("universal-pathlib").startswith(("0.1.", "0.2."))

Write = Callable[[Mapping[str, bytes]], str]


@pytest.fixture(params=["local", "s3"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Write:
    """Write files by their paths; returns the text of the folder that they are in, without a slash at its end."""

    def locally(files: Mapping[str, bytes]) -> str:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return str(tmp_path)

    def in_s3(files: Mapping[str, bytes]) -> str:
        s3: S3 = request.getfixturevalue("s3")
        s3.put_all(files)
        return f"s3://ml@{BUCKET}"

    return locally if request.param == "local" else in_s3


def read(source: Source) -> dict[str, bytes]:
    """What is read of a source, by what a receipt would call it."""
    entries = list(source)
    assert all(isinstance(entry, Prediction) for entry in entries), entries
    return {entry.source: entry.read() for entry in entries if isinstance(entry, Prediction)}


def decoys(name: str) -> list[str]:
    """Names that a pattern of that name could match besides, or that it could be cut or changed to."""
    changed = {name.replace(sign, "z") for sign in "[]?*#%+&=@:{}"} | {
        name.strip(),
        name.partition("::")[0],
        "1",
    }
    changed |= {name.partition(sign)[0] for sign in "?#%"} | {f"{name}z", f"z{name}"}
    return sorted(changed - {name, "", ".", ".."})


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_is_meant_as_it_is_named(write: Write, name: str) -> None:
    """At the end of a path, in its middle, and before a pattern; what it says of a document finds it again."""
    ours = {f"{name}/in/{scene}.json": scene.encode() for scene in SCENES[:2]}
    above = {f"{name}/{SCENES[2]}.json": b"above"}
    others = {f"{other}/in/{SCENES[3]}.json": b"another" for other in decoys(name)}
    others |= {f"{other}/{SCENES[3]}.json": b"another" for other in decoys(name)}
    root = write({**ours, **above, **others})
    if "://" in root and name.endswith(("?", "#")) and OLD_PATHS:
        with pytest.raises(KognicInputError, match="Rename the folder or file"):
            to_source(f"{root}/{name}/")
        return
    expected = {f"{root}/{path}": content for path, content in ours.items()}
    upper = {f"{root}/{path}": content for path, content in above.items()}
    for given in (
        f"{root}/{name}/in/",
        f"{root}/{name}/in",
        f"{root}/{name}/in/*.json",
        f"{root}/{name}/*/*.json",
    ):
        assert read(to_source(given)) == expected, given
    for given in (f"{root}/{name}/", f"{root}/{name}/*.json"):
        assert read(to_source(given)) == upper, given
    assert read(to_source(f"{root}/{name}/**/*.json")) == {**expected, **upper}
    for source, content in expected.items():
        assert read(to_source(source)) == {source: content}


@pytest.mark.parametrize("name", [name for name in NAMES if not {"*", "?", "["} & {*name}])
def test_a_pattern_matches_names_as_they_are(write: Write, name: str) -> None:
    """A part without `*?[` is a name, and a star stands for any character but the slash."""
    root = write({
        f"{name}/a{name}/{SCENES[0]}.json": b"0",
        f"{name}/b{name}/{SCENES[1]}.json": b"1",
        f"{name}/b{name}/deep/{SCENES[2]}.json": b"2",
    })  # fmt: skip
    first, second = f"{root}/{name}/a{name}/{SCENES[0]}.json", f"{root}/{name}/b{name}/{SCENES[1]}.json"
    deep = f"{root}/{name}/b{name}/deep/{SCENES[2]}.json"
    assert read(to_source(f"{root}/*/a{name}/*.json")) == {first: b"0"}
    assert read(to_source(f"{root}/{name}/?{name}/*.json")) == {first: b"0", second: b"1"}
    assert read(to_source(f"{root}/{name}/[!b]{name}/*")) == {first: b"0"}
    assert read(to_source(f"{root}/{name}/*/deep/*.json")) == {deep: b"2"}
    assert read(to_source(f"{root}/*/**/*.json")) == {first: b"0", second: b"1", deep: b"2"}


@pytest.mark.parametrize("name", NAMES)
def test_a_document_beside_a_table_is_found_by_its_relative_path(write: Write, name: str) -> None:
    """Commas and quotes are the table's own; a receipt names the document by its whole path."""
    if "," in name:
        pytest.skip("a CSV would quote it")
    root = write({
        f"{name}/{SCENES[0]}.json": b"0",
        "day/table.csv": f"scene_uuid,path\n{SCENES[0]},../{name}/x.json\n".encode(),
        f"day/{name}/x.json": b"1",
        "day/here.csv": f"scene_uuid,path\n{SCENES[0]},{name}/x.json\n".encode(),
    })  # fmt: skip
    if name != name.strip():
        pytest.skip("space around a value is no part of it")
    assert read(to_source(None, f"{root}/day/here.csv")) == {f"{root}/day/{name}/x.json": b"1"}


def test_names_that_only_a_store_can_have(s3: S3) -> None:
    """Keys are any text."""
    for name in ("a//b", "back\\slash"):
        s3.put_all({f"{name}/{SCENES[0]}.json": b"0", f"{name.replace('//', '/')}/x/{SCENES[1]}.json": b"1"})
        source = f"s3://ml@{BUCKET}/{name}/{SCENES[0]}.json"
        assert read(to_source(f"s3://ml@{BUCKET}/{name}/")) == {source: b"0"}, name
        assert read(to_source(f"s3://ml@{BUCKET}/{name}/*.json")) == {source: b"0"}, name
        s3.reset()


@pytest.mark.parametrize("name", ["a::b", "a::s3://preds/a", "a\tb"])
def test_a_name_that_paths_cannot_hold_is_no_other_name(s3: S3, name: str) -> None:
    """Some versions of the library under Airflow's paths take it for two, or leave a part out."""
    document = f"{name}/{SCENES[0]}.json"
    s3.put_all({document: b"0", f"a/{SCENES[1]}.json": b"1"})
    for given in (f"{name}/", f"{name}/*.json", document):
        try:
            found: object = read(to_source(f"s3://ml@{BUCKET}/{given}"))
        except KognicInputError as error:
            found = str(error)
        assert found == {f"s3://ml@{BUCKET}/{document}": b"0"} or "Rename the folder or file" in str(found)


def test_what_a_console_and_other_programs_leave_in_a_folder(s3: S3) -> None:
    """The key that shows an empty folder, `_SUCCESS`, and folders whose names end as files' do."""
    s3.put_all({
        "day/": b"",
        "day/_SUCCESS": b"",
        "day/notes.txt": b"x",
        "day/deep/": b"",
        "day/deep.json/": b"",
        f"day/deep.json/{SCENES[1]}.json": b"1",
        f"day/{SCENES[0]}.json": b"0",
        "other/": b"",
    })  # fmt: skip
    first, deep = f"s3://ml@{BUCKET}/day/{SCENES[0]}.json", f"s3://ml@{BUCKET}/day/deep.json/{SCENES[1]}.json"
    for given in ("day", "day/", "day/*.json", "d*/*.json"):
        assert read(to_source(f"s3://ml@{BUCKET}/{given}")) == {first: b"0"}, given
    for given in ("day/**/*.json", "**/*.json", "d*/**/*.json"):
        assert read(to_source(f"s3://ml@{BUCKET}/{given}")) == {first: b"0", deep: b"1"}, given
    for given in ("other/", "other", "other/*.json", "day/deep/"):
        assert to_source(f"s3://ml@{BUCKET}/{given}").total == 0, given


def test_more_than_one_page_of_keys(s3: S3) -> None:
    """A store lists a thousand keys at a time."""
    scenes = sorted(demo.scene_uuid(number) for number in range(1200))
    s3.put_all({f"day/{scene}.json": b"{}" for scene in scenes})
    for given in ("day/", "day/*.json", "**/*.json", "*/*"):
        source = to_source(f"s3://ml@{BUCKET}/{given}")
        assert [entry.source.rpartition("/")[2] for entry in source] == [
            f"{scene}.json" for scene in scenes
        ], given
    assert s3.proxy.asked("read") == []
