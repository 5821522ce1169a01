"""Places for journals."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.core.journal.folders import TearingStore, object_store

numbers = itertools.count()


@pytest.fixture(params=["local", "memory", "bad"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A place for journals: on this disk, in a store that knows its trade, and in one that does not."""
    if request.param == "local":
        return tmp_path / "journal"
    return (
        object_store(f"s{next(numbers)}", TearingStore if request.param == "bad" else None)
        / f"j{next(numbers)}"
    )
