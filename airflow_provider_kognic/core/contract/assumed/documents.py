"""What is assumed of the documents that predictions are made of."""

from __future__ import annotations

from airflow_provider_kognic.core.contract.assumed import sources
from airflow_provider_kognic.core.contract.assumed.assumption import Asked, Assumption

_DESCRIPTION = (Asked.DESCRIPTION,)
_NOBODY = (Asked.NOBODY,)
_SCHEMA = "core/openlabel/schema"

DOCUMENTS = (
    Assumption(
        "schema_version",
        "Documents are OpenLABEL 1.0.0.",
        (f"{_SCHEMA}/document.py",),
        "Documents that are valid here are refused (400).",
        sources.FORMAT,
        _DESCRIPTION,
    ),
    Assumption(
        "stream_types",
        "Streams are of the type camera or lidar.",
        (f"{_SCHEMA}/sensors.py", "core/openlabel/rules.py"),
        "Documents that are valid here are refused (400).",
        sources.FORMAT,
        _DESCRIPTION,
    ),
    Assumption(
        "lidar_stream",
        "The lidar's stream is named @lidar, and cameras as the scene's sensors.",
        ("core/openlabel/rules.py",),
        "Documents are refused, or their geometries are shown nowhere.",
        f"{sources.FORMAT} (since 2024-02)",
        _NOBODY,
    ),
    Assumption(
        "geometries",
        "Objects of frames have bbox, cuboid or image.",
        (f"{_SCHEMA}/geometry.py", "core/openlabel/rules.py"),
        "Documents that are valid here are refused (400).",
        sources.FORMAT,
        _DESCRIPTION,
    ),
    Assumption(
        "geometry_conventions",
        "Boxes have their middle first; cuboids are in metres, with forward along y.",
        ("core/geometry",),
        "Predictions are shown in the wrong place or turned.",
        f"{sources.FORMAT}; docs.kognic.com, coordinate systems",
        _NOBODY,
    ),
    Assumption(
        "frame_times",
        "Frames are matched by their timestamps, in milliseconds.",
        ("core/openlabel/rules.py",),
        "Predictions are compared with the annotations of other frames.",
        sources.FORMAT,
        _NOBODY,
    ),
    Assumption(
        "bitmap_levels",
        "Classes of a bitmap are written grey level -> class name, in ontologies.",
        (f"{_SCHEMA}/document.py",),
        "Bitmaps are refused (400), or shown as other classes.",
        f"{sources.FORMAT} (since 2024-04)",
        _NOBODY,
    ),
)
