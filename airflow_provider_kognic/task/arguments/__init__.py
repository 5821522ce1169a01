"""An operator's arguments: what templates leave open until the task runs, and every check of a value.

Each argument is checked twice, by the same function: where the DAG file is parsed, as far as it is known there, and
when the task runs, as it was rendered. Nothing slow is imported here, as DAG files are parsed all day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import Any

from airflow_provider_kognic.core.classes.arguments import Agreed, is_proposal
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.groups.if_exists import IfExists
from airflow_provider_kognic.core.options import MaxFailures, UploadOptions
from airflow_provider_kognic.core.texts import brief
from airflow_provider_kognic.core.validation.class_mapping import class_mapping_rows
from airflow_provider_kognic.core.values import check_choice, check_flag
from airflow_provider_kognic.task.arguments import model_results, run_manifest
from airflow_provider_kognic.task.arguments.classes import (
    check_class_mapping_goes_with,
    check_one_source,
)
from airflow_provider_kognic.task.arguments.kinds import is_path
from airflow_provider_kognic.task.arguments.rendering import is_known, is_nothing, rendered_to_nothing
from airflow_provider_kognic.task.arguments.scenes import SceneNames, check_scene_cache

# What names Airflow's task state store, as a journal.
TASK = "task"


class OnLostJournal(Enum):
    """What to do where the journal of earlier tries is gone."""

    FAIL = "fail"
    START_OVER = "start_over"


ClassMapping = Sequence[Mapping[str, str]] | Mapping[str | None, str | None]
Rows = list[dict[str, str]]


def check_upload_parsed(operator: Any) -> None:
    """Say what is wrong with an upload's arguments as early as it can be known: where the DAG file is parsed.

    Args:
        operator: Has the arguments as attributes; those of its `template_fields` may be templates.

    Raises:
        KognicInputError: Naming the first argument that is wrong.
    """
    UploadOptions.of(**given_options(operator, lambda name: is_known(operator, name)))
    for name, check in CHECKS.items():
        if is_known(operator, name):
            check(getattr(operator, name))
    run_manifest.check_parsed(operator)
    model_results.check_parsed(operator, partial(is_known, operator))
    check_one_source(operator)


def check_group_parsed(operator: Any) -> None:
    """Say what is wrong with a group's arguments as early as it can be known; see `check_upload_parsed`."""
    if is_known(operator, "if_exists"):
        check_choice(operator.if_exists, "if_exists", IfExists)
    if is_known(operator, "class_mapping_agreed"):
        Agreed.parse(operator.class_mapping_agreed, "class_mapping_agreed")
    run_manifest.check_parsed(operator)
    model_results.check_parsed(operator, partial(is_known, operator))
    if is_known(operator, "class_mapping"):
        check_class_mapping_goes_with(operator)


def serializable(mapping: Any) -> Any:
    """Return a class mapping as a serialized Dag can hold it: the key None cannot be written, rows say the same."""
    if isinstance(mapping, Mapping) and None in mapping:
        return [{"annotated": annotated, "predicted": to} for annotated, to in mapping.items()]
    return mapping


def check_text(value: Any, what: str) -> str:
    """Return rendered text; native rendering (`render_template_as_native_obj`) makes a number of `20260131`.

    Raises:
        KognicInputError: It is something else, such as None where a template found nothing.
    """
    text = value
    if isinstance(value, int) and not isinstance(value, bool):
        with suppress(ValueError):  # of thousands of digits Python makes no text
            text = str(value)
    if isinstance(text, str):
        return text
    raise KognicInputError(f"{what} must be text, not {brief(value)}.")


def check_something(value: Any, what: str) -> str:
    """Return rendered text that says something: what nobody ever makes would be waited for in vain.

    Raises:
        KognicInputError: It is no text, or what a template makes of what it does not find: blanks, or "None".
    """
    text = check_text(value, what)
    if text.strip() in {"", "None"}:
        raise rendered_to_nothing(what, text)
    return text


def check_journal(value: Any) -> Any:
    """Return a folder, `TASK`, None or False.

    Raises:
        KognicInputError: It is something else.
    """
    # What templates make of None and False where they do not render natively.
    words: dict[str, bool | None] = {"none": None, "false": False, "true": True}
    found = words.get(value.strip().lower(), value) if isinstance(value, str) else value
    if isinstance(found, str) and found.strip() == TASK:
        return TASK
    if found is None or found is False or is_path(found):
        return found
    raise KognicInputError(
        f"journal must be a folder, {TASK!r} for Airflow's state store, None for what the installation says, or"
        f" False for none, not {brief(value)}."
    )


def check_class_mapping(value: Any) -> Rows | None:
    """Return the rows of a class mapping, or None.

    Raises:
        KognicInputError: It is no class mapping.
    """
    return class_mapping_rows(_unless_none(value))


def check_max_refused_rows(value: Any) -> MaxFailures | None:
    """Return how many rows may be refused, or None for any number.

    Raises:
        KognicInputError: It is neither; what a template makes of None is not taken for any number.
    """
    return None if value is None else MaxFailures.parse(value, "max_refused_rows")


def check_rows_path(value: Any, what: str) -> Any:
    """Return the path of a `.jsonl` file, or None.

    Raises:
        KognicInputError: It is something else.
    """
    found = _unless_none(value)
    if found is not None and not (is_path(found) and str(found).strip().endswith(".jsonl")):
        raise KognicInputError(f"{what} must be the path of a .jsonl file, not {brief(value)}.")
    return found


def _check_held_against(value: Any) -> Rows | None:
    """Return the rows that an upload's classes are held against, which makes no group: those of a proposal, too."""
    return check_class_mapping(value.get("classMapping") if is_proposal(value) else value)


CHECKS: dict[str, Callable[[Any], Any]] = {
    "journal": check_journal,
    "max_refused_rows": check_max_refused_rows,
    "receipts": partial(check_rows_path, what="receipts"),
    "force": partial(check_flag, what="force"),
    "on_lost_journal": partial(check_choice, what="on_lost_journal", choices=OnLostJournal),
    "class_mapping": _check_held_against,
    "dry_run": partial(check_flag, what="dry_run"),
    "report": partial(check_rows_path, what="report"),
    "scene_names": partial(check_choice, what="scene_names", choices=SceneNames),
    "scene_cache": check_scene_cache,
}
_OPTIONS = (
    *("max_connections", "max_failures", "allow_empty", "outage_timeout", "on_ambiguous", "settle_after"),
    *("on_changed", "validation", "scene_check", "max_range_m", "max_document_bytes", "max_memory_bytes"),
)


def given_options(operator: Any, known: Callable[[str], bool]) -> dict[str, Any]:
    """Return the arguments that are options of the upload; without `max_connections` where that is None."""
    given = {name: getattr(operator, name) for name in _OPTIONS if known(name)}
    if given.get("max_connections") is None:
        given.pop("max_connections", None)
    if is_nothing(given.get("max_range_m")) or "scene_check" not in given:  # nobody knows what it goes with
        given.pop("max_range_m", None)
    return given


def _unless_none(value: Any) -> Any:
    """Return the value, or None for what a template makes of None where it does not render natively."""
    return None if is_nothing(value) else value
