"""The least that is asked of a document: that it is a JSON object with an object `openlabel`."""

from __future__ import annotations

import codecs
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.texts import sentence

if TYPE_CHECKING:
    from collections.abc import Callable

_PIECE = 1 << 20


@lru_cache(maxsize=1)
def _decoder() -> Callable[[bytes], Any]:
    import msgspec

    # Raw: its bytes are walked, so the whole document is known to be JSON, but no object is built from them.
    envelope = msgspec.defstruct("Document", [("openlabel", msgspec.Raw)])
    return msgspec.json.Decoder(envelope).decode


def check_content(document: bytes) -> None:
    """Check that a document is well-formed JSON of the form `{"openlabel": {...}}`.

    Raises:
        Refused: With the reason `not_json` or `no_openlabel`.
    """
    import msgspec

    if not document.strip():
        raise Refused(Reason.NOT_JSON, "the document is empty.")
    try:
        parsed = _decoder()(document)
    except msgspec.ValidationError as error:
        raise Refused(
            Reason.NO_OPENLABEL, f"{error}; a prediction is a JSON object with the key 'openlabel'."
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(Reason.NOT_JSON, f"not well-formed JSON: {error}{_encoding_advice(document)}") from None
    except RecursionError:
        raise Refused(Reason.NOT_JSON, "nested too deeply to be a prediction.") from None
    try:
        if not document.isascii():
            _check_utf8(document)  # msgspec does not look into strings that it only walks over
    except UnicodeDecodeError as error:
        raise Refused(Reason.NOT_JSON, f"not UTF-8: {sentence(error)}") from None
    if bytes(parsed.openlabel)[:1] != b"{":
        raise Refused(Reason.NO_OPENLABEL, "'openlabel' is not an object.")


def _check_utf8(document: bytes) -> None:
    """Raise UnicodeDecodeError where a document is no UTF-8; as text it would take up to four times as much."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(document), _PIECE):
        before = len(decoder.getstate()[0])
        try:
            decoder.decode(document[start : start + _PIECE], final=start + _PIECE >= len(document))
        except UnicodeDecodeError as error:
            at = start - before
            raise UnicodeDecodeError(
                error.encoding, document, at + error.start, at + error.end, error.reason
            ) from None


def _encoding_advice(document: bytes) -> str:
    if document.startswith(b"\xef\xbb\xbf"):
        return " The file starts with a byte order mark: save it as UTF-8 without one."
    if document[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return " The file is UTF-16: save it as UTF-8."
    return ""
