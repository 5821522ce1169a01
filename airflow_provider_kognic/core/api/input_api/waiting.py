"""Waiting for the input API in a thread, while its client runs on an event loop: that of an upload."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError, TimeoutError, wait  # noqa: A004 - not Python's own before 3.11
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_kognic.core.errors import KognicStoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any

    from airflow_provider_kognic.core.api.input_api.async_client import AsyncInputClient
    from airflow_provider_kognic.core.api.input_api.records import Calibration, FoundScene, SceneSummary

T = TypeVar("T")

# Seconds between two looks at whether somebody still waits.
_STEP = 0.2


class WaitingClient:
    """Makes calls on the loop on which this is made, for threads that wait; each call once, nothing is retried.

    Args:
        client: Makes the calls; open as long as anybody waits.
        ended: Tells whether nobody waits for an answer any more.
    """

    def __init__(self, client: AsyncInputClient, ended: Callable[[], bool]) -> None:
        self._client = client
        self._ended = ended
        self._loop = asyncio.get_running_loop()

    def scene(self, scene_uuid: str) -> SceneSummary:
        """See `InputClient.scene`; raises KognicStoppedError where nobody waits any more, as all of these do."""
        return self._wait(lambda: self._client.scene(scene_uuid))

    def calibration(self, calibration_id: str) -> Calibration:
        """See `InputClient.calibration`."""
        return self._wait(lambda: self._client.calibration(calibration_id))

    def query(self, external_ids: Sequence[str]) -> list[FoundScene]:
        """See `InputClient.query`."""
        return self._wait(lambda: self._client.query(external_ids))

    def query_uuids(self, scene_uuids: Sequence[str]) -> list[FoundScene]:
        """See `InputClient.query_uuids`."""
        return self._wait(lambda: self._client.query_uuids(scene_uuids))

    def _wait(self, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._ended() or self._loop.is_closed():
            raise KognicStoppedError("asked to stop before the input API was asked")
        future = asyncio.run_coroutine_threadsafe(call(), self._loop)
        while not wait([future], _STEP).done:
            if self._ended():
                future.cancel()
                break
        try:
            return future.result(0)
        except (CancelledError, TimeoutError) as error:
            raise KognicStoppedError("asked to stop while the input API was asked") from error
        finally:
            del future  # to which an error leads by this frame
