"""A task's run manifest: what its user gave, with what is known besides, and without secrets."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import redact

from airflow_provider_kognic import __version__
from airflow_provider_kognic.core.identity.run_manifest import AIRFLOW
from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.summaries import cut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

# Of each name of Airflow's, and of a source's path.
_MOST_NAME_BYTES, _MOST_PATH_BYTES = 160, 300
_RUN = ("dag_id", "run_id", "task_id", "map_index", "try_number")


def completed(
    given: Mapping[str, Any] | None,
    context: Context,
    *,
    source: str | None = None,
    class_mapping: Sequence[Mapping[str, str]] | None = None,
) -> dict[str, Any] | None:
    """Return a manifest with what is known besides; what the user gave under one of these names stays.

    Args:
        given: As `check_run_manifest` returned it; None for no manifest, to which nothing is added.
        context: The task's.
        source: Where the predictions come from, for people; None where that is not known.
        class_mapping: The group's class mapping; None where it is not known.
    """
    if given is None:
        return None
    ti: Any = context.get("ti")
    run = {name: found for name in _RUN if (found := getattr(ti, name, None)) is not None and found != -1}
    added: dict[str, Any] = {}
    if source is not None:
        added["source"] = {"path": cut(source, _MOST_PATH_BYTES)}
    if class_mapping is not None:
        rows = json.dumps(list(class_mapping), sort_keys=True).encode()
        added["class_mapping"] = {
            "rows": len(class_mapping),
            "digest": f"sha256:{hashlib.sha256(rows).hexdigest()}",
        }
    added["provider"] = f"airflow-provider-kognic {__version__}"
    added[AIRFLOW] = {
        name: cut(found, _MOST_NAME_BYTES) if isinstance(found, str) else found for name, found in run.items()
    }
    return _without_secrets({**given, **{name: value for name, value in added.items() if name not in given}})


def with_digest(manifest: dict[str, Any] | None, digest: str | None) -> dict[str, Any] | None:
    """Return a manifest with the digest of its source, once that is known."""
    source = (manifest or {}).get("source")
    if manifest is None or digest is None or not isinstance(source, dict) or "digest" in source:
        return manifest
    return {**manifest, "source": {**source, "digest": digest}}


def _without_secrets(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest in which what Airflow masks is masked, by its name and by its value, and what URLs hide."""
    shown: Any = redact(manifest)
    return {_masked_name(name): _masked(value) for name, value in shown.items()}


def _masked_name(name: str) -> str:
    return masked(str(redact(name)))


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {_masked_name(name): _masked(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(one) for one in value]
    return value
