"""`run_manifest`, where a Dag file is parsed: what is a template in it is not known yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_kognic.core.identity.run_manifest import check_run_manifest
from airflow_provider_kognic.task.arguments.rendering import is_nothing, is_template


def check_parsed(operator: Any) -> None:
    """Say what is wrong with an operator's manifest as early as it can be known.

    Args:
        operator: Has `run_manifest`, which may be or hold templates.

    Raises:
        KognicInputError: Naming what is wrong.
    """
    if not is_template(operator.run_manifest):
        check_run_manifest(_known(operator.run_manifest))


def manifest_of(operator: Any) -> dict[str, Any] | None:
    """Return an operator's manifest as it was rendered, or None.

    Raises:
        KognicInputError: It is none.
    """
    return None if is_nothing(operator.run_manifest) else check_run_manifest(operator.run_manifest)


def _known(value: Any) -> Any:
    if is_template(value):
        return None
    if isinstance(value, Mapping):
        return {name: _known(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_known(one) for one in value]
    return value
