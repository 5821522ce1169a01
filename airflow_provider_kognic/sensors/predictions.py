"""Sensors that wait for predictions groups and for annotated scenes."""

from __future__ import annotations

from abc import abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.groups.waiting import DatasetScenesQuestion, PredictionsGroupQuestion
from airflow_provider_kognic.core.retries import may_repeat
from airflow_provider_kognic.hooks.kognic import KognicHook
from airflow_provider_kognic.links.kognic import KognicPredictionsGroupLink
from airflow_provider_kognic.task.paths import to_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath
    from airflow.triggers.base import BaseTrigger


class _KognicSensor(BaseSensorOperator):
    """Asks a question; asks once before it defers, so that what is there already costs no trigger."""

    def __init__(self, *, kognic_conn_id: str, deferrable: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kognic_conn_id = kognic_conn_id
        self.deferrable = deferrable
        self._hook: KognicHook | None = None

    @property
    def hook(self) -> KognicHook:
        """The hook, one for all looks of this run, so that they share a token."""
        if self._hook is None:
            self._hook = KognicHook(self.kognic_conn_id)
        return self._hook

    @abstractmethod
    def question(self) -> PredictionsGroupQuestion | DatasetScenesQuestion:
        """Return what to ask, from the rendered arguments; raises KognicInputError."""

    @abstractmethod
    def trigger(self) -> BaseTrigger:
        """Return the trigger that asks the same."""

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002 - Airflow's
        """Ask once.

        Raises:
            AirflowFailException: For an error that asking again will not mend.
        """
        try:
            with self.hook.client as client:  # its connections are not worth keeping till the next look
                answer, sentence = self.question().ask(client)
        except KognicError as error:
            if not may_repeat(error, idempotent=True):
                raise AirflowFailException(str(error)) from error
            self.log.warning("Kognic cannot be asked now, trying again: %s", error)
            return PokeReturnValue(is_done=False)
        self.log.info("%s", sentence)
        return PokeReturnValue(is_done=answer is not None, xcom_value=answer)

    def execute(self, context: Context) -> Any:
        """Wait, on the worker or in the triggerer."""
        if not self.deferrable:
            return self.found(context, super().execute(context))
        try:
            first = self.poke(context)
            trigger = None if first.is_done else self.trigger()
        except (AirflowFailException, KognicError) as error:
            if self.soft_fail or self.never_fail:  # as BaseSensorOperator.execute does
                raise AirflowSkipException(f"Skipping, as soft_fail or never_fail ask: {error}") from error
            raise AirflowFailException(str(error)) from error
        if trigger is None:
            return self.found(context, first.xcom_value)
        return self.defer(
            trigger=trigger,
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout),
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Return what the trigger found; raises AirflowFailException for what it could not mend."""
        if "error" in event:
            raise AirflowFailException(event["error"])
        return self.found(context, event["answer"])

    def found(self, context: Context, answer: Any) -> Any:  # noqa: ARG002 - for those who need it
        """Return the sensor's result."""
        return answer


class PredictionsGroupSensor(_KognicSensor):
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
    operator_extra_links = (KognicPredictionsGroupLink(),)
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

    def question(self) -> PredictionsGroupQuestion:
        """Return what to ask."""
        # Native rendering makes a number of a name such as 20260131.
        name = None if self.name is None else str(self.name)
        return PredictionsGroupQuestion(str(self.dataset), name, self.predictions_group_uuid)

    def trigger(self) -> BaseTrigger:
        """Return the trigger that asks the same."""
        from airflow_provider_kognic.triggers.predictions import PredictionsGroupTrigger

        question = self.question()
        return PredictionsGroupTrigger(
            dataset=question.dataset,
            name=question.name,
            predictions_group_uuid=question.predictions_group_uuid,
            poke_interval=self.poke_interval,
            kognic_conn_id=self.kognic_conn_id,
        )

    def found(self, context: Context, answer: Any) -> Any:
        """Return the group's uuid, having linked to it."""
        hook = self.hook
        try:
            dataset = hook.get_dataset(str(self.dataset)).uuid
        except KognicError as error:
            self.log.warning("No link to the group: %s", error)
        else:
            page = hook.settings.predictions_group_page(dataset, answer)
            KognicPredictionsGroupLink.persist(context, page)
        return answer


class DatasetScenesSensor(_KognicSensor):
    """Waits until a dataset has annotations for scenes, and returns how many it found.

    Only scenes with annotations in the dataset can take predictions (Kognic's documentation).

    Args:
        dataset: The dataset's uuid or exact name (templated).
        scene_uuids: The scenes (templated); or
        predictions: the scenes of an upload's source, as `UploadPredictionsOperator` takes it: folder, glob,
            `.jsonl` file or list of rows (templated).
        min_count: How many of them suffice (all, if None); with neither scenes nor source, of any scenes
            (one, if None) (templated).
        kognic_conn_id: The connection (templated).
        deferrable: Wait in the triggerer rather than on a worker.

    The other arguments are those of every sensor: `poke_interval`, `timeout`, `mode`, `soft_fail`, ...
    """

    template_fields: Sequence[str] = ("dataset", "scene_uuids", "predictions", "min_count", "kognic_conn_id")
    ui_color = "#f3eeff"

    def __init__(
        self,
        *,
        dataset: str,
        scene_uuids: Sequence[str] | None = None,
        predictions: str | ObjectStoragePath | Sequence[Any] | None = None,
        min_count: int | None = None,
        kognic_conn_id: str = KognicHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(kognic_conn_id=kognic_conn_id, deferrable=deferrable, **kwargs)
        self.dataset = dataset
        self.scene_uuids = scene_uuids
        self.predictions = predictions
        self.min_count = min_count

    def question(self) -> DatasetScenesQuestion:
        """Return what to ask; the source is read on the worker, where its files are."""
        return DatasetScenesQuestion(str(self.dataset), self._scenes(), self.min_count)

    def trigger(self) -> BaseTrigger:
        """Return the trigger that asks the same."""
        from airflow_provider_kognic.triggers.predictions import DatasetScenesTrigger

        question = self.question()
        return DatasetScenesTrigger(
            dataset=question.dataset,
            scene_uuids=question.scene_uuids,
            min_count=question.min_count,
            poke_interval=self.poke_interval,
            kognic_conn_id=self.kognic_conn_id,
        )

    def _scenes(self) -> Sequence[str]:
        from airflow_provider_kognic.core.sources.base import scenes_of

        if self.scene_uuids is not None and self.predictions is not None:
            raise KognicInputError("give either 'scene_uuids' or 'predictions', not both.")
        if self.scene_uuids is not None:
            if isinstance(self.scene_uuids, str) or not self.scene_uuids:
                raise KognicInputError(f"'scene_uuids' must be a list of scenes, not {self.scene_uuids!r}.")
            return self.scene_uuids
        if self.predictions is None:
            return ()
        scenes = scenes_of(to_source(self.predictions))
        if not scenes:
            raise KognicInputError(f"'predictions' names no scene to wait for: {self.predictions}.")
        return scenes
