"""The dataset API, many predictions at a time: a token in, uuids out, with httpx."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.api.answers import Sunsets, created_uuid
from airflow_provider_kognic.core.api.dataset_api.endpoints import datasets_url, predictions_url
from airflow_provider_kognic.core.api.dataset_api.records import ListedPrediction
from airflow_provider_kognic.core.api.exchange.compressing import body_of
from airflow_provider_kognic.core.api.switches import Switches
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.api.transports import Exchange
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_kognic.core.api.answers import Answer
    from airflow_provider_kognic.core.api.exchange.compressing import Compressed
    from airflow_provider_kognic.core.api.input_api.async_client import AsyncInputClient
    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.paging import Page


class AsyncKognicClient:
    """Sends predictions, up to `settings.max_connections` at a time; an asynchronous context manager.

    Args:
        settings: Where Kognic is and how to reach it.
        tokens: The token provider to share; a new one if None.
        sunsets: Takes note of endpoints that announce their end; a new one if None.
        switches: What of the API that is optional is made use of; as documented, without any, if None.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        tokens: TokenProvider | None = None,
        sunsets: Sunsets | None = None,
        switches: Switches | None = None,
    ) -> None:
        self.settings = settings
        self.tokens = tokens or TokenProvider(settings)
        self.switches = switches or Switches()
        self._sunsets = Sunsets() if sunsets is None else sunsets
        self._exchange = Exchange(settings, self.tokens, sunsets=self._sunsets)

    async def __aenter__(self) -> Self:
        self._exchange.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exchange.aclose()

    def input_api(self) -> AsyncInputClient:
        """Return a client of the input API, not open yet: its requests count among those of this one.

        Raises:
            KognicInputError: The settings have no `input_host`.
        """
        from airflow_provider_kognic.core.api.input_api.async_client import AsyncInputClient

        return AsyncInputClient(self.settings, self.tokens, self._exchange.places, sunsets=self._sunsets)

    async def create_prediction(
        self,
        predictions_group_uuid: str,
        scene_uuid: str,
        document: bytes | Compressed | Mapping[str, Any],
        *,
        key: str | None = None,
    ) -> str:
        """Send one prediction, once, and return its uuid.

        Nothing is retried here: what to do about an error is the caller's to decide (see `retries`). After a
        401 the next call comes with a new token.

        Args:
            predictions_group_uuid: The group's uuid.
            scene_uuid: The scene's uuid.
            document: `{"openlabel": ...}`, as the bytes of its JSON, which are sent as they are, or as a dict; or
                what `switches.prepared` has made of the bytes.
            key: What this prediction has in the header `switches.idempotency_key`, where that is on.

        Raises:
            KognicInputError: It is larger than `switches.max_body_bytes`, or no prediction at all: it was not sent.
            KognicAmbiguousError: It may have been created.
            KognicError: It was not created.
            CancelledBeforeSending: The task was cancelled, and it was not created.
        """
        url = predictions_url(self.settings.base_url, predictions_group_uuid)
        body, fields = body_of(scene_uuid, document)
        if self.switches.max_body_bytes is not None:
            self._check_size(scene_uuid, len(document) if fields else len(body[1]))
        answer = await self._ask("POST", url, body, more=(*fields, *self.switches.headers(key)))
        return created_uuid(answer.data(self.tokens.redact), url)

    def _check_size(self, scene_uuid: str, size: int) -> None:
        try:
            self.switches.check_document(size)
        except Refused as why:
            raise KognicInputError(f"the prediction of scene {scene_uuid} {why.message}") from None

    async def list_predictions(
        self, predictions_group_uuid: str, ask: Mapping[str, str]
    ) -> Page[ListedPrediction]:
        """Return a page of what a group holds; `paging.Walk` says what to ask for next.

        Kognic documents no such endpoint. It is assumed to be like that of the annotations, and a server that
        lacks it to answer 404 or 405.

        Args:
            predictions_group_uuid: The group's uuid.
            ask: The query of the page.

        Raises:
            KognicRowError: The rows name no predictions and scenes.
            KognicError: The listing cannot be had.
        """
        url = predictions_url(self.settings.base_url, predictions_group_uuid)
        page = (await self._ask("GET", url, params=ask)).page(self.tokens.redact)
        return replace(page, rows=[ListedPrediction.from_api(row) for row in page.rows])

    async def probe(self) -> None:
        """Ask for something harmless, to see whether the API serves at all; raises KognicError if not."""
        answer = await self._ask("GET", datasets_url(self.settings.base_url))
        answer.data(self.tokens.redact)

    async def _ask(self, method: str, url: str, *more: Any, **named: Any) -> Answer:
        if not self._exchange.is_open:
            raise RuntimeError("AsyncKognicClient is an asynchronous context manager: use 'async with'.")
        return await self._exchange.ask(method, url, *more, **named)
