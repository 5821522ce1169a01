"""Whether documents are sent compressed, as long as the server takes them so.

    off      all as they are
    on --refused for its encoding (415, or a 400 that names it)----------------> given up
    on --refused otherwise (400, 413, 422), and then taken as it is------------> given up
    on --refused otherwise, and refused as it is, too--> on: it was the document

A refusal was not executed, so that the same prediction can be sent again as it is, and nothing is lost to a server
that does not take what somebody said it would. Once it is given up, the rest of the run is sent as it is. An answer
that leaves open whether it was executed, such as a 500, stays in doubt: nothing is sent again for that.
"""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.retries import Verdict, verdict
from airflow_provider_kognic.core.texts import sentence

if TYPE_CHECKING:
    from airflow_provider_kognic.core.api.switches import Switches
    from airflow_provider_kognic.core.errors import KognicError
    from airflow_provider_kognic.core.upload.records import Prepared, ToSend

logger = logging.getLogger(__name__)

# What a server may say of a body that it cannot unpack, or that unpacks to more than it takes.
_PERHAPS = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
_NAMED = re.compile(r"gzip|content-?\s?encoding|compress|unpack|inflate", re.IGNORECASE)
# Bytes of a document that is made plain on the event loop; and that is compressed there, which takes longer.
_SMALL = 64 * 1024
_SMALL_TO_COMPRESS = 16 * 1024


class Packing:
    """Compresses documents, and makes them plain again for a server that refuses them so. Safe in threads.

    Args:
        switches: Say whether that is asked for; None for no.
    """

    def __init__(self, switches: Switches | None = None) -> None:
        self._switches = None if switches is None or not switches.compression else switches

    @property
    def is_on(self) -> bool:
        """Whether documents are compressed."""
        return self._switches is not None

    def takes_long(self, size: int) -> bool:
        """Tell whether a document of so many bytes is not to be compressed on the event loop."""
        return self.is_on and size > _SMALL_TO_COMPRESS

    def prepared(self, scene_uuid: str, document: bytes) -> bytes | Prepared:
        """Return a document as it is to be sent."""
        switches = self._switches
        return document if switches is None else switches.prepared(scene_uuid, document)

    async def as_it_goes(self, send: ToSend) -> ToSend:
        """Return what is to be sent as it is sent now: it may have been compressed before that was given up."""
        return send if self.is_on or isinstance(send.document, bytes) else await _plain(send)

    async def plain_after(self, send: ToSend, error: KognicError) -> ToSend | None:
        """Return what is to be sent in place of what was refused; None where that is not about its encoding.

        Args:
            send: What was sent.
            error: What it was answered with.
        """
        if isinstance(send.document, bytes) or verdict(error) is not Verdict.REFUSED:
            return None
        if error.status not in _PERHAPS:
            return None
        if error.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE or _NAMED.search(error.message):
            self._give_up(error)
        return replace(await _plain(send), packed=error)

    def taken(self, sent: ToSend) -> None:
        """Note that a prediction was created: if it was refused before, that was for its encoding."""
        if sent.packed is not None:
            self._give_up(sent.packed)

    def _give_up(self, why: KognicError) -> None:
        """Compress nothing any more in this run, and say so once."""
        if self.is_on:
            self._switches = None
            logger.warning(
                "The server does not take compressed predictions: %s They are sent as they are from now on; nothing"
                " is lost. Set 'compression=off' in the connection's 'assumptions', or save its contract anew.",
                sentence(why),
            )


async def _plain(send: ToSend) -> ToSend:
    document = send.document
    if isinstance(document, bytes):
        return send
    large = len(document) > _SMALL
    return replace(send, document=await asyncio.to_thread(document.plain) if large else document.plain())
