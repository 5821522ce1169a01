"""What a trigger records of its waiting costs no other trigger its time."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.records import EVERY, LONGEST
from airflow_provider_kognic.triggers import progress

if TYPE_CHECKING:
    from collections.abc import Callable


class TaskInstance:
    dag_id, task_id, run_id, map_index = "d", "t", "r", -1


@pytest.fixture
def xcoms(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Airflow's XComs, which take their time or fail."""
    from airflow.providers.common.compat import sdk

    def being(seconds: float = 0.0, error: Exception | None = None) -> list[Any]:
        written: list[Any] = []

        class XCom:
            @staticmethod
            def get_value(**_: Any) -> Any:
                return {"waits_for": "annotations", "began": "2026-01-01T00:00:00+00:00"}

            @staticmethod
            def set(value: Any, **_: Any) -> None:
                written.append(value)
                time.sleep(seconds)
                if error is not None:
                    raise error

        monkeypatch.setattr(sdk, "XCom", XCom, raising=False)
        return written

    return being


def test_a_slow_airflow_is_asked_less_often(xcoms: Callable[..., list[Any]]) -> None:
    written = xcoms(seconds=EVERY * 1.1)

    async def looks() -> None:
        told = progress.TriggerProgress(TaskInstance())
        for done in range(4):
            await told.look(done, 9)
        await told.look(9, 9, last=True)

    asyncio.run(looks())
    assert [one["done"] for one in written] == [0, 9]  # the last one is not left out


def test_an_airflow_that_fails_is_asked_ever_more_rarely_and_said_once(
    xcoms: Callable[..., list[Any]], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = xcoms(error=RuntimeError("no such server at https://user:secret@store"))
    now = 0.0
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now))

    async def look_each_second() -> list[int]:
        nonlocal now
        told = progress.TriggerProgress(TaskInstance())
        at = []
        for second in range(100):
            now, before = float(second), len(written)
            await told.look(second, None)
            if len(written) > before:
                at.append(second)
        await told.look(100, None, last=True)
        return at

    at = asyncio.run(look_each_second())
    pauses = [later - earlier for earlier, later in pairwise(at)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST
    assert len(written) == len(at)  # nobody waits for one that fails
    said = [one.getMessage() for one in caplog.records if "cannot be recorded" in one.getMessage()]
    assert len(said) == 1
    assert "secret" not in said[0]
