"""Access tokens: only their digests are kept."""

import hmac
import secrets
import sqlite3
import time
from dataclasses import dataclass

from airflow_provider_kognic.emulator.storage.clients import digest, secret_digest
from airflow_provider_kognic.emulator.storage.database import Database


@dataclass(frozen=True, kw_only=True)
class Token:
    """What is known of a token.

    Attributes:
        client_id: Whom it was issued to.
        expires_at: Until when it is valid, in seconds since the epoch.
        scopes: What it is for; None for one that was issued where scopes played no part.
    """

    client_id: str
    expires_at: float
    scopes: tuple[str, ...] | None = None


def add_token(db: sqlite3.Connection, token_digest: str, token: Token) -> None:
    """Keep a token (by its digest); drop the expired ones."""
    db.execute("DELETE FROM tokens WHERE expires_at < ?", (time.time(),))
    db.execute("DELETE FROM token_scopes WHERE digest NOT IN (SELECT digest FROM tokens)")
    db.execute("INSERT INTO tokens VALUES (?, ?, ?)", (token_digest, token.client_id, token.expires_at))
    if token.scopes is not None:
        db.execute("INSERT INTO token_scopes VALUES (?, ?)", (token_digest, " ".join(token.scopes)))


def kept_tokens(db: sqlite3.Connection) -> dict[str, Token]:
    """All tokens by their digests."""
    rows = db.execute(
        "SELECT digest, client_id, expires_at, scopes FROM tokens LEFT JOIN token_scopes USING (digest)"
    )
    return {
        token_digest: Token(
            client_id=client_id,
            expires_at=expires_at,
            scopes=None if scopes is None else tuple(scopes.split()),
        )
        for token_digest, client_id, expires_at, scopes in rows
    }


def remove_tokens(db: sqlite3.Connection, token_digest: str | None = None) -> int:
    """Remove one token, or all of them; returns how many there were."""
    if token_digest is None:
        db.execute("DELETE FROM token_scopes")
        return db.execute("DELETE FROM tokens").rowcount
    db.execute("DELETE FROM token_scopes WHERE digest = ?", (token_digest,))
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
        self._kept = database.write_and_wait(kept_tokens)

    async def is_client(self, client_id: str, client_secret: str) -> bool:
        """Whether there is such a client, and this is its secret."""
        expected = await self._database.read(secret_digest, client_id)
        right = hmac.compare_digest(digest(client_secret), expected or digest(""))
        return expected is not None and right

    async def issue(self, client_id: str, scopes: tuple[str, ...] | None = None) -> tuple[str, float]:
        """A new token for a client, and its lifetime in seconds."""
        text = secrets.token_urlsafe(32)
        token = Token(client_id=client_id, expires_at=time.time() + self._lifetime, scopes=scopes)
        await self._database.write(add_token, digest(text), token)
        self._kept[digest(text)] = token
        return text, self._lifetime

    def find(self, text: str) -> Token | None:
        """What is known of a token that was issued, is not revoked and has not expired; None of any other."""
        token = self._kept.get(digest(text))
        return token if token is not None and token.expires_at > time.time() else None

    async def revoke(self, token: str) -> None:
        """Make one token invalid; an unknown one is none the worse (RFC 7009, section 2.2)."""
        token_digest = digest(token)
        self._kept.pop(token_digest, None)
        await self._database.write(remove_tokens, token_digest)

    async def revoke_all(self) -> int:
        """Make every token invalid; returns how many were revoked."""
        self._kept.clear()
        return await self._database.write(remove_tokens)
