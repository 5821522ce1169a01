"""What is assumed of the input API, where scenes are looked up; users of datasets find none of it documented."""

from __future__ import annotations

from airflow_provider_kognic.core.contract.assumed import sources
from airflow_provider_kognic.core.contract.assumed.assumption import Asked, Assumption

_DESCRIPTION = (Asked.DESCRIPTION,)
_LOOKS = ("core/api/input_api/async_client.py", "core/scenes/asking.py")
_READS = ("core/api/input_api/records.py",)
_SURVEYS = ("core/api/input_api/annotations.py", "core/classes/annotations.py")

SCENES = (
    Assumption(
        "scene_summary",
        "GET /v2/scenes/{uuid} shows a scene's sensors (cameras, lidars) and frameRelativeTimes.",
        _LOOKS,
        "Documents are not held against their scenes.",
        f"{sources.IO}: model/scene/scene_summary.py",
        _DESCRIPTION,
    ),
    Assumption(
        "scene_status",
        "A scene is pending, processing, created, failed, indexed, or invalidated:….",
        _READS,
        "A scene that was invalidated is not noticed before a prediction of it is refused.",
        f"{sources.IO}: model/scene/scene_entry.py",
        _DESCRIPTION,
    ),
    Assumption(
        "scene_query",
        "POST /v2/scenes/query finds scenes by externalIds or sceneUuids, and changes nothing.",
        _LOOKS,
        "Predictions that name their scenes by external ids are refused.",
        f"{sources.IO}: resources/scene/scene.py",
        _DESCRIPTION,
    ),
    Assumption(
        "scene_annotations",
        "GET /v2/scenes/{uuid}/annotations lists a scene's annotations.",
        _SURVEYS,
        "Classes of annotations are not known.",
        f"{sources.IO}: resources/annotation/annotation.py",
        _DESCRIPTION,
    ),
    Assumption(
        "calibrations",
        "GET /v1/calibrations?id= shows a calibration with the sizes of its cameras' images.",
        _LOOKS,
        "Boxes and bitmaps are not held against the sizes of images.",
        f"{sources.IO}: resources/calibration",
        _DESCRIPTION,
    ),
)
