"""A prediction document -> what is wrong with it.

So far the content check: is it a JSON object with an object `openlabel`? It decodes nothing that it need not,
so that a document can be sent as the bytes it came as.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.models import Refused

if TYPE_CHECKING:
    from collections.abc import Callable


@lru_cache(maxsize=1)
def _decoder() -> Callable[[bytes], Any]:
    import msgspec

    # Raw: its bytes are walked, so the whole document is known to be JSON, but no object is built from them.
    shape = msgspec.defstruct("Document", [("openlabel", msgspec.Raw)])
    return msgspec.json.Decoder(shape).decode


def check_content(document: bytes) -> None:
    """Check that a document is well-formed JSON of the form `{"openlabel": {...}}`.

    Raises:
        Refused: With the reason `not_json` or `no_openlabel`.
    """
    import msgspec

    if not document.strip():
        raise Refused("not_json", "the document is empty.")
    try:
        parsed = _decoder()(document)
    except msgspec.ValidationError as error:
        raise Refused(
            "no_openlabel", f"{error}; a prediction is a JSON object with the key 'openlabel'."
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("not_json", f"not well-formed JSON: {error}{_hint(document)}") from None
    except RecursionError:
        raise Refused("not_json", "nested too deeply to be a prediction.") from None
    try:
        document.isascii() or document.decode()  # msgspec does not look into strings that it only walks over
    except UnicodeDecodeError as error:
        raise Refused("not_json", f"not UTF-8: {error}.") from None
    if bytes(parsed.openlabel)[:1] != b"{":
        raise Refused("no_openlabel", "'openlabel' is not an object.")


def _hint(document: bytes) -> str:
    if document.startswith(b"\xef\xbb\xbf"):
        return " The file starts with a byte order mark: save it as UTF-8 without one."
    if document[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return " The file is UTF-16: save it as UTF-8."
    return ""
