"""The access tokens in force."""

import hmac
import secrets
import time

from airflow_provider_kognic.emulator import store
from airflow_provider_kognic.emulator.database import Database


class Tokens:
    """The tokens that are valid now, kept by their digests, in memory for speed and in the database.

    Args:
        database: Where clients and tokens are kept.
        lifetime: Seconds that a new token is valid for.
    """

    def __init__(self, database: Database, lifetime: float) -> None:
        self._database = database
        self._lifetime = lifetime
        self._expiries = database.write_and_wait(store.tokens)

    async def issue(self, client_id: str, client_secret: str) -> tuple[str, float] | None:
        """A new token and its lifetime in seconds; None for an unknown client or a wrong secret."""
        expected = await self._database.read(store.secret_digest, client_id)
        right = hmac.compare_digest(store.digest(client_secret), expected or store.digest(""))
        if expected is None or not right:
            return None
        token = secrets.token_urlsafe(32)
        digest, expires_at = store.digest(token), time.time() + self._lifetime
        await self._database.write(store.add_token, digest, client_id, expires_at)
        self._expiries[digest] = expires_at
        return token, self._lifetime

    def is_valid(self, token: str) -> bool:
        """The token was issued, is not revoked and has not expired."""
        return self._expiries.get(store.digest(token), 0.0) > time.time()

    async def revoke(self, token: str) -> None:
        """Make one token invalid; an unknown one is none the worse (RFC 7009, section 2.2)."""
        digest = store.digest(token)
        self._expiries.pop(digest, None)
        await self._database.write(store.remove_tokens, digest)

    async def revoke_all(self) -> int:
        """Make every token invalid; returns how many were revoked."""
        self._expiries.clear()
        return await self._database.write(store.remove_tokens)
