"""What a task asks of the input API: whether documents fit their scenes, and which scenes external ids are of."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.journal.ledger import State
from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.sources.manifest import ManifestSource
from airflow_provider_kognic.core.sources.naming.external import by_external_ids
from airflow_provider_kognic.task.arguments.scenes import SceneNames
from airflow_provider_kognic.task.journals.setting import asked_for
from airflow_provider_kognic.task.paths import to_path, to_shard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.files import StoredPath
    from airflow_provider_kognic.core.journal.facade import Journal
    from airflow_provider_kognic.core.scenes.names import ExternalIds
    from airflow_provider_kognic.core.sources.base import Source
    from airflow_provider_kognic.core.stores.patience import Patience
    from airflow_provider_kognic.core.validation.scene_check import SceneChecks
    from airflow_provider_kognic.hooks.kognic import KognicHook
    from airflow_provider_kognic.task.arguments.records import UploadArguments

logger = logging.getLogger(__name__)

# Below the folder of journals, where nothing else is said; no journal has that name.
_BESIDE = "scenes"
_NO_HOST = "the connection names no input API ('input_host' in its extra)"


class SceneQuestions:
    """What is asked of the input API in one upload or dry run; nothing, unless an argument wants it.

    Args:
        arguments: The task's.
        settings: The connection.

    Raises:
        KognicInputError: External ids cannot be used: there is no `input_host`, nowhere to remember which scenes
            they were of, or something is named by scenes already.
        KognicStoreError: Whoever gives out the credentials of a store does not answer.
    """

    def __init__(self, arguments: UploadArguments, settings: Settings) -> None:
        options = arguments.options
        self._arguments, self._settings = arguments, settings
        self._checks: SceneChecks | None = None
        self._names: ExternalIds | None = None
        self._holds = options.scene_check.asks and settings.input_host is not None
        if options.scene_check.asks and settings.input_host is None:
            logger.warning(
                "scene_check is %r, but %s: documents are not checked against their scenes.",
                options.scene_check.value,
                _NO_HOST,
            )
        by_name = arguments.scene_names is SceneNames.EXTERNAL_ID
        self._folder = _folder_of(arguments) if self._holds or by_name else None
        if by_name:
            self._names = self._named()

    def source(self, source: Source) -> Source:
        """Return a source whose entries are named as `scene_names` says.

        Raises:
            KognicInputError: It can only be named by scenes.
        """
        if self._names is None:
            return source
        if isinstance(source, ManifestSource) and source.is_receipts():
            raise KognicInputError(
                f"the manifest {source.path} is the receipts of an upload, which name scenes by their uuids:"
                " scene_names='external_id' does not go with it. Give the task the predictions themselves: what was"
                " created is skipped, as the journal knows it."
            )
        return by_external_ids(source, self._names)

    @asynccontextmanager
    async def opened(
        self,
        hook: KognicHook,
        client: AsyncKognicClient | None,
        journal: Journal | None,
        patience: Patience,
    ) -> AsyncIterator[SceneChecks | None]:
        """Ask from now on; yields what holds documents against their scenes, or None.

        Args:
            hook: The connection.
            client: The upload's client, among whose requests those of the input API count; None for none beside.
            journal: Knows of which scenes something was sent.
            patience: Tells when nobody waits for an answer any more.
        """
        if self._names is None and not self._holds:
            yield None
            return
        from airflow_provider_kognic.core.api.input_api.async_client import AsyncInputClient
        from airflow_provider_kognic.core.api.input_api.waiting import WaitingClient

        if client is None:
            most = self._arguments.options.max_connections
            api = AsyncInputClient(replace(hook.settings, max_connections=most), hook.client.tokens)
        else:
            api = client.input_api()
        kept = "nowhere" if self._folder is None else masked(str(self._folder))
        logger.info("Scenes are asked for at %s; what is known of them is kept in %s.", api.host, kept)
        async with api:
            asks = WaitingClient(api, lambda: patience.closed)
            if self._names is not None:
                self._names.begin(asks, _is_sent(journal), lambda: patience.closed)
            if self._holds:
                self._checks = self._checks_of(asks)
            yield self._checks

    def flush(self) -> None:
        """Keep what is known of scenes for another try."""
        if self._checks is not None:
            self._checks.flush()

    def counts(self) -> dict[str, Any]:
        """Return what the summary says of it; nothing where no document was to be held against its scene."""
        if not self._arguments.options.scene_check.asks:
            return {}
        if self._checks is None:
            return {"scene_check": {"off": _NO_HOST}}
        return {"scene_check": self._checks.counts()}

    def page(self) -> list[str]:
        """Return the lines about it of a page for people."""
        return [] if self._checks is None else self._checks.page()

    def _checks_of(self, asks: Any) -> SceneChecks:
        from airflow_provider_kognic.core.scenes.asking import PATIENCE
        from airflow_provider_kognic.core.scenes.cache import SceneCache
        from airflow_provider_kognic.core.scenes.known import KnownScenes
        from airflow_provider_kognic.core.validation.scene_check import SceneChecks

        options = self._arguments.options
        cache = SceneCache(self._folder, self._host, writes=not self._arguments.dry_run)
        known = KnownScenes(asks, cache, patience=min(PATIENCE, options.outage_timeout))
        return SceneChecks(known, options.scene_check, options.max_range_m)

    @property
    def _host(self) -> str:
        return str(self._settings.input_host).partition("://")[2]

    def _named(self) -> ExternalIds:
        from airflow_provider_kognic.core.scenes.names import ExternalIds

        arguments = self._arguments
        if self._settings.input_host is None:
            raise KognicInputError(
                f"scene_names='external_id' asks the input API which scenes these are, but {_NO_HOST}."
            )
        if not arguments.formats.is_openlabel:
            raise KognicInputError(
                "scene_names='external_id' does not go with a model's own files, whose table names scenes by their"
                " uuids."
            )
        if to_shard(arguments.predictions) is not None:
            raise KognicInputError(
                "scene_names='external_id' does not go with shards, which are ranges of scenes' uuids. Map the task"
                " over folders or manifests instead."
            )
        if self._folder is None and arguments.journal is not False and not arguments.dry_run:
            raise KognicInputError(
                "scene_names='external_id' needs a folder in which it is remembered which scenes these were: a"
                " retry must not send to others. Give the task scene_cache=, or a journal in a folder; or"
                " journal=False, where nothing is remembered at all."
            )
        return ExternalIds(
            self._folder,
            self._host,
            patience=arguments.options.outage_timeout,
            anew=arguments.force,
            writes=not arguments.dry_run,
        )


def _folder_of(arguments: UploadArguments) -> StoredPath | None:
    """Return where it is kept what is known of scenes: where the task says, else beside its journal, or nowhere."""
    if arguments.scene_cache is False:
        return None
    if arguments.scene_cache is not None:
        return to_path(arguments.scene_cache, "'scene_cache'")
    if arguments.journal is False:
        return None
    folder = asked_for(arguments.journal).folder
    return None if folder is None else folder / _BESIDE


def _is_sent(journal: Journal | None) -> Callable[[str], bool]:
    def is_sent(scene_uuid: str) -> bool:
        known = None if journal is None else journal.entry(scene_uuid)
        return known is not None and (known.state is State.CREATED or known.in_doubt)

    return is_sent
