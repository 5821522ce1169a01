"""Where the file of a proposal is: written, unless somebody has edited the one that is there, and read again.

What a person has edited, or agreed to, is never written over. It stays, and is what counts, as long as it has a row
for every class that there is now.
"""

from __future__ import annotations

import io
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.classes.agreement import check_still_holds
from airflow_provider_kognic.core.classes.arguments import SUFFIX
from airflow_provider_kognic.core.classes.proposal_file import MOST_BYTES, as_bytes, read
from airflow_provider_kognic.core.classes.proposal_text import text_of
from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.reporting.rows_file import check_place, put, refused_writes
from airflow_provider_kognic.core.stores.troubles import error_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_kognic.core.classes.proposal import Proposal
    from airflow_provider_kognic.core.stores.asking import Asking

logger = logging.getLogger(__name__)


class ProposalFile:
    """The file of a proposal, and beside it the same for people: `classes.json` and `classes.md`.

    Args:
        path: The file.
        argument: Who named it, for messages.
        asking: How an object store is asked; once, for as long as it takes, if None.

    Raises:
        KognicInputError: It does not end in `.json`.
    """

    def __init__(self, path: Any, *, argument: str, asking: Asking | None = None) -> None:
        if not path.name.endswith(SUFFIX) or path.name == SUFFIX:
            raise KognicInputError(
                f"{argument!r} must be the path of a file that ends in {SUFFIX}, not {path}."
            )
        self.path = path
        self.page = path.parent / f"{path.name.removesuffix(SUFFIX)}.md"
        self._argument = argument
        self._asking = asking

    def check(self) -> None:
        """Try out whether it can be written, before anything is done; raises KognicError where it cannot."""
        check_place(self.path, self.page, argument=self._argument, asking=self._asking)

    def read(self) -> Proposal | None:
        """Return what it holds; None where it is not there.

        Raises:
            KognicInputError: It cannot be read, or is no proposal that holds together.
            KognicStoreError: The store does not answer.
        """
        try:
            content = self._ask(partial(files.read_up_to, self.path, MOST_BYTES + 1))
        except FileNotFoundError:
            return None
        except KognicError:
            raise
        except Exception as error:  # stores raise errors of many libraries
            raise error_of(error, f"{self.path} cannot be read") from error
        return read(content, str(self.path))

    def keep_or_write(self, proposal: Proposal) -> Proposal:
        """Write a proposal, unless what is there was edited or agreed to; return what is there then.

        Raises:
            KognicInputError: It cannot be written; or what is there was edited and has no row for what there is
                now, or is something else.
            KognicStoreError: The store does not answer.
        """
        there = self.read()
        if there is None or there.is_as_proposed:
            self._write(proposal)
            return self.read() or proposal
        check_still_holds(there, proposal.predicted, proposal.annotations.classes)
        logger.info(
            "%s stays as it is: somebody has %s, and it has a row for every class that there is now.",
            self.path,
            "agreed to it" if there.agreed else "edited it",
        )
        return there

    def _write(self, proposal: Proposal) -> None:
        for path, content in (
            (self.path, as_bytes(proposal)),
            (self.page, text_of(proposal).encode("utf-8", "backslashreplace")),
        ):
            with refused_writes("class mapping", path):
                put(path, partial(_replace, path, content), self._asking, size=len(content))

    def _ask(self, call: Callable[[], bytes]) -> bytes:
        if self._asking is None or files.is_local(self.path):
            return call()
        asking = self._asking
        return asking.again(lambda: asking.once(call, size=MOST_BYTES), str(self.path))


def read_proposal(path: Any, *, argument: str, asking: Asking | None = None) -> Proposal:
    """Read the file of a proposal; see `ProposalFile`.

    Raises:
        KognicInputError: It is not there, or is none.
        KognicStoreError: The store does not answer.
    """
    found = ProposalFile(path, argument=argument, asking=asking).read()
    if found is None:
        raise KognicInputError(f"{argument!r} is {path}, and there is no such file.")
    return found


def _replace(path: Any, content: bytes) -> None:
    files.replace(path, io.BytesIO(content))
