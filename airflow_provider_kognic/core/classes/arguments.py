"""What people say of a survey and of a proposal; light, as it is imported wherever a DAG file is parsed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.texts import brief
from airflow_provider_kognic.core.values import flag_of

FORMAT = "kognic-class-mapping"
"""What a proposal says of itself in `format`."""
SUFFIX = ".json"
"""How the name of its file ends."""
MOST_SCENES = 100
"""Scenes whose annotations are read where nobody says of how many."""
_ALL = "all"
_DIGITS = 10


class Agreed(Enum):
    """Who agrees to a proposal to which no person has agreed in its file."""

    NO = "false"
    YES = "true"
    EXACT = "exact"

    @classmethod
    def parse(cls, value: object, what: str) -> Agreed:
        """Return it of true, false (or the usual words for them) or "exact".

        Raises:
            KognicInputError: It is something else.
        """
        if isinstance(value, str) and value.strip().lower() == cls.EXACT.value:
            return cls.EXACT
        flag = flag_of(value)
        if flag is None:
            raise KognicInputError(f"{what} must be true, false or {cls.EXACT.value!r}, not {brief(value)}.")
        return cls.YES if flag else cls.NO


def is_proposal(value: object) -> bool:
    """Tell whether a value is a proposal as JSON, rather than a class mapping of its own."""
    return isinstance(value, Mapping) and value.get("format") == FORMAT


def parse_max_scenes(value: object, what: str = "max_scenes") -> int | None:
    """Return of how many scenes the annotations are read; None for all.

    Raises:
        KognicInputError: It is neither a whole number from 1 on, nor "all".
    """
    found = value.strip().lower() if isinstance(value, str) else value
    if found == _ALL:
        return None
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) < _DIGITS:
        found = int(found)
    if isinstance(found, int) and not isinstance(found, bool) and found >= 1:
        return found
    raise KognicInputError(f"{what} must be a whole number from 1 on, or {_ALL!r}, not {brief(value)}.")
