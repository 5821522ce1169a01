"""What to do where a predictions group of the wanted name is there: known where a Dag file is parsed."""

from __future__ import annotations

from enum import Enum


class IfExists(str, Enum):
    """What to do where groups of the name are there already.

    `reuse` the one there is, which fails if there are several; `fail`; or `create` another.
    """

    REUSE = "reuse"
    FAIL = "fail"
    CREATE = "create"

    @property
    def takes_what_is_there(self) -> bool:
        """Whether the group of the name is returned: also one whose creation nobody remembers."""
        return self is IfExists.REUSE

    @property
    def fails(self) -> bool:
        """Whether a group of the name is an error."""
        return self is IfExists.FAIL
