"""How a journal's files are reached, and what an error of theirs means for it.

Those of this machine are simply used. An object store is asked within bounds, and again where it does not answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.errors import (
    KognicError,
    KognicJournalAccessError,
    KognicJournalError,
    KognicStoreError,
)
from airflow_provider_kognic.core.stores.troubles import Trouble, advice_of, is_empty, trouble_of
from airflow_provider_kognic.core.texts import sentence

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_kognic.core.files import StoredPath
    from airflow_provider_kognic.core.stores.asking import Asking

T = TypeVar("T")

# Bytes; the file of a lease has some hundred.
_SMALL = 1 << 16


class Store:
    """The files of a journal.

    `names`, `read`, `read_small`, `write`, `create` and `remove` are those of `files`, each asked once. What is to
    be done until there is an answer is given to `again`, and has to do no harm when it is done twice.

    Args:
        folder: Where the files are.
        asking: How an object store is asked; None to use it as it is.
    """

    def __init__(self, folder: StoredPath, asking: Asking | None = None) -> None:
        self._folder = folder
        self._asking = None if files.is_local(folder) else asking

    def again(self, what: Callable[[], T], doing: str) -> T:
        """Do something with the files, in an object store until that answers.

        Args:
            what: Does it.
            doing: What the journal is by that, for messages: `read`, `written`, `used`.

        Raises:
            KognicStoreError: The object store did not answer in time, or its credentials have expired.
            Exception: As `what` does otherwise.
        """
        if self._asking is None:
            return what()
        return self._asking.again(what, f"the journal in {self._folder} cannot be {doing}")

    def once(self, call: Callable[[], T], *, size: int = 0) -> T:
        """Do something with the files that reads or writes so many bytes, within bounds."""
        return call() if self._asking is None else self._asking.once(call, size=size)

    def names(self, folder: StoredPath) -> list[str]:
        """See `files.names`; a bucket that is not there is not a folder that is empty."""

        def listed() -> list[str]:
            try:
                return files.listed(folder)
            except FileNotFoundError as error:
                if trouble_of(error) is Trouble.OF_THE_STORE:
                    raise
                return []

        return self.once(listed)

    def read(self, path: StoredPath) -> bytes:
        """See `files.read`."""
        return self.once(lambda: files.read(path))

    def read_small(self, path: StoredPath) -> bytes:
        """Read a file of a few bytes, as a lease's is, in one request."""
        try:
            return self.once(lambda: files.read_up_to(path, _SMALL))
        except Exception as error:
            if is_empty(error):
                return b""
            raise

    def write(self, path: Any, data: bytes) -> None:
        """See `files.write`."""
        self.once(lambda: files.write(path, data), size=len(data))

    def create(self, path: Any, data: bytes) -> None:
        """See `files.create`."""
        self.once(lambda: files.create(path, data), size=len(data))

    def remove(self, path: Any) -> None:
        """See `files.remove`."""
        self.once(lambda: files.remove(path))


def journal_error(error: Exception, folder: StoredPath, doing: str) -> KognicError:
    """Return what an error of a journal's files means for the run: whether another try may help, and what to do.

    Args:
        error: As the files raised it; one of ours stays what it is, but that of a store becomes the journal's.
        folder: Where the files are.
        doing: What was to be done with the journal, for the message: `read`, `written`, `used`.
    """
    if isinstance(error, KognicStoreError):
        return KognicJournalError(
            f"{error.message} What cannot be noted is not sent; a retry goes on from there."
        )
    if isinstance(error, KognicError):
        return error
    local = files.is_local(folder)
    # A folder of this machine that is gone, or is something else, was removed or is not mounted on this worker now.
    passes = local and not isinstance(error, (PermissionError, files.NotAFileError))
    said = sentence(f"the journal in {folder} cannot be {doing}: {type(error).__name__}: {error}")
    if passes or trouble_of(error) not in {Trouble.OF_THE_STORE, Trouble.OF_THE_PATH}:
        return KognicJournalError(
            f"{said} Is the folder there to be read and written for this worker, and is there room?"
        )
    ours = "Is the folder there to be read and written for this worker?"
    theirs = "The store's Airflow connection must be allowed to list, read and write below that path."
    return KognicJournalAccessError(f"{said} {advice_of(error) or (ours if local else theirs)}")
