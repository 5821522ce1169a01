"""An operator that cuts a source into shards, over which uploads are mapped."""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.models import Span
from airflow_provider_kognic.core.sources.ranges.cutting import Limits
from airflow_provider_kognic.core.sources.ranges.shard import Shard
from airflow_provider_kognic.core.texts import many
from airflow_provider_kognic.core.values import check_seconds
from airflow_provider_kognic.retry_policy import RETRY_POLICY, retry_policy_argument
from airflow_provider_kognic.sharding import shard_predictions
from airflow_provider_kognic.task.arguments.rendering import (
    HidesSecrets,
    check_rendered,
    is_known,
    is_running,
    templates_of,
)
from airflow_provider_kognic.task.failures import exception_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath
    from airflow.sdk import RetryPolicy

logger = logging.getLogger(__name__)

_LIMITS = ("shards", "max_items", "max_bytes")


class ShardPredictionsOperator(HidesSecrets, BaseOperator):
    """Cuts a source into shards and returns their descriptions, for an upload that is mapped over them.

    `UploadPredictionsOperator.partial(...).expand(predictions=shards.output)`. A shard is a range of scenes, the
    first and the last one open: every scene is in exactly one, whatever is added to the source later. On Airflow >=
    3.3 a task that is tried again or cleared in the same Dag run returns the same shards, as long as its arguments
    are the same.

    Args:
        predictions: A folder, a glob or a `.jsonl` file, as for `UploadPredictionsOperator` (templated); or
        manifest: a manifest (templated).
        shards: How many there are to be. There may be fewer, as none is empty (templated); or
        max_items: most predictions of one (templated), and
        max_bytes: most bytes of one (templated). A single larger document has a shard of its own. Either or both
            may be given.
        outage_timeout: Seconds for which a store that does not answer is asked again.
        retries: As for every operator, but 2 where neither the task nor `default_args` say otherwise.
        retry_policy: As for `UploadPredictionsOperator`.

    Raises:
        KognicPermanentError: A wrong argument, or a source that cannot be cut.
        KognicTransientError: A store that does not answer; a retry may help.
    """

    template_fields: Sequence[str] = ("predictions", "manifest", *_LIMITS)
    ui_color = "#f3eeff"

    def __init__(
        self,
        *,
        predictions: str | ObjectStoragePath | None = None,
        manifest: str | ObjectStoragePath | None = None,
        shards: int | str | None = None,
        max_items: int | str | None = None,
        max_bytes: int | str | None = None,
        outage_timeout: float = 600.0,
        retries: int | None = 2,
        retry_policy: RetryPolicy | None = RETRY_POLICY,
        **kwargs: Any,
    ) -> None:
        super().__init__(retries=retries, **retry_policy_argument(retry_policy), **kwargs)
        self.predictions = predictions
        self.manifest = manifest
        self.shards = shards
        self.max_items = max_items
        self.max_bytes = max_bytes
        self.outage_timeout = outage_timeout
        self._templates = templates_of(self)
        if not is_running():
            self._check_parsed()

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Cut the source, or find out how an earlier try has cut it."""
        try:
            check_rendered(self, self._templates)
            memory = _Memory(self, context)
            if (kept := memory.load()) is not None:
                self.log.info("Cut as an earlier try of this task has: %s.", many(len(kept), "shard"))
                return kept
            found = shard_predictions(
                self.predictions,
                manifest=self.manifest,
                **{name: getattr(self, name) for name in _LIMITS},
                outage_timeout=self.outage_timeout,
            )
            memory.save(found)
        except KognicError as error:
            raise exception_for(self, error, idempotent=True) from error
        return found

    def _check_parsed(self) -> None:
        if all(is_known(self, name) for name in _LIMITS):
            Limits.of(*(getattr(self, name) for name in _LIMITS))
        if (self.predictions is None) == (self.manifest is None):
            which = "neither is" if self.predictions is None else "both are"
            raise KognicInputError(f"give either 'predictions' or 'manifest'; {which} given.")
        check_seconds(self.outage_timeout, "outage_timeout")


class _Memory:
    """How the task has cut its source, where Airflow has a place to remember it; else nothing is.

    That place is small: it has room for about a thousand shards. More are not remembered, which is said, and the
    source is cut anew then.

    Args:
        operator: The operator, rendered.
        context: The task's.
    """

    def __init__(self, operator: ShardPredictionsOperator, context: Context) -> None:
        from airflow_provider_kognic.task.state_store import SHARDS, TaskStateStoreMemory

        store: Any = context.get("task_state_store")
        given = {name: str(getattr(operator, name)) for name in operator.template_fields}
        self._asked = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()
        self._memory = (
            None
            if store is None
            else TaskStateStoreMemory(store, SHARDS, outage_timeout=operator.outage_timeout)
        )

    def load(self) -> list[dict[str, Any]] | None:
        """Return the shards that were made for the same arguments; raises KognicJournalError."""
        kept = None if self._memory is None else self._memory.load()
        if not isinstance(kept, dict) or kept.get("asked") != self._asked:
            return None
        return _unpacked(kept)

    def save(self, shards: list[dict[str, Any]]) -> None:
        """Remember them; raises KognicJournalError."""
        from airflow_provider_kognic.task.state_store import LARGEST_VALUE

        if self._memory is None:
            return
        value = {"asked": self._asked, **_packed(shards)}
        if len(json.dumps(value)) <= LARGEST_VALUE:
            self._memory.save(value)
            return
        logger.warning(
            "%s shards are more than Airflow can remember: tried again or cleared, this task cuts anew, and"
            " elsewhere where files came meanwhile. So use a folder as the journal, or fewer shards.",
            f"{len(shards):,}",
        )


def _packed(shards: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the shards of one source in a quarter of the bytes: where each begins, its items and its bytes."""
    parts = [Shard.read(one) for one in shards]
    rows = [[(part.span.first or "").replace("-", ""), part.items, part.bytes] for part in parts]
    return {"source": parts[0].path, "is_manifest": parts[0].is_manifest, "shards": rows}


def _unpacked(kept: dict[str, Any]) -> list[dict[str, Any]]:
    rows = kept["shards"]
    ends = [*(str(uuid.UUID(first)) if first else None for first, *_ in rows), None]
    where = kept["source"], kept["is_manifest"]
    return [
        Shard(*where, Span(*ends[index : index + 2]), index, len(rows), items, size).to_dict()
        for index, (_, items, size) in enumerate(rows)
    ]
