"""The arguments of what surveys classes, and of what takes the class mapping that was proposed."""

from __future__ import annotations

from functools import partial
from typing import Any

from airflow_provider_kognic.core.classes.arguments import SUFFIX, is_proposal, parse_max_scenes
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.texts import brief
from airflow_provider_kognic.core.values import check_connections
from airflow_provider_kognic.task.arguments import model_results
from airflow_provider_kognic.task.arguments.kinds import is_path
from airflow_provider_kognic.task.arguments.rendering import is_known, is_nothing

FROM_PREDICTIONS = "from_predictions"


def check_survey_parsed(operator: Any) -> None:
    """Say what is wrong with a survey's arguments as early as it can be known: where the DAG file is parsed.

    Args:
        operator: Has the arguments as attributes; those of its `template_fields` may be templates.

    Raises:
        KognicInputError: Naming the first argument that is wrong.
    """
    for name, check in CHECKS.items():
        if is_known(operator, name):
            check(getattr(operator, name))
    model_results.check_parsed(operator, partial(is_known, operator))
    check_one_source(operator)


def check_one_source(operator: Any) -> None:
    """Say that a source is to be named, once.

    Raises:
        KognicInputError: None is, or two are.
    """
    if (operator.predictions is None) == (operator.manifest is None):
        given = "neither is" if operator.predictions is None else "both are"
        raise KognicInputError(f"give either 'predictions' or 'manifest'; {given} given.")


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


def is_proposal_given(mapping: object) -> bool:
    """Tell whether a class mapping is a proposal: its file, or what the survey's task handed on."""
    return is_proposal(mapping) or is_proposal_path(mapping)


def check_class_mapping_goes_with(operator: Any) -> None:
    """Say what does not go together: a source is for `from_predictions`, and that is nothing without one.

    How a source is read may be said without one: `default_args` say it to every task of a Dag.

    Args:
        operator: Has the arguments as attributes.

    Raises:
        KognicInputError: Naming what does not.
    """
    mapping = operator.class_mapping
    if is_proposal_given(mapping):
        if operator.class_mapping_overrides is not None:
            raise KognicInputError(
                f"'class_mapping_overrides' is for class_mapping={FROM_PREDICTIONS!r} only: edit the rows of the"
                " proposal."
            )
        if operator.predictions is not None and operator.manifest is not None:
            raise KognicInputError("give 'predictions' or 'manifest' beside a proposal; both are given.")
    elif mapping != FROM_PREDICTIONS:
        if isinstance(mapping, str) and not is_nothing(mapping):
            raise KognicInputError(
                f"class_mapping must be rows, a dict, {FROM_PREDICTIONS!r}, or the path of a proposal ({SUFFIX}),"
                f" not {brief(mapping)}."
            )
        also = " or a proposal"
        for name, what in (("predictions", also), ("manifest", also), ("class_mapping_overrides", "")):
            if getattr(operator, name) is not None:
                raise KognicInputError(f"{name!r} is for class_mapping={FROM_PREDICTIONS!r}{what} only.")
    elif (operator.predictions is None) == (operator.manifest is None):
        which = "neither is" if operator.predictions is None else "both are"
        raise KognicInputError(
            f"class_mapping={FROM_PREDICTIONS!r} takes either 'predictions' or 'manifest'; {which} given."
        )


def _check_max_connections(value: Any) -> int | None:
    return None if is_nothing(value) else check_connections(value)


CHECKS: dict[str, Any] = {
    "max_scenes": parse_max_scenes,
    "max_connections": _check_max_connections,
    "report": check_report,
}
