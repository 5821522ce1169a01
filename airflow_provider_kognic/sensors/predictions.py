"""Sensors that wait for predictions groups and for annotated scenes."""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.groups.waiting import DatasetScenesQuestion, PredictionsGroupQuestion
from airflow_provider_kognic.core.retries import may_repeat
from airflow_provider_kognic.exceptions import KognicTransientError
from airflow_provider_kognic.hooks.kognic import KognicHook
from airflow_provider_kognic.links.kognic import KognicPredictionsGroupLink
from airflow_provider_kognic.task import model_results
from airflow_provider_kognic.task.arguments import check_text
from airflow_provider_kognic.task.paths import to_source

try:
    from airflow.sdk.exceptions import TaskDeferralTimeout
except ImportError:  # Airflow 3.0
    from airflow.exceptions import TaskDeferralTimeout  # type: ignore[no-redef]

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_kognic.core.groups.waiting import Question

logger = logging.getLogger(__name__)


class _KognicSensor(BaseSensorOperator):
    """Asks a question; asks once before it defers, so that what is there already costs no trigger.

    However it waits, a time-out alone is what `soft_fail` skips, and that is `timeout`, not `execution_timeout`:
    what asking again will not mend fails the task at once, and only `never_fail` skips that, too. What happened is
    always said.
    """

    def __init__(self, *, kognic_conn_id: str, deferrable: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kognic_conn_id = kognic_conn_id
        self.deferrable = deferrable
        self._hook: KognicHook | None = None
        self._last_look = ""
        self._hopeless: AirflowFailException | None = None

    @property
    def hook(self) -> KognicHook:
        """The hook, one for all looks of this run, so that they share a token."""
        if self._hook is None:
            self._hook = KognicHook(self.kognic_conn_id)
        return self._hook

    @abstractmethod
    def question(self) -> Question:
        """Return what to ask, from the rendered arguments; raises KognicError."""

    @abstractmethod
    def trigger(self, question: Any, until: float) -> BaseTrigger:
        """Return the trigger that asks the same until a moment, in seconds since the epoch."""

    @abstractmethod
    def waited_for(self) -> str:
        """Say what is waited for, from the rendered arguments alone."""

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002 - Airflow's
        """Ask once.

        Raises:
            AirflowFailException: For an error that asking again will not mend.
            AirflowSkipException: For such an error where `never_fail` is set.
        """
        try:
            return self._look(self.question())
        except KognicError as error:
            if may_repeat(error, idempotent=True):
                return self._not_now(error)
            raise self._end(str(error)) from error

    def execute(self, context: Context) -> Any:
        """Wait, on the worker or in the triggerer."""
        try:
            answer = self._look_and_defer() if self.deferrable else super().execute(context)
        except AirflowSensorTimeout as error:
            raise self._late(str(error)) from error
        except AirflowTaskTimeout as error:
            if self.never_fail:
                raise _skip(f"{type(error).__name__}: {error}") from error
            raise
        except AirflowSkipException as skipped:
            if self._hopeless is not None:  # Airflow makes a skip of it under soft_fail
                raise self._hopeless from self._hopeless.__cause__
            cause = skipped.__cause__
            if cause is None:
                raise self._late(str(skipped)) from skipped
            if isinstance(cause, AirflowTaskTimeout) and not self.never_fail:
                # The task's own time is over, not the sensor's: something hung.
                raise cause from cause.__cause__
            if str(cause) in str(skipped):
                raise
            raise AirflowSkipException(f"{skipped} {type(cause).__name__}: {cause}") from cause
        return self.found(context, answer)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Return what the trigger found.

        Raises:
            AirflowFailException: For what the trigger could not mend.
            AirflowSensorTimeout: It did not come in time.
            AirflowSkipException: As `soft_fail` or `never_fail` ask.
        """
        if "error" in event:
            raise self._end(event["error"])
        if "timed_out" in event:
            self._last_look = event["timed_out"]
            raise self._late(self._too_long())
        return self.found(context, event["answer"])

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after the triggerer, past Airflow's own way for sensors.

        That skips under `soft_fail` whatever happened, a trigger that crashed included, and on Airflow 3.0 not a
        time-out; and it never says what was waited for.
        """
        try:
            return super(BaseSensorOperator, self).resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout as error:  # the triggerer did not come to say so
            raise self._late(self._too_long()) from error
        except (AirflowSkipException, AirflowFailException, AirflowSensorTimeout):
            raise
        except AirflowException as error:
            if self.never_fail:
                raise _skip(str(error)) from error
            raise

    def found(self, context: Context, answer: Any) -> Any:  # noqa: ARG002 - for those who need it
        """Return the sensor's result."""
        return answer

    def _look(self, question: Question) -> PokeReturnValue:
        with self.hook.client as client:  # its connections are not worth keeping till the next look
            answer, self._last_look = question.ask(client)
        self.log.info("%s", self._last_look)
        return PokeReturnValue(is_done=answer is not None, xcom_value=answer)

    def _not_now(self, error: KognicError) -> PokeReturnValue:
        self._last_look = f"Kognic could not be asked: {error}"
        self.log.warning("Kognic cannot be asked now, trying again: %s", error)
        return PokeReturnValue(is_done=False)

    def _look_and_defer(self) -> Any:
        began = time.time()
        question = None
        try:
            question = self.question()
            first = self._look(question)
        except KognicError as error:
            if not may_repeat(error, idempotent=True):
                raise self._end(str(error)) from error
            if question is None:  # the triggerer cannot find out what to ask
                if self.never_fail:
                    raise _skip(str(error)) from error
                raise KognicTransientError(str(error), retry_after=error.retry_after) from error
            first = self._not_now(error)
        except Exception as error:
            if self.never_fail:  # as in the other modes
                raise _skip(f"{type(error).__name__}: {error}") from error
            raise
        if first.is_done:
            return first.xcom_value
        return self.defer(
            trigger=self.trigger(question, began + self.timeout),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout),
        )

    def _end(self, message: str) -> AirflowException:
        """Return what ends the task for what asking again will not mend."""
        if self.never_fail:
            return _skip(message)
        self._hopeless = AirflowFailException(message)
        return self._hopeless

    def _late(self, message: str) -> AirflowException:
        """Return what ends the task that waited in vain."""
        last = f" Last look: {self._last_look}" if self._last_look else ""
        said = f"{message} It waited for {self.waited_for()}.{last}"
        if not (self.soft_fail or self.never_fail):
            return AirflowSensorTimeout(said)
        logger.warning("Skipping: %s", said)
        return AirflowSkipException(said)

    def _too_long(self) -> str:
        return f"Sensor has timed out after {self.timeout:g} s."


def _skip(message: str) -> AirflowSkipException:
    """Return the skip that `never_fail` asks for, having said why: Airflow itself says so at INFO, if at all."""
    said = f"Skipping, as never_fail asks: {message}"
    logger.warning("%s", said)
    return AirflowSkipException(said)


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
        dataset = check_text(self.dataset, "'dataset'")
        name = None if self.name is None else check_text(self.name, "'name'")
        return PredictionsGroupQuestion(dataset, name, self.predictions_group_uuid)

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
        which = self.predictions_group_uuid if self.name is None else repr(self.name)
        return f"predictions group {which} in dataset {self.dataset}"

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
            `.jsonl` file or list of rows; or what a model wrote (templated).
        predictions_format, scenes, classes, unknown_class, min_confidence, max_per_frame, classes_only, confidence,
            empty_scenes: As for `UploadPredictionsOperator`, which sends the scenes that are waited for, and so are
            the arguments that belong to one format (templated).
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
    ui_color = "#f3eeff"

    @model_results.takes_arguments_of_formats
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
        how = model_results.take_from(kwargs)
        super().__init__(kognic_conn_id=kognic_conn_id, deferrable=deferrable, **kwargs)
        self.dataset = dataset
        self.scene_uuids = scene_uuids
        self.predictions = predictions
        for argument, value in how.items():
            setattr(self, argument, value)
        self.min_count = min_count

    def question(self) -> DatasetScenesQuestion:
        """Return what to ask; the source is read on the worker, where its files are."""
        dataset = check_text(self.dataset, "'dataset'")
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
            which = f"{len(self.scene_uuids)} named scenes"
        elif self.predictions is None:
            which = "scenes"
        elif isinstance(self.predictions, (list, tuple)):
            which = f"the scenes of {len(self.predictions)} predictions"
        else:
            which = f"the scenes of {self.predictions}"
        count = "" if self.min_count is None else f" (min_count: {self.min_count})"
        return f"annotations of {which} in dataset {self.dataset}{count}"

    def _scenes(self) -> Sequence[str]:
        from airflow_provider_kognic.core.sources.base import scenes_of

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
                raise KognicInputError(f"'scene_uuids' must be a list of scenes, not {given!r}.")
            return named
        if self.predictions is None:
            return ()
        scenes = scenes_of(to_source(self.predictions, formats=how))
        if not scenes:
            raise KognicInputError(f"'predictions' names no scene to wait for: {self.predictions}.")
        return scenes
