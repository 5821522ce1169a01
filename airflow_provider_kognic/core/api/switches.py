"""What is optional in the dataset API, and whether it is made use of: Kognic's documentation promises none of it.

Without any switch requests are what the documentation says, and a listing of predictions is tried.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.api.dataset_api.endpoints import prediction_body
from airflow_provider_kognic.core.api.exchange.compressing import compressed
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.texts import brief
from airflow_provider_kognic.core.values import check_bytes, check_flag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_kognic.core.api.exchange.compressing import Compressed

# A header's name by RFC 9110, and those that a request has for other ends.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_TAKEN = frozenset(
    {
        *("accept", "accept-encoding", "authorization", "connection", "content-encoding", "content-length"),
        *("content-type", "cookie", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"),
        "user-agent",
    }
)
_NO_SCENE = "00000000-0000-0000-0000-000000000000"
# Bytes of a prediction's body around its document.
_AROUND = sum(map(len, prediction_body(_NO_SCENE, b"")))

LISTING, BODY_LIMIT, COMPRESSION, KEY = (
    "predictions_listing",
    "body_limit",
    "compression",
    "idempotency_key",
)


@dataclass(frozen=True)
class Switches:
    """What is optional, and whether it is on. By default nothing is, so that all is as documented.

    Args:
        listing: Whether a group's predictions may be listed. None tries it, and takes a 404 or 405 for no.
        max_body_bytes: Bytes that a request's body may have: a larger prediction is refused before it is sent.
        compression: Whether predictions are sent compressed (gzip).
        idempotency_key: Name of the header in which a prediction's key is sent; None for no key.
        said_by: Who says so, by the names of the assumptions: for people.

    Raises:
        KognicInputError: A value cannot be used.
    """

    listing: bool | None = None
    max_body_bytes: int | None = None
    compression: bool = False
    idempotency_key: str | None = None
    said_by: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if self.listing is not None:
            object.__setattr__(self, "listing", check_flag(self.listing, LISTING))
        if self.max_body_bytes is not None:
            object.__setattr__(self, "max_body_bytes", check_bytes(self.max_body_bytes, BODY_LIMIT))
        object.__setattr__(self, "compression", check_flag(self.compression, COMPRESSION))
        if self.idempotency_key is not None:
            object.__setattr__(self, "idempotency_key", _header_name(self.idempotency_key))

    @property
    def sends_keys(self) -> bool:
        """Whether each prediction is sent with a key."""
        return self.idempotency_key is not None

    def check_document(self, size: int) -> None:
        """Return if a document of so many bytes makes no body that is too large.

        The limit is held against the body as it is before it is compressed: nobody says whether a server counts
        what comes or what it unpacks to.

        Raises:
            Refused: It does; the message says how large it is, how large it may be, and who says so.
        """
        if self.max_body_bytes is not None and size + _AROUND > self.max_body_bytes:
            raise Refused(Reason.BODY_LIMIT, self.too_large(size))

    def too_large(self, size: int) -> str:
        """Say of a document of so many bytes that it is too large."""
        return (
            f"makes a request of {size + _AROUND:,} bytes, {size:,} of them its own, and the server takes at most"
            f" {self.max_body_bytes:,}: so says {self.said_by.get(BODY_LIMIT, 'who started the upload')}. Split it,"
            f" or correct '{BODY_LIMIT}' if the server takes more."
        )

    def prepared(self, scene_uuid: str, document: bytes) -> bytes | Compressed:
        """Return a document as it is to be sent: compressed, where that is on and makes it smaller.

        It takes 30 to 100 ms for each MB, and is safe in threads.
        """
        return compressed(scene_uuid, document) if self.compression else document

    def headers(self, key: str | None) -> tuple[tuple[str, str], ...]:
        """Return what the head of a prediction's request has besides."""
        if key is None or self.idempotency_key is None:
            return ()
        return ((self.idempotency_key, key),)

    def to_dict(self) -> dict[str, str]:
        """Return what is on or off, and who says so, by the names of the assumptions; nothing where nobody does."""
        states = {
            LISTING: _on(self.listing),
            BODY_LIMIT: "off" if self.max_body_bytes is None else f"{self.max_body_bytes:,} bytes",
            COMPRESSION: _on(self.compression),
            KEY: self.idempotency_key or "off",
        }
        return {name: f"{states[name]}, by {who}" for name, who in self.said_by.items()}

    def __str__(self) -> str:
        """Say so on one line."""
        return "; ".join(f"{name} {said}" for name, said in self.to_dict().items())


def _on(flag: bool | None) -> str:  # noqa: FBT001 - what it is about
    return "tried" if flag is None else ("off", "on")[flag]


def _header_name(name: object) -> str:
    text = name.strip() if isinstance(name, str) else ""
    if not _NAME.fullmatch(text) or text.lower() in _TAKEN:
        raise KognicInputError(
            f"{KEY!r} must be the name of a header of its own, such as Idempotency-Key, not {brief(name)}."
        )
    return text
