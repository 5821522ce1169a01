"""Documents of any classes, for the tests of surveys and proposals."""

import base64
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from airflow_provider_kognic.core.classes.annotations import AnnotatedClasses, Known
from airflow_provider_kognic.core.classes.counts import ClassCount
from airflow_provider_kognic.core.classes.predictions import PredictedClasses
from airflow_provider_kognic.core.classes.proposal import Proposal, propose
from airflow_provider_kognic.emulator import demo
from tests.core.documents import attributes, png, segmentation


def bitmap(levels: Mapping[int, str], painted: Collection[int] | None = None) -> dict[str, Any]:
    """A document of one frame with a bitmap: these classes by their grey levels, of which some are painted."""
    shown = list(levels if painted is None else painted)
    document = segmentation(png(16, 4, levels=shown))
    names = {str(level): name for level, name in levels.items()}
    document["openlabel"]["ontologies"]["0"]["classifications"] = names
    return document


def named(*names: str) -> dict[str, Any]:
    """A document with a bitmap in which these classes are painted, whatever their grey levels."""
    return bitmap(dict(enumerate(names)))


def boxed(*types: str, frames: int = 1) -> dict[str, Any]:
    """A document with a box of each of these types in each frame."""
    box = {"name": "box", "val": [10, 20, 30, 40], "attributes": attributes("CAM")}
    return {
        "openlabel": {
            "metadata": {"schema_version": "1.0.0"},
            "streams": {"CAM": {"type": "camera"}},
            "objects": {str(key): {"name": "an object", "type": name} for key, name in enumerate(types)},
            "frames": {
                str(number): {
                    "frame_properties": {"timestamp": 100 * number},
                    "objects": {str(key): {"object_data": {"bbox": [box]}} for key in range(len(types))},
                }
                for number in range(frames)
            },
        }
    }


def row(number: int, document: Any) -> dict[str, Any]:
    """A row of the segmentation dataset's scene of that number."""
    return {"sceneUuid": demo.segmentation_scene_uuid(number), "openlabelContent": document}


def side(*names: str) -> dict[str, ClassCount]:
    """Classes of which nothing more is known than that there is one document of each."""
    return {name: ClassCount(documents=1) for name in names}


def proposed(
    predicted: Sequence[str], annotated: Sequence[str], known: Known = Known.ALL, invalid: int = 0
) -> Proposal:
    """What is proposed for these classes."""
    return propose(
        PredictedClasses(side(*predicted), documents=1, invalid=invalid),
        AnnotatedClasses(side(*annotated), known, documents=len(annotated)),
    )


def picture(document: Mapping[str, Any]) -> dict[str, Any]:
    """The bitmap of a document, to be changed."""
    (frame,) = document["openlabel"]["frames"].values()
    (item,) = frame["objects"].values()
    found: dict[str, Any] = item["object_data"]["image"][0]
    return found


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def dumped(document: Any) -> bytes:
    return json.dumps(document).encode()
