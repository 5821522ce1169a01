"""The input API, many calls at a time beside an upload: a token in, records out; nothing is retried here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.api.input_api.client import input_host_of
from airflow_provider_kognic.core.api.input_api.endpoints import (
    calibrations_url,
    external_ids_body,
    query_url,
    scene_query,
    scene_url,
    scene_uuids_body,
)
from airflow_provider_kognic.core.api.input_api.records import (
    Calibration,
    FoundScene,
    SceneSummary,
    found_scenes,
)
from airflow_provider_kognic.core.api.transports import Exchange

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_kognic.core.api.answers import Sunsets
    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.api.tokens import TokenProvider


class AsyncInputClient:
    """Asks the input API; an asynchronous context manager. Every call only reads, so each may be made again.

    Args:
        settings: Where Kognic is and how to reach it; `input_host` is the input API.
        tokens: Hands out tokens.
        places: Counts the requests in flight, where those of another client count among the same; at most
            `settings.max_connections` by itself if None.
        sunsets: Takes note of endpoints that announce their end; a new one if None.

    Raises:
        KognicInputError: The settings have no `input_host`.
    """

    def __init__(
        self,
        settings: Settings,
        tokens: TokenProvider,
        places: asyncio.Semaphore | None = None,
        *,
        sunsets: Sunsets | None = None,
    ) -> None:
        self.settings = settings
        self.host = input_host_of(settings)
        self.tokens = tokens
        self._exchange = Exchange(settings, tokens, base_url=self.host, places=places, sunsets=sunsets)

    async def __aenter__(self) -> Self:
        self._exchange.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exchange.aclose()

    async def scene(self, scene_uuid: str, *, invalidated: bool = False) -> SceneSummary:
        """Return a scene's summary; see `InputClient.scene`."""
        url = scene_url(self.host, scene_uuid)
        return SceneSummary.from_api(await self._get(url, scene_query(invalidated=invalidated)))

    async def calibration(self, calibration_id: str) -> Calibration:
        """Return a calibration; raises KognicError."""
        found = await self._get(calibrations_url(self.host), {"id": calibration_id})
        return Calibration.from_api(found, calibration_id)

    async def query(self, external_ids: Sequence[str]) -> list[FoundScene]:
        """Return all scenes with these external ids; see `InputClient.query`."""
        return found_scenes(await self._query(external_ids_body(external_ids)))

    async def query_uuids(self, scene_uuids: Sequence[str]) -> list[FoundScene]:
        """Return these scenes; see `InputClient.query_uuids`."""
        return found_scenes(await self._query(scene_uuids_body(scene_uuids)))

    async def _get(self, url: str, params: dict[str, str]) -> Any:
        answer = await self._exchange.ask("GET", url, params=params)
        return answer.content(self.tokens.redact)

    async def _query(self, body: bytes) -> list[Any]:
        answer = await self._exchange.ask("POST", query_url(self.host), (body,))
        return answer.whole(self.tokens.redact)
