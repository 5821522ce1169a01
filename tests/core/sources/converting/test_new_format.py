"""A format that nobody here has built: a reader of some lines, and all the rest comes with it."""

import json
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from airflow_provider_kognic.core.models import Prediction
from airflow_provider_kognic.core.sources import formats
from airflow_provider_kognic.core.sources.converting.inputs import InputFile, Reading
from airflow_provider_kognic.core.sources.converting.rows import (
    Argument,
    BadRow,
    Canvas,
    Detection,
    EmptyKey,
    Frame,
    Kind,
    Labels,
    Layer,
    ModelFormat,
    Row,
    Skipped,
)
from airflow_provider_kognic.core.sources.formats import registry
from tests.core.documents import chunk
from tests.core.sources.converting.support import documents, opened, scene, write_scenes

CUBOID = (1.0, 2.0, 3.0, 0.0, 0.0, 0.0, 1.0, 1.8, 4.5, 1.5)
UNIT = json.dumps([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1])


def _read(reading: Reading, file: InputFile) -> Iterator[Row]:
    """A line is `class score track kind`; a file is a frame, its name the key."""
    none = True
    for number, line in file.lines():
        if not line.strip():
            continue
        none = False
        label, score, track, kinds = line.split()
        if label == "ignore":
            yield Skipped(file.stem, number, "ignored by the format")
            continue
        if kinds == "bad":
            yield BadRow(number, "bad_row", "it says so itself", file.stem)
        geometries: dict[str, tuple[Kind, Any]] = {
            "b": (Kind.BOX, (1.0, 2.0, 3.0, 4.0)),
            "c": (Kind.CUBOID, CUBOID),
            "m": (Kind.MASK, label.encode()),
        }
        for kind in kinds if kinds != "bad" else "":
            shape, geometry = geometries[kind]
            yield Detection(
                file.stem, shape, label, float(score), geometry, number, None if track == "-" else track
            )
    if none:
        yield EmptyKey(file.stem)
    assert reading.arguments == {"axes": "lidar"}


def _paint(layers: Sequence[Layer], canvas: Canvas) -> bytes:
    """One pixel a layer, in the order in which they are painted."""
    levels = bytes(layer.level for layer in layers)
    assert canvas.width == len(levels)
    header = len(levels).to_bytes(4, "big") + (1).to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"\0" + levels)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _frame(arguments: Mapping[str, Any]) -> Frame:
    return Frame.LIDAR if arguments["axes"] == "lidar" else Frame.CAMERA


STRANGE = ModelFormat(
    name="strange",
    keys="file stem",
    kinds=frozenset(Kind),
    labels=Labels.NAMES,
    read=_read,
    endings=(".txt",),
    frame=_frame,
    how_to_place="Ask the car.",
    arguments=(Argument("axes", "whose axes", choices=("lidar", "camera"), default="lidar"),),
    paint=_paint,
)


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of the format, and the one line of the registry."""
    know(monkeypatch, STRANGE)


def know(monkeypatch: pytest.MonkeyPatch, format_: ModelFormat) -> None:
    file = ModuleType(f"{formats.__name__}.strange")
    file.STRANGE = format_  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, file.__name__, file)
    monkeypatch.setitem(registry.ARGUMENTS, "strange", ("axes",))


def frames(folder: Path, texts: dict[str, str]) -> Path:
    place = folder / "results"
    place.mkdir()
    for name, text in texts.items():
        (place / f"{name}.txt").write_text(text)
    (place / "readme.md").write_text("not mine")
    return place


def table(folder: Path, **more: Any) -> Path:
    rows = [
        {
            "key": f"{n:06}",
            "scene_uuid": scene(0),
            "frame_id": n,
            "timestamp_ms": 100 * n,
            "stream": stream,
            "transform": "",
        }
        | more
        for n in range(3)
        for stream in ("CAM", "@lidar")
    ]
    return write_scenes(folder / "s.csv", rows)


def test_one_object_has_what_each_stream_takes(tmp_path: Path) -> None:
    """A row with a box and a cuboid is one object; a track is one object in all frames."""
    results = frames(
        tmp_path, {"000000": "car 0.5 7 cb\nvan 0.25 - b\n", "000001": "\ncar 0.75 7 c", "000002": "\n"}
    )
    source = opened(results, table(tmp_path), format="strange", classes=None)
    (document,) = documents(source).values()
    objects = document["objects"]
    assert sorted((item["name"], item["type"]) for item in objects.values()) == [
        ("car 7", "car"),
        ("van 1", "van"),
    ]
    (car,) = (name for name, item in objects.items() if item["type"] == "car")
    first = document["frames"]["0"]["objects"][car]["object_data"]
    assert first["cuboid"][0]["val"] == list(CUBOID)
    assert first["bbox"][0]["val"] == [1, 2, 3, 4]
    assert set(document["frames"]["1"]["objects"]) == {car}
    assert document["frames"]["2"]["objects"] == {}
    assert (source.counts.rows, source.counts.taken, source.counts.unseen_keys) == (4, 4, 0)


def test_a_stream_that_the_table_does_not_have_takes_nothing(tmp_path: Path) -> None:
    results = frames(tmp_path, {"000000": "car 0.5 7 cb\nignore 1 - b\n"})
    rows = [{"key": "000000", "scene_uuid": scene(0), "stream": "CAM"}]
    source = opened(results, write_scenes(tmp_path / "s.csv", rows), format="strange", classes=None)
    assert len(documents(source)) == 1
    assert source.counts.skipped == {"no stream takes a cuboid": 1, "ignored by the format": 1}


def test_cuboids_of_another_frame_need_a_transform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The boxes go up all the same."""
    strange = ModelFormat(**(STRANGE.__dict__ | {"frame": lambda arguments: Frame.EGO}))
    know(monkeypatch, strange)
    results = frames(tmp_path, {"000000": "car 0.5 7 cb\n"})
    source = opened(results, table(tmp_path), format="strange", classes=None)
    (document,) = documents(source).values()
    assert len(document["objects"]) == 1
    assert source.counts.refused == {"no_transform": 1}
    assert source.counts.named["no_transform"][0].endswith("Ask the car.")


def test_masks_of_a_camera_are_painted_into_one_bitmap(tmp_path: Path) -> None:
    """The surest last, so that it is on top; of the equally sure the first. Levels follow the classes file."""
    results = frames(tmp_path, {"000000": "b 0.5 - m\na 0.75 - m\nc 0.5 - m\na 0.1 - m\n"})
    classes = {"a": "Road", "b": "Car", "c": "Sky", "d": "Road"}
    source = opened(
        results, table(tmp_path, image_width=4, image_height=1), format="strange", classes=classes
    )
    (document,) = documents(source).values()
    assert document["ontologies"]["0"]["classifications"] == {
        "0": "_background",
        "1": "Road",
        "2": "Car",
        "3": "Sky",
    }
    (item,) = document["objects"].values()
    assert item["type"] == "segmentation_bitmap"
    (entry,) = source
    assert isinstance(entry, Prediction)
    import base64
    import io

    from PIL import Image

    (painted,) = document["frames"]["0"]["objects"].values()
    with Image.open(io.BytesIO(base64.b64decode(painted["object_data"]["image"][0]["val"]))) as image:
        assert list(image.tobytes()) == [1, 3, 2, 1]


def test_a_file_that_breaks_ends_that_one_only(tmp_path: Path) -> None:
    results = frames(tmp_path, {"000000": "car 0.5 7 b\n", "000002": "car 0.5 8 b\n"})
    (results / "000001.txt").write_bytes(b"car 0.5 9 b\n\xff\xfe\n")
    source = opened(results, table(tmp_path), format="strange", classes=None)
    (document,) = documents(source).values()
    assert [item["name"] for item in document["objects"].values()] == ["car 7", "car 9", "car 8"]
    assert source.counts.refused == {"broken_file": 1}
    assert source.counts.named["broken_file"][0].startswith(f"{results / '000001.txt'}: line 2 is not UTF-8")


def test_a_glob_is_an_input_too(tmp_path: Path) -> None:
    results = frames(tmp_path, {"000000": "car 0.5 7 b\n", "000001": "car 0.5 7 b\n"})
    source = opened(results / "*1.txt", table(tmp_path), format="strange", classes=None)
    assert documents(source)
    assert source.counts.rows == 1
    (entry,) = source
    assert entry.source == f"{results}/*1.txt#000000"
