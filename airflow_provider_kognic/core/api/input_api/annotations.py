"""The documents of scenes' annotations: listed by the input API, and read from where their addresses lead."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.api.contents import Contents
from airflow_provider_kognic.core.api.input_api.client import InputClient, input_host_of
from airflow_provider_kognic.core.errors import KognicRowError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.api.tokens import TokenProvider
    from airflow_provider_kognic.core.retries import Backoff


class SceneDocuments:
    """Reads the documents of scenes' annotations; safe in threads, each of which has connections of its own.

    Args:
        settings: Where Kognic is and how to reach it; `input_host` is the input API.
        tokens: The token provider to share.
        backoff: How often and how long to ask again.
        stopping: Tells whether the caller is to stop; None for who cannot be stopped.

    Raises:
        KognicInputError: The settings have no `input_host`.
    """

    def __init__(
        self,
        settings: Settings,
        tokens: TokenProvider,
        *,
        backoff: Backoff | None = None,
        stopping: Callable[[], bool] | None = None,
    ) -> None:
        input_host_of(settings)
        self._settings = settings
        self._tokens = tokens
        self._backoff = backoff
        self._stopping = stopping
        self._of_thread = threading.local()
        self._lock = threading.Lock()
        self._open: list[tuple[InputClient, Contents]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            made, self._open = self._open, []
        for client, contents in made:
            client.close()
            contents.close()

    def documents(self, scene_uuid: str) -> Sequence[Callable[[], bytes]]:
        """Return what reads each document of a scene's annotations, in the thread that asked.

        Raises:
            KognicNotFoundError: The scene is not known, or there is no such endpoint.
            KognicRowError: What was answered names no annotations.
            KognicError: They cannot be listed.
        """
        client, contents = self._clients()
        return [
            partial(_unnamed, scene_uuid) if address is None else partial(contents.read, address)
            for address in client.annotation_addresses(scene_uuid)
        ]

    def _clients(self) -> tuple[InputClient, Contents]:
        found: tuple[InputClient, Contents] | None = getattr(self._of_thread, "clients", None)
        if found is None:
            backoff, stopping = self._backoff, self._stopping
            found = (
                InputClient(self._settings, tokens=self._tokens, backoff=backoff, stopping=stopping),
                Contents(self._settings, backoff=backoff, stopping=stopping),
            )
            self._of_thread.clients = found
            with self._lock:
                self._open.append(found)
        return found


def _unnamed(scene_uuid: str) -> bytes:
    raise KognicRowError(
        f"an annotation of the scene {scene_uuid} does not say where its document is ('uri')."
    )
