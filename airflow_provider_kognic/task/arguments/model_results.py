"""What a task is told of a model's own files: arguments that all formats share, and those of one format alone.

The latter come with the formats: an operator takes whatever argument any of them has, by its own name, as the
command line does. Airflow asks an operator's class which names `partial` takes and which are templates, so they are
known where the class is made. What they may be is in the format's own file, which is read where it is used.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from airflow_provider_kognic.core.sources.converting.classes import UnknownClass
from airflow_provider_kognic.core.sources.formats.options import (
    OPENLABEL,
    Confidence,
    EmptyScenes,
    FormatOptions,
)
from airflow_provider_kognic.core.sources.formats.registry import ARGUMENTS as OF_FORMATS
from airflow_provider_kognic.task.arguments.rendering import is_nothing, rendered_to_nothing

_Init = TypeVar("_Init", bound=Callable[..., None])

OWN = tuple(dict.fromkeys(name for names in OF_FORMATS.values() for name in names))
"""The names of the arguments that belong to some formats."""

ARGUMENTS: dict[str, Any] = {
    "predictions_format": None,
    "scenes": None,
    "classes": None,
    "unknown_class": UnknownClass.ERROR.value,
    "min_confidence": None,
    "max_per_frame": None,
    "classes_only": None,
    "confidence": Confidence.REFUSE.value,
    "empty_scenes": EmptyScenes.SKIP.value,
    **dict.fromkeys(OWN),
}
"""All of them, with what they are where they are not given. Each may be a template."""


def takes_arguments_of_formats(init: _Init) -> _Init:
    """Have Airflow know those that `init` does not name as an operator's own: for mapping, `default_args`, help.

    Args:
        init: The operator's `__init__`, which finds them among its `**kwargs`: see `take_from`.
    """
    signature = inspect.signature(init)
    *named, rest = signature.parameters.values()
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in ARGUMENTS.items()
        if name not in signature.parameters
    ]
    init.__signature__ = signature.replace(parameters=[*named, *more, rest])  # type: ignore[attr-defined]
    return init


def take_from(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Take them out of what an operator is given, before Airflow sees what it does not know.

    Returns:
        All of them, to be kept as attributes; the defaults of what is not given.
    """
    return {name: kwargs.pop(name, default) for name, default in ARGUMENTS.items()}


def check_parsed(operator: Any, is_known: Callable[[str], bool]) -> None:
    """Say what is wrong where the DAG file is parsed.

    Args:
        operator: Has the arguments as attributes.
        is_known: Tells of each whether it is known yet.

    Raises:
        KognicInputError: Naming the first argument that is wrong.
    """
    given = _given(operator)
    unknown = {name for name in given if not is_known(name)}
    if "predictions_format" in unknown:  # nobody knows what goes with it
        unknown |= {"scenes", "classes", *OWN}
    elif given.get("predictions_format") != OPENLABEL:
        unknown -= {"scenes"}  # whatever it becomes, it is there
    _options({name: value for name, value in given.items() if name not in unknown})


def options_of(operator: Any) -> FormatOptions:
    """Return how predictions are read, of arguments as they were rendered; paths are made when they are opened.

    Raises:
        KognicInputError: Naming the first argument that is wrong.
    """
    return _options(_given(operator))


def _given(operator: Any) -> dict[str, Any]:
    """Return what is given.

    Raises:
        KognicInputError: Something is what a template makes of None: a filter would be off, and nobody would know.
    """
    found = {name: getattr(operator, name) for name in ARGUMENTS}
    for name, value in found.items():
        if ARGUMENTS[name] is None and value is not None and is_nothing(value):
            raise rendered_to_nothing(repr(name), value)
    return {name: value for name, value in found.items() if ARGUMENTS[name] is not None or value is not None}


def _options(given: dict[str, Any]) -> FormatOptions:
    return FormatOptions.of(
        format=given.pop("predictions_format", None),
        arguments={name: given.pop(name) for name in OWN if name in given},
        **given,
    )
