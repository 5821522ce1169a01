"""What a task is to do: its operator's arguments as they were rendered, checked, in one record that travels whole.

They are made when the task runs. What is said where a DAG file is parsed needs no record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.classes.arguments import Agreed
from airflow_provider_kognic.core.groups.if_exists import IfExists
from airflow_provider_kognic.core.models import parse_uuid
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.values import check_choice
from airflow_provider_kognic.task.arguments import (
    CHECKS,
    check_class_mapping,
    check_something,
    check_text,
    classes,
    given_options,
    model_results,
    run_manifest,
)
from airflow_provider_kognic.task.arguments.classes import (
    FROM_PREDICTIONS,
    check_class_mapping_goes_with,
    is_proposal_given,
)

if TYPE_CHECKING:
    from airflow_provider_kognic.core.options import MaxFailures
    from airflow_provider_kognic.core.sources.formats.options import FormatOptions
    from airflow_provider_kognic.task.arguments import OnLostJournal, Rows
    from airflow_provider_kognic.task.arguments.scenes import SceneNames


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

    @classmethod
    def of(cls, operator: Any, *, max_connections: int) -> UploadArguments:
        """Make the record when the task runs.

        Args:
            operator: Has the arguments as attributes, rendered.
            max_connections: The connection's, where the operator has none.

        Raises:
            KognicInputError: Naming the first argument that is wrong.
        """

        def checked(name: str, *, used: bool = True) -> Any:
            return CHECKS[name](getattr(operator, name)) if used else None

        options = UploadOptions.of(
            **{"max_connections": max_connections, **given_options(operator, lambda _: True)}
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

    @classmethod
    def of(cls, operator: Any) -> SurveyArguments:
        """Make the record when the task runs.

        Args:
            operator: Has the arguments as attributes, rendered.

        Raises:
            KognicInputError: Naming the first argument that is wrong.
        """
        return cls(
            predictions=operator.predictions,
            manifest=operator.manifest,
            formats=model_results.options_of(operator),
            dataset=None if operator.dataset is None else check_something(operator.dataset, "'dataset'"),
            **{name: check(getattr(operator, name)) for name, check in classes.CHECKS.items()},
        )
