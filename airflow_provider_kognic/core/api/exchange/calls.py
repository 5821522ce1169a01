"""Single requests for who has no event loop; each ends in bounded time, and soon after its caller is to stop."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.api.answers import Sunsets
from airflow_provider_kognic.core.api.exchange.background import Background, Stopped
from airflow_provider_kognic.core.api.transports import Exchange
from airflow_provider_kognic.core.cancellation import CancelledBeforeSending
from airflow_provider_kognic.core.errors import KognicNoAnswerError, KognicStoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import NoReturn

    from airflow_provider_kognic.core.api.answers import Answer
    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.api.tokens import TokenProvider

# Seconds between two looks at whether to stop, while nothing is waited for but time.
_STEP = 0.1


class Calls:
    """Makes one request at a time, on an event loop in the background.

    Args:
        settings: Where Kognic is and how to reach it.
        tokens: Hands out tokens.
        stopping: Tells whether the caller is to stop; None for who cannot be.
        base_url: The API, where it is another one than the dataset API.
        sunsets: Takes note of endpoints that announce their end; a new one if None.
        methods: All that ever leaves here; None for every method.
    """

    def __init__(
        self,
        settings: Settings,
        tokens: TokenProvider,
        stopping: Callable[[], bool] | None,
        base_url: str | None = None,
        *,
        sunsets: Sunsets | None = None,
        methods: Collection[str] | None = None,
    ) -> None:
        self._sunsets = Sunsets() if sunsets is None else sunsets
        self._methods = methods
        self._settings = replace(settings, max_connections=1)
        self._tokens = tokens
        self._base_url = base_url
        self._stopping = stopping or _never
        self._pauses_at_once = stopping is None
        self._exchange: Exchange | None = None
        self._background: Background | None = None

    def make(self, method: str, url: str, body: Sequence[bytes], params: Mapping[str, str] | None) -> Answer:
        """Send a request and return its answer.

        Raises:
            KognicStoppedError: The caller is to stop, and it was not sent, or did no harm.
            KognicNoAnswerError: The caller is to stop, and a POST was on its way; or it was not answered in time.
            KognicError: As `Exchange.ask` does.
        """
        if self._stopping():
            self._stop()
        if self._exchange is None or self._background is None or not self._background.alive:
            exchange = Exchange(
                self._settings,
                self._tokens,
                base_url=self._base_url,
                sunsets=self._sunsets,
                methods=self._methods,
            )
            exchange.open()
            self._exchange, self._background = exchange, Background(self._stopping, exchange.aclose)
        try:
            return self._background.run(partial(self._exchange.ask, method, url, body, params))
        except CancelledBeforeSending:
            self._stop()
        except (asyncio.CancelledError, Stopped):
            if method == "GET":
                self._stop()
            raise KognicNoAnswerError(
                "sent, and cut off while its answer was awaited, as it was asked to stop.",
                method=method,
                url=url,
            ) from None

    def pause(self, seconds: float, sleep: Callable[[float], object]) -> None:
        """Wait between two tries; raises KognicStoppedError where the caller is to stop."""
        if self._pauses_at_once:
            sleep(seconds)
            return
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._stopping():
                self._stop()
            sleep(min(_STEP, left))

    def close(self) -> None:
        """Close the connection."""
        if self._background is not None:
            self._background.close()
        self._exchange = self._background = None

    @staticmethod
    def _stop() -> NoReturn:
        raise KognicStoppedError("asked to stop while Kognic was asked") from None


def _never() -> bool:
    return False
