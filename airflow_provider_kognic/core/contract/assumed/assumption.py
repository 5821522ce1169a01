"""What is assumed of the service: one assumption, with all that there is to say of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Asked(str, Enum):
    """How the service can be asked for an assumption."""

    DESCRIPTION = "its description"
    GET = "a GET"
    TOKEN = "the token's answer"  # noqa: S105 - words
    NOBODY = "nobody"


@dataclass(frozen=True)
class Switch:
    """What a verdict switches.

    Attributes:
        confirmed: What is done where the assumption is confirmed.
        contradicted: Where it is contradicted.
        unknown: Where nobody knows.
        rests_on: Other assumptions, without which it is no good: where one of them is contradicted, it is off, too.
    """

    confirmed: str
    contradicted: str
    unknown: str
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Assumption:
    """Something that is assumed of Kognic's service.

    Attributes:
        name: Its name: in the table, in a saved contract and in a connection's `assumptions`.
        says: What is assumed, in a sentence.
        used: The modules of `airflow_provider_kognic` that rest on it.
        without: What happens where it is not so.
        source: Where it comes from: a page of Kognic's documentation, or a package and its version.
        asked: How the service can be asked.
        switch: What its verdict switches, for what is optional.
    """

    name: str
    says: str
    used: tuple[str, ...]
    without: str
    source: str
    asked: tuple[Asked, ...]
    switch: Switch | None = None
