"""What a document has to keep of its scene: the rules as data; `against_scene` holds a document against them."""

from __future__ import annotations

from airflow_provider_kognic.core.openlabel.rule import HERE, KOGNIC, Rule, error, warning

INPUT_API = "the scene, as the input API shows it"

SCENE_RULES: tuple[Rule, ...] = (
    error(
        "scene_unknown",
        "The scene is there.",
        INPUT_API,
        "Check the scene's uuid, and that these credentials may see it.",
    ),
    error(
        "scene_status",
        "The scene is neither invalidated nor failed.",
        INPUT_API,
        "Predict the scene that replaces it, or leave this one out.",
    ),
    error(
        "scene_stream",
        "Every camera and lidar that the document names is one of the scene; `@lidar` stands for its lidars.",
        KOGNIC,
        "Name the stream as the scene does.",
    ),
    error(
        "scene_timestamp",
        "Every frame has the timestamp of a frame of the scene.",
        KOGNIC,
        "Write the time of a frame of the scene: it takes precedence over the frame's id.",
    ),
    error(
        "scene_frame",
        "No frame is before the scene's first one or after its last.",
        KOGNIC,
        "Leave the frame out, or write its time from the start of the scene, in the scene's unit.",
    ),
    error(
        "scene_bitmap",
        "An `image` has the resolution of its camera's images.",
        KOGNIC,
        "Write the bitmap in the full resolution of the image.",
    ),
    error(
        "scene_box",
        "No box, polygon or point in an image lies wholly outside of it; over its edge is fine.",
        HERE,
        "Write pixels of the image, x and y of a box from its centre; leave out what is not in the image.",
    ),
    warning(
        "scene_range",
        "No cuboid's centre is farther away than `max_range_m`.",
        HERE,
        "Right if the sensor sees so far; else check the unit (metres) and the frame of coordinates.",
    ),
)
