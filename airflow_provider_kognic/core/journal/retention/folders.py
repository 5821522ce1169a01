"""Cleaning all journals beneath a folder, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.journal.lease import TTL
from airflow_provider_kognic.core.journal.retention.cleaning import Cleaner
from airflow_provider_kognic.core.journal.retention.survey import journals_in
from airflow_provider_kognic.core.journal.store import Store, journal_error
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.stores.asking import Asking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.core.files import StoredPath
    from airflow_provider_kognic.core.journal.retention.cleaning import Ages, Cleaned

# Seconds for which a store that does not answer is asked again: whoever started this can start it again.
_OUTAGE = 120.0
_BACKOFF = Backoff(most=3.0)


def clean_all(
    folder: StoredPath, ages: Ages, *, writer: str, dry_run: bool = False, ttl: float = TTL
) -> Iterator[Cleaned]:
    """Clean the journals beneath a folder, and tell of each what became of it.

    Args:
        folder: The folder, as uploads are given it.
        ages: From which age on a journal is compacted or removed.
        writer: Who does it, for people.
        dry_run: Only say what would be done.
        ttl: See `Lease`.

    Raises:
        KognicInputError: There is no such folder.
        KognicJournalError: It cannot be read.
    """

    def store_of(place: StoredPath) -> Store:
        return Store(place, Asking(_OUTAGE, lambda: False, backoff=_BACKOFF))

    try:
        places = journals_in(folder, store_of(folder))
    except FileNotFoundError as error:
        raise KognicInputError(f"{folder} is not there.") from error
    except NotADirectoryError as error:
        raise KognicInputError(f"{folder} is no folder.") from error
    except Exception as error:
        raise journal_error(error, folder, "read") from error
    for place in places:
        yield Cleaner(place, store_of(place.folder), ages, writer=writer, dry_run=dry_run, ttl=ttl).clean()
