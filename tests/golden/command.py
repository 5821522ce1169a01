"""What the command `validate` says about documents with every kind of fault."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import tempfile
from pathlib import Path
from typing import Any

from tests.golden.uploads import content, row
from tests.golden.world import Files, as_json, masked, scene

CONTENT = content()


def _with(path: str, value: Any) -> dict[str, Any]:
    """Return a document with another value at a path; `...` removes what is there."""
    document = copy.deepcopy(CONTENT)
    at: Any = document
    *way, last = path.split(".")
    for step in way:
        at = at[int(step) if step.isdecimal() and isinstance(at, list) else step]
    if value is ...:
        del at[last]
    else:
        at[int(last) if isinstance(at, list) else last] = value
    return document


_BOX = "openlabel.frames.0.objects.1.object_data.bbox.0"
DOCUMENTS: list[Any] = [
    CONTENT,
    "",
    "{",
    "[]",
    '{"openlabel": 1}',
    '{"openlabel": {}, "openlabel": {}}',
    "\ufeff" + json.dumps(CONTENT),
    json.dumps(CONTENT).replace("30", "NaN"),
    _with("openlabel.metadata", ...),
    _with("openlabel.metadata.schema_version", "2.0.0"),
    _with("openlabel.frames", {}),
    _with("openlabel.frames.0", []),
    _with("openlabel.frames", {"x": CONTENT["openlabel"]["frames"]["0"]}),
    _with("openlabel.frames.0.frame_properties", ...),
    _with("openlabel.frames.0.frame_properties.timestamp", "soon"),
    _with("openlabel.frames.0.frame_properties.timestamp", 7),
    _with("openlabel.streams", {}),
    _with("openlabel.streams.CAM.type", "eye"),
    _with("openlabel.objects.1.type", ""),
    _with("openlabel.objects.1.name", 3),
    _with("openlabel.objects", {}),
    _with("openlabel.unknown", {}),
    _with(f"{_BOX}.val", [1, 2, -3]),
    _with(f"{_BOX}.val", [1, 2, -3, 0]),
    _with(f"{_BOX}.val", ["a", 2, 3, 4]),
    _with(f"{_BOX}.attributes", {}),
    _with(f"{_BOX}.attributes.text.0.val", "LIDAR"),
    _with(f"{_BOX}.attributes.num", [{"name": "confidence", "val": 3}]),
    _with(f"{_BOX}.name", ...),
    _with("openlabel.frames.0.objects.1.object_data.bbox", [CONTENT["openlabel"]] * 15),
    _with(
        "openlabel.frames.0.objects.1.object_data.cuboid",
        [{"name": "c", "val": [1, 2, 3, 0, 0, 0, 0, 0, 0, 0]}],
    ),
    _with(
        "openlabel.frames.0.objects.1.object_data.image",
        [{"name": "i", "val": "no base64", "mime_type": "x"}],
    ),
    _with("openlabel.frames.0.objects.1.object_data.poly2d", [{"name": "p", "val": [1, 2, 3], "closed": 1}]),
    _with("openlabel.relations", {"1": {}}),
    _with("openlabel.ontologies", {"0": {"uri": "", "classifications": {"x": 1}}}),
]
BAD_ROWS = [{"sceneUuid": scene(0)}, {"sceneUuid": "x", "openlabelContent": CONTENT}, row(1), row(1)]


def _run(*arguments: str, root: Path) -> dict[str, Any]:
    from airflow_provider_kognic.cli import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code: Any = main(["validate", *arguments])
        except SystemExit as end:
            code = end.code
    said = [masked(text.getvalue(), root=root).splitlines() for text in (out, err)]
    return {
        "arguments": [masked(one, root=root) for one in arguments],
        "code": code,
        "out": said[0],
        "err": said[1],
    }


def make() -> Files:
    """Write the reports as text and JSON."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary).resolve()
        folder = root / "documents"
        folder.mkdir()
        for number, document in enumerate(DOCUMENTS):
            text = document if isinstance(document, str) else json.dumps(document)
            (folder / f"{scene(number)}.json").write_text(text, encoding="utf-8")
        (root / "named.json").write_text(json.dumps(CONTENT))
        (root / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in BAD_ROWS) + "no json\n")
        (root / "empty").mkdir()
        runs = [
            _run(str(folder), root=root),
            _run(str(folder), "--format", "json", root=root),
            _run(str(root / "named.json"), root=root),
            _run(str(root / "rows.jsonl"), root=root),
            _run(str(root / "rows.jsonl"), str(root / "named.json"), "--format", "json", root=root),
            _run(str(folder / f"{scene(0)}.json"), root=root),
            _run(str(root / "empty"), root=root),
            _run(str(root / "nowhere"), root=root),
            _run(str(root / "*.nothing"), root=root),
        ]
    return {"validate.json": as_json(runs)}
