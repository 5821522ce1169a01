"""The rules that a prediction document has to keep, where each is stated, and what to do where it is broken."""

from __future__ import annotations

from airflow_provider_kognic.core.openlabel.rule import (
    HERE,
    JSON,
    KOGNIC,
    OPENLABEL,
    Rule,
    Severity,
    error,
    warning,
)
from airflow_provider_kognic.core.openlabel.scene_rules import SCENE_RULES

__all__ = [
    "BITMAP",
    "BY_IDENTIFIER",
    "CONFIDENCE",
    "ENTRY_RULES",
    "HERE",
    "JSON",
    "KOGNIC",
    "LIDAR",
    "MOST_TIMESTAMP",
    "OPENLABEL",
    "QUATERNION_TOLERANCE",
    "RULES",
    "STREAM",
    "Rule",
    "Severity",
]

# Names that Kognic's documentation gives.
LIDAR = "@lidar"
STREAM = "stream"
CONFIDENCE = "confidence"
BITMAP = "segmentation_bitmap"

# A unit quaternion's length may be so far from 1: what rounding to two decimals does, far less than a wrong layout.
QUATERNION_TOLERANCE = 0.01
# RFC 8259, section 6: integers up to here mean the same to everybody.
MOST_TIMESTAMP = 2**53 - 1


RULES: tuple[Rule, ...] = (
    error(
        "not_json",
        "The document is well-formed JSON in UTF-8.",
        JSON,
        "Write it with a JSON library, as UTF-8 without a byte order mark.",
    ),
    error(
        "duplicate_key",
        "No key occurs twice in an object.",
        JSON,
        "Remove or rename one: readers keep one of them, and which is not defined.",
    ),
    error(
        "not_finite",
        "Every number is finite and fits a double: no NaN, no Infinity, no 1e400.",
        JSON,
        "Leave out what has no value.",
    ),
    error(
        "too_large",
        "The document stays within the checker's limits.",
        HERE,
        "Split the scene's prediction, or send it unchecked.",
    ),
    error(
        "no_openlabel",
        "The document is an object whose one key is `openlabel`, an object.",
        OPENLABEL,
        'Wrap the content: {"openlabel": {...}}.',
    ),
    error("missing_key", "Every key that the schema requires is there.", OPENLABEL, "Add the key."),
    error(
        "unknown_key",
        "Where the schema names the keys, there is no other.",
        OPENLABEL,
        "Remove the key, or check its spelling.",
    ),
    error("wrong_type", "Every value has the schema's type.", OPENLABEL, "Write a value of that type."),
    error(
        "wrong_value",
        "Every value is one of those that the schema lists, every list as long as it says.",
        OPENLABEL,
        "Write one of the values that are allowed.",
    ),
    error(
        "wrong_id",
        "Ids are integers or uuids, those of frames integers of 0 or more.",
        OPENLABEL,
        "Rename it, everywhere it is used.",
    ),
    error(
        "frame_repeated",
        "No two ids of frames are the same number, such as `1` and `01`.",
        OPENLABEL,
        "Remove or rename one of the two frames.",
    ),
    error(
        "schema_version",
        '`metadata.schema_version` is `"1.0.0"`.',
        KOGNIC,
        'Write "schema_version": "1.0.0".',
    ),
    error(
        "no_frames",
        "`frames` has at least one frame.",
        KOGNIC,
        "A prediction stands in frames: one '0' for a scene that is no sequence.",
    ),
    error(
        "no_streams",
        "`streams` is there if there is a geometry.",
        KOGNIC,
        'Declare the sensors: "streams": {"<camera>": {"type": "camera"}, "@lidar": {"type": "lidar"}}.',
    ),
    error(
        "no_objects",
        "`objects` is there if a frame has an object.",
        KOGNIC,
        'Declare every object: "objects": {"<id>": {"name": ..., "type": "<class>"}}.',
    ),
    error(
        "stream_type",
        "A stream's `type` is one that OpenLABEL knows (`camera`, `lidar`, `radar`, `gps_imu`, `other`), and is"
        " there if a geometry uses the stream.",
        OPENLABEL,
        "Give the type; it is other for what OpenLABEL has no word for.",
    ),
    error(
        "lidar_name",
        "The lidar stream that geometries use is named `@lidar`, and no other that they use is.",
        KOGNIC,
        "Name the lidar @lidar, here and in every geometry; cameras are named as in the scene.",
    ),
    error(
        "object_type",
        "Every root object's `type` is the name of its class, not empty and not just blanks.",
        KOGNIC,
        "Write the class as the tool should show it.",
    ),
    error(
        "object_undeclared",
        "Every object of a frame has an entry in the root's `objects`.",
        KOGNIC,
        "Add it to openlabel.objects with its name and type.",
    ),
    error(
        "geometry_static",
        "The root's objects have no geometry.",
        KOGNIC,
        "Move it into the frames: static geometry is not supported.",
    ),
    error(
        "geometry_unsupported",
        "Geometries are `bbox`, `cuboid` and `image`; no other is there.",
        KOGNIC,
        "Remove it, or turn it into a bbox, cuboid or segmentation bitmap.",
    ),
    error(
        "timestamp_missing",
        "Every frame has `frame_properties.timestamp`.",
        KOGNIC,
        "Write the frame's timestamp in ms; 0 for a scene that is no sequence.",
    ),
    error(
        "timestamp_value",
        "A timestamp is an integer from 0 to 2^53 - 1.",
        KOGNIC,
        "Write it in ms, without quotes or decimals.",
    ),
    error(
        "timestamp_repeated",
        "No two frames have the same timestamp.",
        KOGNIC,
        "Frames are matched by timestamp: give each its own.",
    ),
    error(
        "stream_missing",
        'Every geometry has one `attributes.text` named `"stream"`.',
        KOGNIC,
        'Add "attributes": {"text": [{"name": "stream", "val": "<stream>"}]}.',
    ),
    error(
        "stream_undeclared",
        "A geometry's stream is one of `streams`.",
        KOGNIC,
        "Declare the stream, or check its spelling.",
    ),
    error(
        "stream_mismatch",
        "`bbox` and `image` lie on a camera, `cuboid` on the lidar.",
        KOGNIC,
        "Name a stream of the right type.",
    ),
    error(
        "bbox_values",
        "A bbox is 4 numbers: centre x, centre y, width, height, in pixels.",
        KOGNIC,
        "Write [x, y, width, height] with x, y of the centre.",
    ),
    error(
        "bbox_size",
        "A bbox' width and height are above 0.",
        KOGNIC,
        "Write the size, not the second corner; leave out boxes without area.",
    ),
    error(
        "cuboid_values",
        "A cuboid is 10 numbers: x, y, z, qx, qy, qz, qw, width, length, height, in metres.",
        KOGNIC,
        "Write all ten; rotation is a quaternion, not Euler angles.",
    ),
    error(
        "cuboid_size",
        "A cuboid's width, length and height are above 0.",
        KOGNIC,
        "Write the size in metres; leave out cuboids without volume.",
    ),
    error(
        "cuboid_rotation",
        f"qx, qy, qz, qw is a unit quaternion: its length is 1 within {QUATERNION_TOLERANCE:g}.",
        KOGNIC,
        "Divide the quaternion by its length; qw comes last.",
    ),
    error(
        "confidence",
        "`confidence` is one number from 0 to 1, in `attributes.num`.",
        KOGNIC,
        'Write {"name": "confidence", "val": 0.0 to 1.0} once; left out it counts as 1.0.',
    ),
    error(
        "no_classifications",
        "A document with segmentation has `ontologies.0.classifications`.",
        KOGNIC,
        'Add "ontologies": {"0": {"uri": "", "classifications": {"<grey level>": "<class>"}}}.',
    ),
    error(
        "classifications",
        "`classifications` maps grey levels, `0` to `255` (so 256 classes at most), to names of classes.",
        KOGNIC,
        'Write {"0": "<class>", ..., "255": "<class>"}, at most 256, each with a name.',
    ),
    error(
        "bitmap_object",
        "An object with an `image` has the type `segmentation_bitmap` in the root.",
        KOGNIC,
        "Give the object the type segmentation_bitmap: its classes are those of the ontology.",
    ),
    error(
        "bitmap_form",
        "An `image` has `mime_type` `image/png` and `encoding` `base64`.",
        KOGNIC,
        'Write "mime_type": "image/png", "encoding": "base64".',
    ),
    error(
        "bitmap_base64",
        "An `image`'s `val` is base64, not empty.",
        KOGNIC,
        "Encode the PNG's bytes as base64 without line breaks and without a 'data:' prefix.",
    ),
    error(
        "bitmap_png",
        "An `image` is an intact 8-bit greyscale PNG.",
        KOGNIC,
        "Save the grey levels as PNG: bit depth 8, colour type greyscale (in Pillow, mode 'L').",
    ),
    error(
        "bitmap_level",
        "Every grey level of an `image` is named by `classifications`.",
        KOGNIC,
        "Name the level's class in openlabel.ontologies.0.classifications.",
    ),
    warning(
        "empty_frames",
        "At least half of the frames have a geometry.",
        HERE,
        "Right if nothing was found there; check that nothing was lost.",
    ),
    warning(
        "single_frame",
        'A document of one frame has frame `"0"` with timestamp 0, unless its scene is a sequence.',
        KOGNIC,
        "For a scene that is no sequence, name the frame 0 with timestamp 0.",
    ),
    warning(
        "timestamp_unit",
        "Timestamps look like milliseconds.",
        KOGNIC,
        "Timestamps are in ms, as those of the annotated frames: check the unit.",
    ),
    warning(
        "cuboid_axes",
        "Most vehicles are longer than wide.",
        KOGNIC,
        "ISO 8855 has forward along x: turn by 90 degrees about z and swap the first two sizes.",
    ),
    warning(
        "stream_unused",
        "A stream that no geometry uses has a type, too, and is named `@lidar` if it is the lidar, and only then.",
        KOGNIC,
        "Right if the scene has such a sensor; else give the type, name it as in the scene, or leave it out.",
    ),
    warning(
        "confidence_ignored",
        "`confidence` stands on `bbox` and `cuboid` only.",
        KOGNIC,
        "Remove it: it is documented for boxes and cuboids.",
    ),
)

# Of an entry of a source, beside its document.
ENTRY_RULES: tuple[Rule, ...] = (
    error("unreadable", "The file can be read.", HERE, "Check that it is there and may be read."),
    error(
        "bad_row",
        "A row of a `.jsonl` file is an object with `sceneUuid` and `openlabelContent`.",
        HERE,
        "Write one such object a line.",
    ),
    error(
        "not_a_uuid",
        "A row's `sceneUuid` is a uuid.",
        HERE,
        "Write the scene's uuid, as the annotations of the dataset name it.",
    ),
    error(
        "duplicate_scene",
        "A scene has one prediction.",
        HERE,
        "Keep one: an upload sends the first and refuses the others.",
    ),
    error(
        "unknown_scene",
        "The scene has annotations in the dataset, if one is given.",
        KOGNIC,
        "Check that it is the right dataset: only scenes with annotations in it take predictions.",
    ),
    warning(
        "file_name",
        "A file is named `<scene-uuid>.json`.",
        HERE,
        "Name it after its scene: an upload refuses it otherwise.",
    ),
)

BY_IDENTIFIER = {rule.identifier: rule for rule in (*RULES, *ENTRY_RULES, *SCENE_RULES)}
