"""What killed attempts leave behind is taken away with the file that killed them."""

import gc
import warnings
from collections.abc import Iterator

import pytest

from airflow_provider_kognic.core.upload.sending import slots

# What a gate waits for after a 429, in seconds, and how much sooner it comes here: a storm takes 2 s instead of 23.
WAITS = (
    "_FIRST_PAUSE",
    "_SHORTEST_PAUSE",
    "_LONGEST_PAUSE",
    "_REFUSED_ADDS",
    "_AFTER_A_TAKEN_ONE",
    "_LONGEST_WAIT",
    "_LENT_FOR",
    "_LENT_EVERY",
)
SOONER = 10


@pytest.fixture(autouse=True)
def quick_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the gate's waits keep their proportions and be shorter."""
    for name in WAITS:
        monkeypatch.setattr(slots, name, getattr(slots, name) / SOONER)


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_to_the_next_file() -> Iterator[None]:
    """Attempts that are killed in this process never close their connections: a process that ends does.

    Whichever test runs when these are collected would be blamed for them.
    """
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
