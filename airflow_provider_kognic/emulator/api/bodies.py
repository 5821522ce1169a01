"""Reading the bodies that the dataset API takes."""

import asyncio
import importlib.util
import zlib
from functools import cache
from typing import Any

import msgspec

from airflow_provider_kognic.emulator.errors import Refused
from airflow_provider_kognic.emulator.storage.predictions import NewPrediction

# Below this many bytes the work costs less than handing it to a thread.
_LARGE = 64 * 1024


class _PredictionBody(msgspec.Struct, rename="camel"):
    scene_uuid: str
    openlabel_content: msgspec.Raw


class _GroupBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    name: str
    description: str = ""
    class_mapping: list[dict[str, Any]] | None = None


class _FrameObject(msgspec.Struct):
    object_data: dict[str, msgspec.Raw] = {}


class _Frame(msgspec.Struct):
    objects: dict[str, _FrameObject] | None = None


class _OpenLabel(msgspec.Struct):
    frames: dict[str, _Frame] | None = None


class _Content(msgspec.Struct):
    openlabel: _OpenLabel


class _Envelope(msgspec.Struct):
    openlabel: msgspec.Raw


# What is nested too deeply to be read is malformed as well.
_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_prediction_body = msgspec.json.Decoder(_PredictionBody)
_group_body = msgspec.json.Decoder(_GroupBody)
_envelope = msgspec.json.Decoder(_Envelope)


def require_openlabel_extra() -> None:
    """Check that ``kognic-openlabel`` is installed, without importing it.

    Raises:
        RuntimeError: It is not; the message says how to get it.
    """
    try:
        found = importlib.util.find_spec("kognic.openlabel")
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise RuntimeError(
            "The emulator checks documents with kognic-openlabel, which is not installed:"
            " pip install 'airflow-provider-kognic[emulator]'"
        )


@cache
def _annotation_model() -> Any:
    # Some 0.3 s, paid by the first document and not by the start.
    from kognic.openlabel.models import OpenLabelAnnotation

    return OpenLabelAnnotation


async def decompressed(body: bytes, encoding: str, most_bytes: int) -> bytes:
    """A body as it was before it was compressed, which only ``gzip`` can have done.

    Raises:
        Refused: 415, it is something else; 400, it is broken; 413, it is larger than this.
    """
    if encoding != "gzip":
        message = f"Content-Encoding {encoding[:60]!r} is not understood: gzip is"
        raise Refused(415, message, {"Accept-Encoding": "gzip"})
    return await asyncio.to_thread(_decompressed, body, most_bytes)


def _decompressed(body: bytes, most_bytes: int) -> bytes:
    unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        found = unpacking.decompress(body, most_bytes + 1)
    except zlib.error as error:
        raise Refused(400, f"Malformed body: no gzip: {error}") from error
    if len(found) > most_bytes:
        raise Refused(413, f"The body is larger than {most_bytes:,} bytes")
    if not unpacking.eof:
        raise Refused(400, "Malformed body: the gzip ends too early")
    return found


async def read_prediction(body: bytes, *, validate: bool) -> NewPrediction:
    """Check the body of a new prediction; a large one in a thread.

    Args:
        body: What was posted.
        validate: Check the document against the OpenLABEL schema too.

    Raises:
        Refused: 400, with what is wrong with it.
    """
    if len(body) < _LARGE:
        return _read_prediction(body, validate=validate)
    return await asyncio.to_thread(_read_prediction, body, validate=validate)


def _read_prediction(body: bytes, *, validate: bool) -> NewPrediction:
    try:
        given = _prediction_body.decode(body)
        content = bytes(given.openlabel_content)
        _envelope.decode(content)
    except _MALFORMED as error:
        raise Refused(400, f"Malformed body: {error}") from error
    if validate:
        _validate(content)
    return NewPrediction(
        scene_uuid=given.scene_uuid,
        content=zlib.compress(content, 1),
        size=len(content),
        has_image=b'"image"' in content and _has_image(content),
    )


def _validate(content: bytes) -> None:
    from pydantic import ValidationError

    try:
        _annotation_model().model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise Refused(
            400, f"Not valid OpenLABEL ({error.error_count()} errors), first at {path}: {first['msg']}"
        ) from error


def _has_image(content: bytes) -> bool:
    try:
        document = msgspec.json.decode(content, type=_Content)
    except (msgspec.DecodeError, RecursionError):
        return False
    return any(
        "image" in found.object_data
        for frame in (document.openlabel.frames or {}).values()
        for found in (frame.objects or {}).values()
    )


def read_group(body: bytes) -> tuple[str, str, str | None]:
    """Check the body of a new predictions group.

    Returns:
        Its name, its description, and its class mapping as JSON text when there is one.

    Raises:
        Refused: 400, with what is wrong with it.
    """
    try:
        given = _group_body.decode(body)
    except _MALFORMED as error:
        raise Refused(400, f"Malformed body: {error}") from error
    if not given.name.strip():
        raise Refused(400, "name must not be empty")
    if given.class_mapping is None:
        return given.name, given.description, None
    issues = ["classMapping must not be empty"] if not given.class_mapping else []
    for index, row in enumerate(given.class_mapping):
        if unknown := sorted(set(row) - {"annotated", "predicted"}):
            issues.append(f"classMapping[{index}] has unknown keys: {', '.join(unknown)}")
        elif not row:
            issues.append(f"classMapping[{index}] needs annotated, predicted, or both")
        elif not all(isinstance(name, str) and name for name in row.values()):
            issues.append(f"classMapping[{index}] must name classes by non-empty strings")
    if issues:
        raise Refused(400, "; ".join(issues))
    return given.name, given.description, msgspec.json.encode(given.class_mapping).decode()
