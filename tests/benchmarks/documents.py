"""The documents that the benchmarks send: OpenLABEL with 2D boxes and cuboids, of a given size."""

from __future__ import annotations

import itertools
import json
import math
import os
import random
import shutil
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL = 15_000
LARGE = 700_000
# Files differ, but not all of them: the rest are hard links, so that 20,000 documents cost no disk.
_DISTINCT = 20
_OBJECTS_A_FRAME = 30
_CLASSES = ("Car", "Van", "Truck", "Pedestrian", "Cyclist", "Tram")


def _uuid(source: random.Random) -> str:
    return str(uuid.UUID(int=source.getrandbits(128), version=4))


def _boxes(source: random.Random) -> dict[str, Any]:
    """Return one object's box in the camera's picture and cuboid in the lidar's space, each with a score."""

    def attributes(stream: str) -> dict[str, Any]:
        score = round(source.uniform(0.3, 1.0), 3)
        return {
            "text": [{"name": "stream", "val": stream}],
            "num": [{"name": "confidence", "val": score}],
        }

    box = [round(source.uniform(1, 1200), 2) for _ in range(4)]
    centre = [round(source.uniform(-60, 60), 4) for _ in range(3)]
    half = source.uniform(-math.pi, math.pi) / 2
    size = [round(source.uniform(*range_), 4) for range_ in ((1.5, 2.5), (3.5, 12.0), (1.4, 3.5))]
    cuboid = [*centre, 0.0, 0.0, round(math.sin(half), 6), round(math.cos(half), 6), *size]
    return {
        "object_data": {
            "bbox": [{"name": "box2D", "val": box, "attributes": attributes("CAM_FRONT")}],
            "cuboid": [{"name": "box3D", "val": cuboid, "attributes": attributes("@lidar")}],
        }
    }


def document(size: int, seed: int) -> bytes:
    """Return a prediction of about `size` bytes: as many frames of 30 objects as it takes, none for less.

    Args:
        size: Bytes, reached within one object (some 500 bytes).
        seed: The same seed gives the same document.
    """
    source = random.Random(seed)
    objects: dict[str, Any] = {}
    frames: dict[str, Any] = {}
    openlabel = {
        "metadata": {"schema_version": "1.0.0"},
        "streams": {"CAM_FRONT": {"type": "camera"}, "@lidar": {"type": "lidar"}},
        "objects": objects,
        "frames": frames,
    }
    names: list[str] = []
    length = 0
    while length < size:
        number = len(frames)
        frame: dict[str, Any] = {}
        stamp = {"timestamp": 100 * number, "external_id": "", "streams": {}}
        frames[str(number)] = {"frame_properties": stamp, "objects": frame}
        for index in range(_OBJECTS_A_FRAME):
            if index == len(names):
                names.append(_uuid(source))
                kind = source.choice(_CLASSES)
                objects[names[index]] = {"name": f"{kind}{index}", "type": kind}
                length += 100
            frame[names[index]] = boxes = _boxes(source)
            length += len(json.dumps(boxes)) + 42
            if length >= size:
                break
    return json.dumps({"openlabel": openlabel}).encode()


def scenes(count: int) -> Iterator[str]:
    """Yield so many scene uuids, the same every time."""
    source = random.Random(count)
    for _ in range(count):
        yield _uuid(source)


def make_folder(folder: Path, count: int, size: int) -> Path:
    """Fill a new folder with `count` files `<scene-uuid>.json` of about `size` bytes, and return it."""
    folder.mkdir()
    originals: list[Path] = []
    for number, scene in enumerate(scenes(count)):
        path = folder / f"{scene}.json"
        if number < _DISTINCT:
            path.write_bytes(document(size, number))
            originals.append(path)
            continue
        try:
            os.link(originals[number % _DISTINCT], path)
        except OSError:  # no hard links there, or no more of them
            shutil.copyfile(originals[number % _DISTINCT], path)
    return folder


def make_manifest(folder: Path, count: int, size: int) -> Path:
    """Make a folder of documents of about `size` bytes, and a manifest whose `count` rows name them by turns."""
    documents = make_folder(folder, _DISTINCT, size)
    names = sorted(path.name for path in documents.iterdir())
    path = folder / "manifest.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("scene_uuid,path\n")
        file.writelines(
            f"{scene},{names[number % _DISTINCT]}\n" for number, scene in enumerate(scenes(count))
        )
    return path


def make_huge_folder(folder: Path, count: int, size: int) -> Path:
    """Fill a new folder with `count` files `<scene-uuid>.json` of just under `size` bytes; they are all the same.

    Their frames are those of a document of 700 KB again and again, each with its own number and time.
    """
    folder.mkdir()
    parsed = json.loads(document(LARGE, 0))["openlabel"]
    frames = [frame["objects"] for frame in parsed.pop("frames").values()]
    texts = [json.dumps(objects) for objects in frames]
    beside = json.dumps(parsed)[:-1]
    first, *others = (folder / f"{scene}.json" for scene in scenes(count))
    with first.open("w", encoding="utf-8") as file:
        length = file.write(f'{{"openlabel": {beside}, "frames": {{')
        for number in itertools.count():
            stamp = f'{{"timestamp": {100 * number}, "external_id": "", "streams": {{}}}}'
            text = f'"{number}": {{"frame_properties": {stamp}, "objects": {texts[number % len(texts)]}}}'
            if length + len(text) + 5 > size:
                break
            length += file.write(f"{', ' if number else ''}{text}")
        file.write("}}}")
    for path in others:
        os.link(first, path)
    return folder


def make_json_lines(path: Path, count: int, size: int) -> Path:
    """Write a `.jsonl` file of `count` rows with documents of about `size` bytes, and return its path."""
    contents = [document(size, number) for number in range(min(_DISTINCT, count))]
    with path.open("wb") as file:
        for number, scene in enumerate(scenes(count)):
            content = contents[number % len(contents)]
            file.write(b'{"sceneUuid": "%s", "openlabelContent": %s}\n' % (scene.encode(), content))
    return path
