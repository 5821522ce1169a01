"""Sensors that wait for predictions groups and for annotated scenes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.groups.waiting import (
    DatasetScenesQuestion,
    PredictionsGroupQuestion,
    scenes_to_wait_for,
)
from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.stores.limited import heard
from airflow_provider_kognic.core.texts import brief, many
from airflow_provider_kognic.hooks.kognic import KognicHook
from airflow_provider_kognic.links.kognic import KognicDatasetLink, KognicUploadsLink
from airflow_provider_kognic.sensors.base import KognicSensor
from airflow_provider_kognic.task.arguments import check_something, model_results
from airflow_provider_kognic.task.arguments.rendering import check_rendered, templates_of
from airflow_provider_kognic.task.paths import shown, to_source
from airflow_provider_kognic.task.telling.links import LINKS, TaskLinks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath
    from airflow.triggers.base import BaseTrigger


class PredictionsGroupSensor(KognicSensor):
    """Waits until a predictions group exists, and returns its uuid: people make groups in the app, too.

    Args:
        dataset: The dataset's uuid or exact name (templated).
        name: The group's name (templated); or
        predictions_group_uuid: the group's uuid (templated).
        kognic_conn_id: The connection (templated).
        deferrable: Wait in the triggerer rather than on a worker.

    The other arguments are those of every sensor: `poke_interval`, `timeout`, `mode`, `soft_fail`, ...
    """

    template_fields: Sequence[str] = ("dataset", "name", "predictions_group_uuid", "kognic_conn_id")
    operator_extra_links = LINKS
    ui_color = "#f3eeff"

    def __init__(
        self,
        *,
        dataset: str,
        name: str | None = None,
        predictions_group_uuid: str | None = None,
        kognic_conn_id: str = KognicHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(kognic_conn_id=kognic_conn_id, deferrable=deferrable, **kwargs)
        self.dataset = dataset
        self.name = name
        self.predictions_group_uuid = predictions_group_uuid
        self._templates = templates_of(self)

    def question(self) -> PredictionsGroupQuestion:
        """Return what to ask."""
        check_rendered(self, self._templates)
        dataset = check_something(self.dataset, "'dataset'")
        name, uuid = (
            None if given is None else check_something(given, what)
            for given, what in (
                (self.name, "'name'"),
                (self.predictions_group_uuid, "'predictions_group_uuid'"),
            )
        )
        return PredictionsGroupQuestion(dataset, name, uuid)

    def trigger(self, question: PredictionsGroupQuestion, until: float) -> BaseTrigger:
        """Return the trigger that asks the same until a moment, in seconds since the epoch."""
        from airflow_provider_kognic.triggers.predictions import PredictionsGroupTrigger

        return PredictionsGroupTrigger(
            dataset=question.dataset,
            name=question.name,
            predictions_group_uuid=question.predictions_group_uuid,
            poke_interval=self.poke_interval,
            kognic_conn_id=self.kognic_conn_id,
            until=until,
        )

    def waited_for(self) -> str:
        """Say which group."""
        which = self.predictions_group_uuid if self.name is None else brief(self.name)
        return f"predictions group {which} in dataset {self.dataset}"

    def found(self, context: Context, answer: Any) -> Any:
        """Return the group's uuid, having linked to it."""
        hook = self.hook
        try:
            dataset = hook.get_dataset(str(self.dataset)).uuid
        except KognicError as error:
            self.log.warning("No link to the group: %s", error)
        else:
            (self._links or TaskLinks(context)).show(hook.settings, dataset, answer)
        return answer


class DatasetScenesSensor(KognicSensor):
    """Waits until a dataset has annotations for scenes, and returns how many it found.

    Only scenes with annotations in the dataset can take predictions (Kognic's documentation).

    Args:
        dataset: The dataset's uuid or exact name (templated).
        scene_uuids: The scenes (templated); or
        predictions: the scenes of an upload's source, as `UploadPredictionsOperator` takes it: folder, glob,
            `.jsonl` file, list of rows or shard; or what a model wrote (templated).
        predictions_format, scenes, classes, empty_scenes: As for `UploadPredictionsOperator`, which sends the
            scenes that are waited for, and so are the arguments that belong to one format (templated).
        unknown_class, min_confidence, max_per_frame, classes_only, confidence: Likewise.
        min_count: How many of them suffice (all, if None); with neither scenes nor source, of any scenes
            (one, if None) (templated).
        kognic_conn_id: The connection (templated).
        deferrable: Wait in the triggerer rather than on a worker.

    The other arguments are those of every sensor: `poke_interval`, `timeout`, `mode`, `soft_fail`, ...
    """

    template_fields: Sequence[str] = (
        *("dataset", "scene_uuids", "predictions", "min_count", "kognic_conn_id"),
        *model_results.ARGUMENTS,
    )
    operator_extra_links = (KognicDatasetLink(), KognicUploadsLink())
    ui_color = "#f3eeff"

    @model_results.takes_arguments_of_formats
    def __init__(
        self,
        *,
        dataset: str,
        scene_uuids: Sequence[str] | None = None,
        predictions: str | ObjectStoragePath | Sequence[Any] | Mapping[str, Any] | None = None,
        min_count: int | None = None,
        kognic_conn_id: str = KognicHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        how = model_results.take_from(kwargs)
        super().__init__(kognic_conn_id=kognic_conn_id, deferrable=deferrable, **kwargs)
        self.dataset = dataset
        self.scene_uuids = scene_uuids
        self.predictions = predictions
        for argument, value in how.items():
            setattr(self, argument, value)
        self.min_count = min_count
        self._templates = templates_of(self)

    def question(self) -> DatasetScenesQuestion:
        """Return what to ask; the source is read on the worker, where its files are."""
        check_rendered(self, self._templates)
        dataset = check_something(self.dataset, "'dataset'")
        return DatasetScenesQuestion(dataset, self._scenes(), self.min_count)

    def trigger(self, question: DatasetScenesQuestion, until: float) -> BaseTrigger:
        """Return the trigger that asks the same until a moment, in seconds since the epoch."""
        from airflow_provider_kognic.triggers.predictions import DatasetScenesTrigger

        return DatasetScenesTrigger(
            dataset=question.dataset,
            scene_uuids=question.scene_uuids,
            min_count=question.min_count,
            poke_interval=self.poke_interval,
            kognic_conn_id=self.kognic_conn_id,
            until=until,
        )

    def waited_for(self) -> str:
        """Say which scenes."""
        if self.scene_uuids is not None:
            which = many(len(self.scene_uuids), "named scene")
        elif self.predictions is None:
            which = "scenes"
        else:
            which = f"the scenes of {self._source()}"
        count = "" if self.min_count is None else f" (min_count: {self.min_count})"
        return f"annotations of {which} in dataset {self.dataset}{count}"

    def _scenes(self) -> Sequence[str]:
        how = model_results.options_of(self)
        if self.predictions is None and not how.is_openlabel:
            raise KognicInputError("'scenes' says how 'predictions' are read, and these are not given.")
        if self.scene_uuids is not None and self.predictions is not None:
            raise KognicInputError("give either 'scene_uuids' or 'predictions', not both.")
        if self.scene_uuids is not None:
            given: Any = self.scene_uuids
            listed = isinstance(given, Iterable) and not isinstance(given, (str, bytes, Mapping))
            named = list(given) if listed else []
            if not named:
                raise KognicInputError(f"'scene_uuids' must be a list of scenes, not {brief(given)}.")
            return [check_something(scene, "a scene of 'scene_uuids'") for scene in named]
        if self.predictions is None:
            return ()
        if isinstance(self.predictions, str):
            check_something(self.predictions, "'predictions'")
        until = self._end_of_look()
        with heard(lambda: time.monotonic() >= until):  # the store may hang as well
            return scenes_to_wait_for(to_source(self.predictions, formats=how), self._source())

    def _source(self) -> str:
        """Name where the predictions are."""
        if isinstance(self.predictions, (list, tuple)) and self.predictions:
            return many(len(self.predictions), "prediction")
        given: Any = self.predictions
        return masked(str(shown(given) if isinstance(given, Mapping) else given))
