"""Whether the server refuses everything for the same reason: then the rest need not be tried."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicError, KognicRequestError
from airflow_provider_kognic.core.upload.sending.group_circuit import ENOUGH

if TYPE_CHECKING:
    from collections.abc import Callable

# What differs from one scene to the next in what a server says.
_VARIABLE = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\d+")


class SameRefusal:
    """Counts refusals in a row that say the same.

        streak 0 --refused--> streak 1 --the same--> ... --the 20th--> the error that ends the run
           ^                      |
           +---- in doubt --------+--another refusal--> streak 1
        once anything was ever created, none of this matters any more

    Args:
        succeeded: Tells whether a prediction of the source was ever created, in this run or an earlier one.
    """

    def __init__(self, succeeded: Callable[[], bool]) -> None:
        self._succeeded = succeeded
        self._said: tuple[int | None, str] | None = None
        self._streak = 0

    def note(self, error: KognicError) -> KognicError | None:
        """Note a refusal; returns the error that ends the run where there were enough."""
        if self._succeeded():
            return None
        said = (error.status, _VARIABLE.sub("…", error.message))
        self._streak = self._streak + 1 if said == self._said else 1
        self._said = said
        if self._streak < ENOUGH:
            return None
        return KognicRequestError(
            f"{ENOUGH} predictions in a row were refused for the same reason and none was"
            f" ever created: {error.message}",
            status=error.status,
            method=error.method,
            url=error.url,
        )

    def interrupted(self) -> None:
        """Note an answer that is no refusal."""
        self._said, self._streak = None, 0
