"""An operator's arguments: what templates leave open until the task runs, and every check of a value.

Each argument is checked twice, by the same function: where the DAG file is parsed, as far as it is known there, and
when the task runs, as it was rendered. Nothing slow is imported here, as DAG files are parsed all day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.classes.arguments import Agreed, is_proposal
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.groups.ensure import IfExists
from airflow_provider_kognic.core.options import MaxFailures, UploadOptions
from airflow_provider_kognic.core.texts import brief
from airflow_provider_kognic.core.validation.class_mapping import class_mapping_rows
from airflow_provider_kognic.core.values import check_choice, check_flag
from airflow_provider_kognic.task.arguments import model_results, run_manifest
from airflow_provider_kognic.task.arguments.classes import (
    FROM_PREDICTIONS,
    check_class_mapping_goes_with,
    is_proposal_given,
)
from airflow_provider_kognic.task.arguments.rendering import is_known, is_nothing, rendered_to_nothing
from airflow_provider_kognic.task.arguments.scenes import SceneNames, check_scene_cache
from airflow_provider_kognic.task.paths import is_path

if TYPE_CHECKING:
    from airflow_provider_kognic.core.sources.formats.options import FormatOptions

# What names Airflow's task state store, as a journal.
TASK = "task"


class OnLostJournal(Enum):
    """What to do where the journal of earlier tries is gone."""

    FAIL = "fail"
    START_OVER = "start_over"


ClassMapping = Sequence[Mapping[str, str]] | Mapping[str | None, str | None]
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class UploadArguments:
    """What an upload, or its dry run, is to do: the operator's arguments as they were rendered, checked.

    What is not used is not looked at: receipts in a dry run, its report in an upload, a class mapping where nothing
    is held against it.

    Attributes:
        group: The predictions group's uuid.
        predictions: Where the predictions are, or rows of them; `paths.to_source` opens either.
        manifest: Instead of `predictions`, the path of a manifest.
        dataset: The group's dataset, uuid or name, or None.
        formats: What the predictions are, and how they are read.
        max_refused_rows: How many rows of a model's results may be refused, or None for any number.
        options: How to upload.
        journal: A folder, `TASK` for Airflow's task state store, None for what the installation says, or False for
            no journal.
        force: Whether to forget what the journal says of the source's scenes.
        on_lost_journal: What to do where the journal of earlier tries is gone.
        receipts: The path of the receipts, or None.
        class_mapping: The group's class mapping as rows, or None.
        dry_run: Whether only to find out what an upload would do.
        report: The path of a dry run's report, or None.
        scene_names: What the predictions are named by.
        scene_cache: A folder that keeps what is known of scenes, None for one beside the journal, False for none.
        run_manifest: Who made the predictions, as it was given; None for nothing of it.
    """

    group: str
    predictions: Any
    manifest: Any
    dataset: str | None
    formats: FormatOptions
    max_refused_rows: MaxFailures | None
    options: UploadOptions
    journal: Any
    force: bool
    on_lost_journal: OnLostJournal
    receipts: Any
    class_mapping: Rows | None
    dry_run: bool
    report: Any
    scene_names: SceneNames
    scene_cache: Any
    run_manifest: dict[str, Any] | None

    @staticmethod
    def check_parsed(operator: Any) -> None:
        """Say what is wrong as early as it can be known: where the DAG file is parsed.

        Args:
            operator: Has the arguments as attributes; those of its `template_fields` may be templates.

        Raises:
            KognicInputError: Naming the first argument that is wrong.
        """
        UploadOptions.of(**_given_options(operator, lambda name: is_known(operator, name)))
        for name, check in _CHECKS.items():
            if is_known(operator, name):
                check(getattr(operator, name))
        run_manifest.check_parsed(operator)
        model_results.check_parsed(operator, partial(is_known, operator))
        if (operator.predictions is None) == (operator.manifest is None):
            given = "neither is" if operator.predictions is None else "both are"
            raise KognicInputError(f"give either 'predictions' or 'manifest'; {given} given.")

    @classmethod
    def of(cls, operator: Any, *, max_connections: int) -> UploadArguments:
        """Make the record when the task runs.

        Args:
            operator: Has the arguments as attributes, rendered.
            max_connections: The connection's, where the operator has none.

        Raises:
            KognicInputError: Naming the first argument that is wrong.
        """
        from airflow_provider_kognic.core.models import parse_uuid

        def checked(name: str, *, used: bool = True) -> Any:
            return _CHECKS[name](getattr(operator, name)) if used else None

        options = UploadOptions.of(
            **{"max_connections": max_connections, **_given_options(operator, lambda _: True)}
        )
        dry_run = checked("dry_run")
        return cls(
            group=parse_uuid(operator.predictions_group_uuid, "predictions group"),
            predictions=operator.predictions,
            manifest=operator.manifest,
            dataset=None if operator.dataset is None else check_text(operator.dataset, "'dataset'"),
            formats=model_results.options_of(operator),
            max_refused_rows=checked("max_refused_rows"),
            options=options,
            journal=checked("journal"),
            force=checked("force"),
            on_lost_journal=checked("on_lost_journal"),
            receipts=checked("receipts", used=not dry_run),
            class_mapping=checked("class_mapping", used=options.validation.checks_rules),
            dry_run=dry_run,
            report=checked("report", used=dry_run),
            scene_names=checked("scene_names"),
            scene_cache=checked("scene_cache"),
            run_manifest=run_manifest.manifest_of(operator),
        )


@dataclass(frozen=True)
class GroupArguments:
    """Which predictions group to make sure of: the operator's arguments as they were rendered, checked.

    Attributes:
        dataset: The dataset's uuid or name.
        name: The group's name.
        description: Text for people, or None.
        class_mapping: The group's class mapping as rows, or None.
        from_predictions: Whether the mapping is to be made of the predictions' classes instead.
        proposal: A proposal that is to be taken instead, if it was agreed to: its file, or what the survey's task
            handed on; or None.
        agreed: Whether it is agreed to where its file says no.
        predictions: For these: where the predictions are.
        manifest: Instead of `predictions`, the path of a manifest.
        formats: What the predictions are, and how they are read.
        overrides: Rows that replace some of the mapping that is made, or None.
        if_exists: What to do about groups of that name.
        run_manifest: Who makes the predictions, as it was given; None for nothing of it.
    """

    dataset: str
    name: str
    description: str | None
    class_mapping: Rows | None
    from_predictions: bool
    proposal: Any
    agreed: Agreed
    predictions: Any
    manifest: Any
    formats: FormatOptions
    overrides: Rows | None
    if_exists: IfExists
    run_manifest: dict[str, Any] | None

    @staticmethod
    def check_parsed(operator: Any) -> None:
        """Say what is wrong as early as it can be known; see `UploadArguments.check_parsed`."""
        if is_known(operator, "if_exists"):
            check_choice(operator.if_exists, "if_exists", IfExists)
        if is_known(operator, "class_mapping_agreed"):
            Agreed.parse(operator.class_mapping_agreed, "class_mapping_agreed")
        run_manifest.check_parsed(operator)
        model_results.check_parsed(operator, partial(is_known, operator))
        if is_known(operator, "class_mapping"):
            check_class_mapping_goes_with(operator)

    @classmethod
    def of(cls, operator: Any) -> GroupArguments:
        """Make the record when the task runs.

        Args:
            operator: Has the arguments as attributes, rendered.

        Raises:
            KognicInputError: Naming the first argument that is wrong.
        """
        check_class_mapping_goes_with(operator)
        mapping = operator.class_mapping
        surveyed, proposed = mapping == FROM_PREDICTIONS, is_proposal_given(mapping)
        return cls(
            dataset=check_text(operator.dataset, "'dataset'"),
            name=check_text(operator.name, "'name'"),
            description=None if operator.description is None else str(operator.description),
            class_mapping=None if surveyed or proposed else check_class_mapping(mapping),
            from_predictions=surveyed,
            proposal=mapping if proposed else None,
            agreed=Agreed.parse(operator.class_mapping_agreed, "class_mapping_agreed"),
            predictions=operator.predictions,
            manifest=operator.manifest,
            formats=model_results.options_of(operator),
            overrides=check_class_mapping(operator.class_mapping_overrides or None),
            if_exists=check_choice(operator.if_exists, "if_exists", IfExists),
            run_manifest=run_manifest.manifest_of(operator),
        )


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


_CHECKS: dict[str, Callable[[Any], Any]] = {
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


def _given_options(operator: Any, known: Callable[[str], bool]) -> dict[str, Any]:
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
