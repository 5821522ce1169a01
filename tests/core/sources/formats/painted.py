"""What documents show, read by Pillow and numpy: nothing of the code that wrote them."""

import base64
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.core.sources.converting.support import documents, one_scene_each, opened, scene, write_json

Pixels = Any
# A document, or the reason why there is none.
Found = Any


def png_in(document: Found, stream: str = "CAM", frame: str = "0") -> bytes:
    """The only bitmap of a camera and frame, as the bytes of its PNG."""
    found = [
        one["val"]
        for item in document["frames"][frame]["objects"].values()
        for one in item["object_data"].get("image", ())
        if {"name": "stream", "val": stream} in one["attributes"]["text"]
    ]
    assert len(found) == 1
    return base64.b64decode(found[0])


def levels_in(document: Found, stream: str = "CAM", frame: str = "0") -> Pixels:
    """The grey levels of a camera and frame: an array of rows."""
    with Image.open(io.BytesIO(png_in(document, stream, frame))) as image:
        assert image.mode == "L"
        return np.asarray(image)


def names_in(document: Found, stream: str = "CAM", frame: str = "0") -> Pixels:
    """The name of each pixel's class, as the document's ontology has it."""
    classes = document["ontologies"]["0"]["classifications"]
    assert classes["0"] == "_background"
    names = np.array([classes.get(str(level), "?") for level in range(256)])
    return names[levels_in(document, stream, frame)]


def has_bitmap(document: Found, frame: str = "0") -> bool:
    """Whether a frame has any bitmap."""
    items = document["frames"][frame]["objects"].values()
    return any("image" in item["object_data"] for item in items)


def png_of(pixels: Pixels, mode: str | None = None, palette: Sequence[int] = ()) -> bytes:
    """The PNG of an array, as Pillow writes it."""
    image = Image.fromarray(np.asarray(pixels))
    if palette:
        image.putpalette(palette)
    if mode is not None:
        image = image.convert(mode)
    stored = io.BytesIO()
    image.save(stored, "PNG")
    return stored.getvalue()


def of_coco(folder: Path, rows: Iterable[Any], keys: Iterable[object], **options: Any) -> dict[object, Found]:
    """The documents of COCO results in which each key is a scene: by key, those that are there."""
    listed = list(keys)
    sizes = options.pop("sizes", {})
    source = opened(
        write_json(folder / "r.json", list(rows)), one_scene_each(folder, listed, **sizes), **options
    )
    found = documents(source)
    return {key: found[scene(number)] for number, key in enumerate(listed) if scene(number) in found}
