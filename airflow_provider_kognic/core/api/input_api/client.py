"""The input API, one call at a time: a token in, records out."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.api.exchange.calls import Calls
from airflow_provider_kognic.core.api.exchange.repeats import Repeats
from airflow_provider_kognic.core.api.input_api.endpoints import (
    calibrations_url,
    external_ids_body,
    query_url,
    scene_annotations_url,
    scene_query,
    scene_url,
    scene_uuids_body,
)
from airflow_provider_kognic.core.api.input_api.records import (
    Calibration,
    FoundScene,
    SceneSummary,
    annotation_addresses,
    found_scenes,
)
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import KognicInputError, KognicRowError
from airflow_provider_kognic.core.paging import NoWayOnError, Page, Walk
from airflow_provider_kognic.core.texts import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.retries import Backoff


class InputClient:
    """Single calls to the input API, which only read; safe in threads only where each thread has its own.

    Args:
        settings: Where Kognic is and how to reach it; `input_host` is the input API.
        tokens: The token provider to share; a new one if None, which is closed with this client.
        backoff: How often and how long to retry; see `Repeats`.
        sleep: Waits that many seconds between tries; a test may shorten it.
        stopping: Tells whether the caller is to stop; None for who cannot be stopped.

    Raises:
        KognicInputError: The settings have no `input_host`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        tokens: TokenProvider | None = None,
        backoff: Backoff | None = None,
        sleep: Callable[[float], object] = time.sleep,
        stopping: Callable[[], bool] | None = None,
    ) -> None:
        self.settings = settings
        self.host = input_host_of(settings)
        self._own_tokens = tokens is None
        self.tokens = tokens or TokenProvider(settings)
        self._calls = Calls(settings, self.tokens, stopping, self.host)
        self._repeats = Repeats(self._calls, settings.timeout, backoff, sleep)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._calls.close()
        if self._own_tokens:
            self.tokens.close()

    def scene(self, scene_uuid: str, *, invalidated: bool = False) -> SceneSummary:
        """Return a scene's summary.

        Args:
            scene_uuid: The scene's uuid.
            invalidated: Whether an invalidated one is to be shown, too.

        Raises:
            KognicNotFoundError: There is none, or it is invalidated, or no such endpoint.
            KognicRowError: What was answered is none.
            KognicError: It cannot be had.
        """
        url = scene_url(self.host, scene_uuid)
        return SceneSummary.from_api(self.get(url, scene_query(invalidated=invalidated)))

    def calibration(self, calibration_id: str) -> Calibration:
        """Return a calibration; raises KognicError, likewise."""
        found = self.get(calibrations_url(self.host), {"id": calibration_id})
        return Calibration.from_api(found, calibration_id)

    def annotation_addresses(self, scene_uuid: str) -> list[str | None]:
        """Return where the documents of a scene's annotations are; None for one of which that is not said.

        An answer that names a next page by a cursor is followed, as Kognic's own clients do elsewhere.

        Raises:
            KognicNotFoundError: The scene is not known, or there is no such endpoint.
            KognicRowError: What was answered is no list of annotations.
            KognicError: They cannot be had.
        """
        url = scene_annotations_url(self.host, scene_uuid)
        walk: Walk[Any] = Walk(_row_key, by_offset=False)
        rows: list[Any] = []
        while walk.ask is not None:
            page = self._page(url, walk.ask)
            try:
                rows += walk.take(page)
            except NoWayOnError as error:
                raise KognicRowError(
                    f"the annotations of the scene cannot be listed to the end: {sentence(error)}",
                    method="GET",
                    url=url,
                ) from None
        return annotation_addresses(rows)

    def query(self, external_ids: Sequence[str]) -> list[FoundScene]:
        """Return all scenes with these external ids, invalidated ones, too; one id may be that of several scenes.

        Raises:
            KognicNotFoundError: At least one of the ids is of no scene; or no such endpoint.
            KognicError: They cannot be had.
        """
        return found_scenes(self._query(external_ids_body(external_ids)))

    def query_uuids(self, scene_uuids: Sequence[str]) -> list[FoundScene]:
        """Return these scenes, invalidated ones, too; raises KognicNotFoundError where one of them is none."""
        return found_scenes(self._query(scene_uuids_body(scene_uuids)))

    def get(self, url: str, params: Mapping[str, str] | None = None) -> Any:
        """Return what a GET of a URL of this API answers, out of `data` where there is one; raises KognicError."""
        redact = self.tokens.redact
        return self._repeats.run(
            lambda: self._calls.make("GET", url, (), params).content(redact), idempotent=True
        )

    def _query(self, body: bytes) -> list[Any]:
        redact, url = self.tokens.redact, query_url(self.host)
        return self._repeats.run(
            lambda: self._calls.make("POST", url, (body,), None).whole(redact), idempotent=True
        )

    def _page(self, url: str, ask: Mapping[str, str]) -> Page[Any]:
        redact = self.tokens.redact
        return self._repeats.run(
            lambda: self._calls.make("GET", url, (), ask or None).listing(redact), idempotent=True
        )


def _row_key(row: Any) -> str:
    return json.dumps(row, sort_keys=True)


def input_host_of(settings: Settings) -> str:
    """Return the input API's base URL; raises KognicInputError where the settings have none."""
    if settings.input_host is None:
        raise KognicInputError(
            "the connection names no input API: set 'input_host' in its extra, such as"
            ' {"input_host": "https://input.app.kognic.com"}.'
        )
    return settings.input_host
