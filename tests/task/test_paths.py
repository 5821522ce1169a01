"""Templated text becomes a path."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.sharding import shard_predictions
from airflow_provider_kognic.task.paths import _LOCAL, shown, source_key, to_path, to_shard, to_source


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/data/p", "/data/p"),
        ("data/p", str(Path.cwd() / "data/p")),
        (Path("/data/p"), "/data/p"),
        (Path("data/p"), str(Path.cwd() / "data/p")),
        ("file:///data/p", "/data/p"),
        ("file:///data/with space/*.json", "/data/with space/*.json"),
        ("FILE:///data/p", "/data/p"),
        ("File://LOCALHOST/data/p", "/data/p"),
        ("file:/data/p", "/data/p"),
        ("local:///data/p", "/data/p"),
        ("file://conn@/data/p", "/data/p"),
        ("~/p", str(Path.home() / "p")),
        ("/data/a://b", "/data/a://b"),
        ("data/s3://b?c#d", str(Path.cwd() / "data/s3:/b?c#d")),
    ],
)
def test_what_is_on_this_machine_becomes_a_plain_path(given: Any, path: str) -> None:
    assert to_path(given) == Path(path)
    assert type(to_path(given)) is type(Path())


@pytest.mark.parametrize("given", ["file://otherhost/x", "file://conn@otherhost/x", "file:x", "files:///x"])
def test_what_is_elsewhere_is_not_taken_for_local(given: str) -> None:
    assert _LOCAL.match(given) is None


def test_a_local_object_storage_path_becomes_a_plain_one(airflow_database: Path) -> None:
    from airflow.sdk import ObjectStoragePath

    assert to_path(ObjectStoragePath("file:///data/p")) == Path("/data/p")


def test_other_schemes_become_object_storage_paths(airflow_database: Path) -> None:
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import attach

    store = import_module("fsspec").filesystem("memory")
    attach(protocol="memory", fs=store)
    store.pipe_file("/bucket/one.json", b"{}")

    path: Any = to_path("memory://bucket/one.json")

    assert isinstance(path, ObjectStoragePath)
    assert path.read_bytes() == b"{}"
    assert to_path(path) is path


def test_a_scheme_that_nobody_knows_is_an_error_of_the_input(airflow_database: Path) -> None:
    def look() -> None:
        path: Any = to_path("nosuchscheme://bucket/x")
        path.exists()  # older Airflows look for the store only now, and say so themselves

    with pytest.raises(ValueError, match="nosuchscheme"):  # KognicInputError is one
        look()


@pytest.mark.parametrize(
    "one", ["https://h/m.csv?key={}", "s3://ml@preds/cam=front&key={}", "/data/a?token={}"]
)
def test_two_sources_are_not_taken_for_one(one: str) -> None:
    """Whatever of their names is shown to people."""

    class Named:
        def __init__(self, text: str) -> None:
            self._text = text

        def __str__(self) -> str:
            return self._text

        def read_bytes(self) -> bytes:
            return b""

    unread: Any = None
    first, second, again = (source_key(None, Named(one.format(n)), unread) for n in (1, 2, 1))
    assert first != second
    assert first == again == f"manifest {one.format(1)}"


def test_shards_have_the_key_of_all_of_their_source(tmp_path: Path) -> None:
    """And people read its path."""
    (tmp_path / "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10.json").write_text("{}")
    manifest = tmp_path / "m.csv"
    manifest.write_text("scene_uuid,path\n")
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    whole = to_source(str(tmp_path))
    for shard in (*shard_predictions(tmp_path, shards=1), *shard_predictions(str(link), shards=1)):
        assert source_key(shard, None, to_source(shard)) == source_key(str(tmp_path), None, whole)
    (shard,) = shard_predictions(manifest=manifest, shards=3)
    assert source_key(shard, None, whole) == source_key(None, str(manifest), whole)
    assert (shown(shard), shown(None, manifest)) == (str(manifest), str(manifest))
    assert to_shard(str(manifest)) is None
    assert to_source(shard).total == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "is a list, which is not cut"),
        (7, "'predictions' must be a path, not int"),
        ("s3://user:secret@bucket/day/", r"a URL with a password or a signature"),
        ("", "'predictions' is empty"),
        ("/nowhere", "'predictions' does not exist"),
    ],
)
def test_what_cannot_be_cut(given: Any, said: str) -> None:
    with pytest.raises(KognicInputError, match=said) as raised:
        shard_predictions(given, shards=2)
    assert "secret" not in str(raised.value)
