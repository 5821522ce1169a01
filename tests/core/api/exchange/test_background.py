"""What waits in the background is gone as soon as nobody has it any more."""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_kognic.core.api.exchange.background import Background
from tests.patience import wait_for


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def fails() -> None:
    await asyncio.sleep(0)
    raise ConnectionError("as an unreachable host does")


async def nothing() -> None:
    pass


@pytest.mark.usefixtures("uncollected")
def test_an_error_keeps_no_loop() -> None:
    """Else each failed call of a long-lived process has a loop's files until the collector comes by."""

    def said() -> str:
        try:
            Background(lambda: False, nothing).run(fails)
        except ConnectionError as error:
            return str(error)
        return ""

    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_files()
    assert [said() for _ in range(5)] == ["as an unreachable host does"] * 5
    wait_for(lambda: open_files() <= before)
