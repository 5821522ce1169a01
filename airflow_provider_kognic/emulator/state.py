"""What all parts of a running emulator share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from airflow_provider_kognic.emulator.stats import Stats

if TYPE_CHECKING:
    from fastapi import Request

    from airflow_provider_kognic.emulator.faults.plan import Faults
    from airflow_provider_kognic.emulator.storage.database import Database
    from airflow_provider_kognic.emulator.storage.tokens import Tokens


@dataclass
class State:
    """The parts of one emulator.

    Attributes:
        database: Where everything is kept.
        tokens: The access tokens in force.
        faults: What the emulator is told to do wrong, and its other switches.
        stats: What was asked of it.
        stopping: Set when the server is told to stop: whatever hangs lets go.
    """

    database: Database
    tokens: Tokens
    faults: Faults
    stats: Stats = field(default_factory=Stats)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


def state_of(request: Request) -> State:
    """The state of the emulator that serves ``request``."""
    return cast("State", request.app.state.emulator)
