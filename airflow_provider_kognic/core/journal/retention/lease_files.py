"""The files of leases, as somebody sees them who has none of these leases: see `core.journal.lease`."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.journal import holder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_kognic.core.journal.store import Store

# Of all of a source, or of a range of its scenes: see `leases.row_of`.
LEASE = re.compile(r"([0-9a-f]{16}(?:\.(?:[0-9a-f]{32}|start)\.(?:[0-9a-f]{32}|end))?)-(\d{6,})\.lease")


def content_of(store: Store, folder: Any, key: str) -> bytes | None:
    """Return the file of whoever has a lease, or had it last; None where nobody has had it.

    Raises:
        Exception: As the store's library does.
    """

    def look() -> bytes | None:
        names = [name for name, _ in _numbered(store, folder, key)]
        try:
            return store.read(folder / names[-1]) if names else None
        except FileNotFoundError:
            return None

    return store.again(look, "read")


def is_held(store: Store, folder: Any, key: str) -> bool:
    """Tell whether somebody has a lease, or may: not where it was given back, or its holder is certainly dead.

    Raises:
        Exception: As the store's library does.
    """
    content = content_of(store, folder, key)
    return content is not None and not holder.is_free(content)


def discard(store: Store, folder: Any, key: str, facts: Mapping[str, Any]) -> None:
    """Remove the files of a lease that its holder has given back, and of the holders before.

    The oldest first, or one of those that is asleep may miss its successor.

    Args:
        store: How the files are reached.
        folder: Where they are.
        key: The lease's.
        facts: The holder's.

    Raises:
        Exception: As the store's library does.
    """
    names = store.again(lambda: [name for name, _ in _numbered(store, folder, key)], "read")
    for number, name in enumerate(names):
        try:
            content = store.again(partial(store.read, folder / name), "read")
        except FileNotFoundError:  # whoever has the next one has tidied up
            continue
        if holder.is_held_by(content, facts):
            for one in names[: number + 1]:
                store.again(partial(store.remove, folder / one), "written")
            return


def _numbered(store: Store, folder: Any, key: str) -> list[tuple[str, int]]:
    found = (LEASE.fullmatch(name) for name in store.names(folder))
    return sorted(
        ((match[0], int(match[2])) for match in found if match and match[1] == key), key=lambda one: one[1]
    )
