"""How a sensor looks, on a worker or through a trigger, and what it ends with; what it looks for, others say."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from abc import abstractmethod
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    TaskDeferred,
)

from airflow_provider_kognic.core.errors import KognicError
from airflow_provider_kognic.core.groups.waiting import LEAST_LOOK, in_vain
from airflow_provider_kognic.core.masking import presentable
from airflow_provider_kognic.core.retries import may_repeat
from airflow_provider_kognic.exceptions import KognicTransientError
from airflow_provider_kognic.hooks.kognic import KognicHook
from airflow_provider_kognic.task.arguments import check_something
from airflow_provider_kognic.task.arguments.rendering import HidesSecrets
from airflow_provider_kognic.task.telling.links import TaskLinks

try:
    from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferralTimeout
except ImportError:  # Airflow 3.0
    from airflow.exceptions import (  # type: ignore[no-redef]
        AirflowRescheduleException,
        TaskDeferralTimeout,
    )

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_kognic.core.groups.waiting import Question
    from airflow_provider_kognic.task.live.waiting import Waiting

logger = logging.getLogger(__name__)


class KognicSensor(HidesSecrets, BaseSensorOperator):
    """Asks a question; asks once before it defers, so that what is there already costs no trigger.

    However it waits, a time-out alone is what `soft_fail` skips, and that is `timeout`, not `execution_timeout`:
    what asking again will not mend fails the task at once, and only `never_fail` skips that, too. What happened is
    always said. A look ends with the sensor's time, however long Kognic is silent or asks to wait.
    """

    dataset: str

    def __init__(self, *, kognic_conn_id: str, deferrable: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kognic_conn_id = kognic_conn_id
        self.deferrable = deferrable
        self._hook: KognicHook | None = None
        self._links: TaskLinks | None = None
        self._first = True  # look of this task's run
        self._over: float | None = None  # the time.monotonic() of the sensor's end, and of the look's
        self._look_over = math.inf
        self._last_look = ""
        self._waiting: Waiting | None = None
        self._hopeless: AirflowFailException | None = None

    @property
    def hook(self) -> KognicHook:
        """The hook, one for all looks of this run, so that they share a token."""
        if self._hook is None:
            connection = check_something(self.kognic_conn_id, "'kognic_conn_id'")
            self._hook = KognicHook(connection, stopping=self._is_over, first=self._first)
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

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask once.

        Raises:
            AirflowFailException: For an error that asking again will not mend.
            AirflowSkipException: For such an error where `never_fail` is set.
        """
        if self._over is None:
            left = self._left(context)
            self._over = time.monotonic() + left
            self._first = not context.get("task_reschedule_count")
            self._waiting = self._recorded(context, self.timeout - left)
        try:
            return self._look(self.question(), context)
        except KognicError as error:
            if may_repeat(error, idempotent=True):
                return self._not_now(error)
            raise self._end(str(error)) from presentable(error)

    def execute(self, context: Context) -> Any:
        """Wait, on the worker or in the triggerer."""
        self._over = None
        with self._watched():
            return self._wait(context)

    def _wait(self, context: Context) -> Any:
        try:
            answer = self._look_and_defer(context) if self.deferrable else super().execute(context)
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
        return self._found(context, answer)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Return what the trigger found.

        Raises:
            AirflowFailException: For what the trigger could not mend.
            AirflowSensorTimeout: It did not come in time.
            AirflowSkipException: As `soft_fail` or `never_fail` ask.
        """
        self._first = False
        if "error" in event:
            raise self._end(event["error"])
        if "timed_out" in event:
            self._last_look = event["timed_out"]
            raise self._late(self._too_long())
        return self._found(context, event["answer"])

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after the triggerer, past Airflow's own way for sensors.

        That skips under `soft_fail` whatever happened, a trigger that crashed included, and on Airflow 3.0 not a
        time-out; and it never says what was waited for.
        """
        self._waiting = self._recorded(context)
        self._waiting.resumed()
        with self._watched():
            return self._resume(next_method, next_kwargs, context)

    def _resume(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        try:
            return super(BaseSensorOperator, self).resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout as error:  # the triggerer did not come to say so
            raise self._late(self._too_long()) from presentable(error)
        except (AirflowSkipException, AirflowFailException, AirflowSensorTimeout):
            raise
        except AirflowException as error:
            if self.never_fail:
                raise _skip(str(error)) from presentable(error)
            raise

    def found(self, context: Context, answer: Any) -> Any:  # noqa: ARG002 - for those who need it
        """Return the sensor's result."""
        return answer

    def _found(self, context: Context, answer: Any) -> Any:
        self._look_over = time.monotonic() + LEAST_LOOK  # what is asked for a link is not waited for for long
        return self.found(context, answer)

    def _left(self, context: Context) -> float:
        """Return the seconds that are left of the sensor's time, as Airflow counts it."""
        first = context["ti"].get_first_reschedule_date(context) if self.reschedule else None
        return self.timeout - (0 if first is None else (datetime.now(timezone.utc) - first).total_seconds())

    def _is_over(self) -> bool:
        return time.monotonic() >= self._look_over

    def _end_of_look(self) -> float:
        """Return when a look ends that begins now, as `time.monotonic()` tells it."""
        return max(self._over or math.inf, time.monotonic() + LEAST_LOOK)

    def _look(self, question: Question, context: Context) -> PokeReturnValue:
        self._look_over = self._end_of_look()
        links = self._links = self._links or TaskLinks(context)
        group = getattr(self, "predictions_group_uuid", None)
        links.show(self.hook.settings, self.dataset, group)  # before what may fail
        try:
            with self.hook.client as client:  # its connections are not worth keeping till the next look
                look = question.look(client)
            self._last_look = look.sentence
        finally:
            for dataset in question.found_datasets:
                links.show(self.hook.settings, dataset, group)
        self.log.info("%s", self._last_look)
        if self._waiting is not None:
            self._waiting.look(look.done, look.total)
        return PokeReturnValue(is_done=look.answer is not None, xcom_value=look.answer)

    def _not_now(self, error: KognicError) -> PokeReturnValue:
        self._last_look, now = in_vain(error)
        self.log.warning("%s", now)
        return PokeReturnValue(is_done=False)

    def _look_and_defer(self, context: Context) -> Any:
        until = time.time() + self.timeout
        self._waiting = self._recorded(context)
        self._over = time.monotonic() + self.timeout
        question = None
        try:
            question = self.question()
            first = self._look(question, context)
        except KognicError as error:
            if not may_repeat(error, idempotent=True):
                raise self._end(str(error)) from presentable(error)
            if time.time() >= until:
                self._last_look, _ = in_vain(error)
                raise AirflowSensorTimeout(self._too_long()) from presentable(error)
            if question is None:  # the triggerer cannot find out what to ask
                if self.never_fail:
                    raise _skip(str(error)) from presentable(error)
                raise KognicTransientError(str(error), retry_after=error.retry_after) from presentable(error)
            first = self._not_now(error)
        except Exception as error:
            if self.never_fail:  # as in the other modes
                raise _skip(f"{type(error).__name__}: {error}") from error
            raise
        if first.is_done:
            return first.xcom_value
        if time.time() >= until:
            raise AirflowSensorTimeout(self._too_long())
        return self.defer(
            trigger=self.trigger(question, until),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout),
        )

    def _recorded(self, context: Context, waited: float = 0.0) -> Waiting:
        """Return what records this run's waiting, for whoever watches."""
        from airflow_provider_kognic.task.live.waiting import Waiting

        return Waiting(context, self.waited_for, lambda: getattr(self, "dataset", None), waited)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Record how the waiting ends, unless it goes on elsewhere or later."""
        failed = True
        try:
            yield
            failed = False
        except (TaskDeferred, AirflowRescheduleException):
            self._waiting = None
            raise
        finally:
            if self._waiting is not None:
                self._waiting.end(failed=failed)

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
