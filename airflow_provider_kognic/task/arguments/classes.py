"""The arguments of what surveys classes, and of what takes the class mapping that was proposed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.classes.arguments import SUFFIX, parse_max_scenes
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.texts import brief
from airflow_provider_kognic.core.values import check_connections
from airflow_provider_kognic.task.arguments import model_results
from airflow_provider_kognic.task.arguments.rendering import is_known, is_nothing
from airflow_provider_kognic.task.paths import is_path

if TYPE_CHECKING:
    from airflow_provider_kognic.core.sources.formats.options import FormatOptions


@dataclass(frozen=True)
class SurveyArguments:
    """What to survey: the operator's arguments as they were rendered, checked.

    Attributes:
        predictions: Where the predictions are, or rows of them.
        manifest: Instead of `predictions`, the path of a manifest.
        formats: What the predictions are, and how they are read.
        dataset: The dataset whose annotations are read, uuid or name; None for those of the predictions' scenes.
        max_scenes: Scenes whose annotations are read; None for all.
        max_connections: Most requests in flight; the connection's if None.
        report: The path of the proposal's file, or None.
    """

    predictions: Any
    manifest: Any
    formats: FormatOptions
    dataset: str | None
    max_scenes: int | None
    max_connections: int | None
    report: Any

    @staticmethod
    def check_parsed(operator: Any) -> None:
        """Say what is wrong as early as it can be known; see `UploadArguments.check_parsed`."""
        for name, check in _CHECKS.items():
            if is_known(operator, name):
                check(getattr(operator, name))
        model_results.check_parsed(operator, partial(is_known, operator))
        if (operator.predictions is None) == (operator.manifest is None):
            given = "neither is" if operator.predictions is None else "both are"
            raise KognicInputError(f"give either 'predictions' or 'manifest'; {given} given.")

    @classmethod
    def of(cls, operator: Any) -> SurveyArguments:
        """Make the record when the task runs.

        Args:
            operator: Has the arguments as attributes, rendered.

        Raises:
            KognicInputError: Naming the first argument that is wrong.
        """
        from airflow_provider_kognic.task.arguments import check_something

        return cls(
            predictions=operator.predictions,
            manifest=operator.manifest,
            formats=model_results.options_of(operator),
            dataset=None if operator.dataset is None else check_something(operator.dataset, "'dataset'"),
            **{name: check(getattr(operator, name)) for name, check in _CHECKS.items()},
        )


def check_report(value: Any) -> Any:
    """Return the path of a `.json` file, or None.

    Raises:
        KognicInputError: It is something else.
    """
    if is_nothing(value):
        return None
    if not is_proposal_path(value):
        raise KognicInputError(f"report must be the path of a {SUFFIX} file, not {brief(value)}.")
    return value


def is_proposal_path(value: object) -> bool:
    """Tell whether a value can be the path of a proposal's file."""
    return is_path(value) and str(value).strip().endswith(SUFFIX)


def _check_max_connections(value: Any) -> int | None:
    return None if is_nothing(value) else check_connections(value)


_CHECKS: dict[str, Any] = {
    "max_scenes": parse_max_scenes,
    "max_connections": _check_max_connections,
    "report": check_report,
}
