"""The outlets of an operator: what its user gave, and the alias that its dataset's predictions are announced by."""

from __future__ import annotations

from typing import Any

from airflow_provider_kognic.assets.kognic import predictions_alias
from airflow_provider_kognic.task.arguments.rendering import is_template


def declare(operator: Any) -> list[Any]:
    """Return an operator's outlets with the alias of its dataset, which stands last, and only once.

    A dataset that is a template has no name where the Dag file is parsed: its alias is declared when the task runs,
    under the name that was rendered then. So is that of a mapped task.

    Args:
        operator: Has `dataset` and `outlets`.
    """
    outlets, dataset = list(operator.outlets or ()), operator.dataset
    if not isinstance(dataset, str) or is_template(dataset):
        return outlets
    try:
        alias = predictions_alias(dataset)
    except ValueError:  # no name at all: it is refused by name where the task runs
        return outlets
    return outlets if alias in outlets else [*outlets, alias]
