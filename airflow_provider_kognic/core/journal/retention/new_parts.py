"""The parts that retention writes: what they are called, and how many there are."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from airflow_provider_kognic.core.journal.parts import PartFile
    from airflow_provider_kognic.core.journal.store import Store

# Bytes of lines in one part.
_PART = 4 << 20
_LAST_ATTEMPT = 0xFFFFFFFF


def contents_of_parts(pieces: Iterable[bytes], header: bytes, last: bytes) -> Iterator[bytes]:
    """Yield what each part of an attempt holds; there is one at least.

    Args:
        pieces: What stands in them, in pieces that stay together.
        header: The header of each part but the last one.
        last: That of the last one: what it says holds once all are there.
    """
    held: bytes | None = None
    for chunk in _chunks(pieces):
        if held is not None:
            yield header + b"\n" + held
        held = chunk
    yield last + b"\n" + (held or b"")


def write_part(store: Store, folder: Any, stem: str, number: int, content: bytes) -> None:
    """Write a part, durably; nobody ever sees half of it on a disk.

    Raises:
        Exception: As the store's library does.
    """
    name = f"{stem}-{number:04d}"
    if files.is_local(folder):
        os.close(files.make_whole(folder / f"{name}.jsonl", folder / f"{stem}.begun", content))
    else:
        store.again(lambda: store.write(folder / f"{name}a.jsonl", content), "written")


def _chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield pieces, as many together as go into one part."""
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        if len(gathered) >= _PART:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


def stem_after(found: Sequence[PartFile]) -> str:
    """Return what the names of parts begin with that sort behind those found, and before any later attempt's.

    A write that was not answered may happen long after others have gone on: their lines still come last.
    """
    generation = max(part.generation for part in found)
    highest = max(int(part.attempt, 16) for part in found if part.generation == generation)
    if highest == _LAST_ATTEMPT:
        return f"{generation + 1:06d}-{secrets.token_hex(4)}"
    attempt = highest + 1 + secrets.randbelow(min(_LAST_ATTEMPT - highest, 1 << 24))
    return f"{generation:06d}-{attempt:08x}"
