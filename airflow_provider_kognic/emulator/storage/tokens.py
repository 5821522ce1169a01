"""Access tokens: only their digests are kept."""

import hmac
import secrets
import sqlite3
import time

from airflow_provider_kognic.emulator.storage.clients import digest, secret_digest
from airflow_provider_kognic.emulator.storage.database import Database


def add_token(db: sqlite3.Connection, token_digest: str, client_id: str, expires_at: float) -> None:
    """Keep a token (by its digest) until ``expires_at`` (seconds since the epoch); drop the expired ones."""
    db.execute("DELETE FROM tokens WHERE expires_at < ?", (time.time(),))
    db.execute("INSERT INTO tokens VALUES (?, ?, ?)", (token_digest, client_id, expires_at))


def token_expiries(db: sqlite3.Connection) -> dict[str, float]:
    """All tokens: digest to expiry in seconds since the epoch."""
    return dict(db.execute("SELECT digest, expires_at FROM tokens").fetchall())


def remove_tokens(db: sqlite3.Connection, token_digest: str | None = None) -> int:
    """Remove one token, or all of them; returns how many there were."""
    if token_digest is None:
        return db.execute("DELETE FROM tokens").rowcount
    return db.execute("DELETE FROM tokens WHERE digest = ?", (token_digest,)).rowcount


class Tokens:
    """The tokens that are valid now, kept by their digests, in memory for speed and in the database.

    Args:
        database: Where clients and tokens are kept.
        lifetime: Seconds that a new token is valid for.
    """

    def __init__(self, database: Database, lifetime: float) -> None:
        self._database = database
        self._lifetime = lifetime
        self._expiries = database.write_and_wait(token_expiries)

    async def issue(self, client_id: str, client_secret: str) -> tuple[str, float] | None:
        """A new token and its lifetime in seconds; None for an unknown client or a wrong secret."""
        expected = await self._database.read(secret_digest, client_id)
        right = hmac.compare_digest(digest(client_secret), expected or digest(""))
        if expected is None or not right:
            return None
        token = secrets.token_urlsafe(32)
        token_digest, expires_at = digest(token), time.time() + self._lifetime
        await self._database.write(add_token, token_digest, client_id, expires_at)
        self._expiries[token_digest] = expires_at
        return token, self._lifetime

    def is_valid(self, token: str) -> bool:
        """The token was issued, is not revoked and has not expired."""
        return self._expiries.get(digest(token), 0.0) > time.time()

    async def revoke(self, token: str) -> None:
        """Make one token invalid; an unknown one is none the worse (RFC 7009, section 2.2)."""
        token_digest = digest(token)
        self._expiries.pop(token_digest, None)
        await self._database.write(remove_tokens, token_digest)

    async def revoke_all(self) -> int:
        """Make every token invalid; returns how many were revoked."""
        self._expiries.clear()
        return await self._database.write(remove_tokens)
