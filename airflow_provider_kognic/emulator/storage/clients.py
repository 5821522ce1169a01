"""Who may ask for tokens; only digests of secrets are kept."""

import hashlib
import sqlite3


def digest(secret: str) -> str:
    """The SHA-256 of a secret as hexadecimal, which is all that is ever stored of it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def add_client(db: sqlite3.Connection, client_id: str, client_secret: str) -> None:
    """Let a client in, or give a known one a new secret."""
    db.execute("INSERT OR REPLACE INTO clients VALUES (?, ?)", (client_id, digest(client_secret)))


def secret_digest(db: sqlite3.Connection, client_id: str) -> str | None:
    """The digest of a client's secret, None for an unknown client."""
    row = db.execute("SELECT secret_digest FROM clients WHERE id = ?", (client_id,)).fetchone()
    return None if row is None else str(row[0])
