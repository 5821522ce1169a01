"""A cancelled request that is known not to have left: for the client, which knows, and the upload, which counts."""

from __future__ import annotations

import asyncio


class CancelledBeforeSending(asyncio.CancelledError):
    """The call was cancelled while it waited for a token or a connection: nothing was sent."""
