"""A cancelled request that certainly never left: the one word that a client and the upload share about it."""

from __future__ import annotations

import asyncio


class CancelledBeforeSending(asyncio.CancelledError):
    """The call was cancelled while it waited for a token or a connection: nothing was sent."""
