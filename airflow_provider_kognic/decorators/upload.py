"""`@task.kognic_upload`: a function that yields predictions becomes an upload of them."""

from __future__ import annotations

import inspect
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    DecoratedOperator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)

from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context, TaskDecorator

    from airflow_provider_kognic.core.sources.yielded.source import YieldedSource

logger = logging.getLogger(__name__)

NAME = "kognic_upload"
# The function stands in for these, and what it yields is Kognic's own format.
_NOT_TAKEN = ("predictions", "manifest", "predictions_format", "scenes", "classes")
# Stands in for the predictions until the task runs.
_YIELDED: tuple[()] = ()
# Seconds that a function gets to come to its end where the upload ended before it did; and where the task is to end
# now, of which "mark failed" in Airflow leaves 5 for everything.
_PATIENCE = 10.0
_LAST = 1.0


class KognicUploadDecoratedOperator(DecoratedOperator, UploadPredictionsOperator):
    """Uploads what a function yields, while it yields; made by `@task.kognic_upload`.

    The function yields `(scene_uuid, document)`. It is called once in each try, with the arguments of its call in
    the Dag and whatever of Airflow's context it names; in a thread of its own, on Airflow < 3.2 in the task's,
    before anything is sent.

    Args:
        python_callable: The function.
        op_args: Its arguments (templated).
        op_kwargs: Its arguments by keyword (templated).
        kwargs: Those of `UploadPredictionsOperator` but `predictions`, `manifest`, and what says how a model's own
            files are read.

    Returns the summary of `UploadPredictionsOperator`. Where the function raises, what it had yielded by then is
    uploaded, and the task ends with what it raised.

    Raises:
        KognicPermanentError: As `UploadPredictionsOperator`.
        KognicTransientError: Likewise.
        KognicTimeoutError: Likewise.
        Exception: What the function raised.
    """

    custom_operator_name = f"@task.{NAME}"
    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *(name for name in UploadPredictionsOperator.template_fields if name not in _NOT_TAKEN),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        "class_mapping": "json",
    }

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        given = [name for name in _NOT_TAKEN if kwargs.get(name) is not None]
        if given:
            raise KognicInputError(
                f"@task.{NAME} takes no {given[0]!r}: it uploads what its function yields, documents in Kognic's"
                " format. UploadPredictionsOperator takes files."
            )
        if inspect.iscoroutinefunction(python_callable) or inspect.isasyncgenfunction(python_callable):
            raise KognicInputError(
                f"@task.{NAME} takes no async function, which {python_callable.__name__}() is: write it without"
                " 'async'; within it, asyncio.run() awaits what has to be awaited."
            )
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            predictions=_YIELDED,
            **kwargs,
        )
        self._source: YieldedSource | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Upload what the function yields, and return the summary."""
        from airflow_provider_kognic.core.sources.yielded.source import YieldedSource
        from airflow_provider_kognic.task.failures import hide_secrets_of
        from airflow_provider_kognic.task.live.recorder import may_write_beside

        context_merge(context, self.op_kwargs)
        kwargs = determine_kwargs(self.python_callable, self.op_args, context)
        ti: Any = context["ti"]
        shard = "" if ti.map_index < 0 else f"[{ti.map_index}]"
        source = YieldedSource(
            partial(self.python_callable, *self.op_args, **kwargs),
            name=getattr(self.python_callable, "__name__", "the function"),
            key=f"{ti.dag_id}/{ti.task_id}{shard}",
            max_bytes=self.max_document_bytes,
        )
        self.predictions = source  # type: ignore[assignment]  # nobody but this gives one
        self._source = source
        ended: Exception | None = None
        deadline = self._begin()  # the function's time is the task's
        try:
            if not may_write_beside():
                source.run_here()  # the function must not ask Airflow for anything while the task does
            # Not Airflow's own in between, which on 3.0 would take the summary apart.
            told = self._run(context, deadline)
        except Exception as error:
            if source.error is None:
                raise
            ended = error
        finally:
            source.close(_LAST if deadline.is_over else _PATIENCE)
        if source.error is None:
            return told
        hide_secrets_of(source.error)
        if ended is not None and isinstance(source.error, KognicError):
            raise ended from source.error  # it tells Airflow whether another try may help
        if ended is not None:
            logger.info("What came of the documents: %s", ended)
        raise source.error  # outside of any `except`, so that what caused it is shown with it

    def on_kill(self) -> None:
        """End the upload in order, and the function at its next document."""
        super().on_kill()
        if self._source is not None:
            self._source.stop()


def kognic_upload_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """Make a task of a function that yields `(scene_uuid, document)`: it uploads them.

    ::

        @task.kognic_upload(dataset="night-drives", predictions_group_uuid="{{ params.group }}")
        def infer(batch):
            for scene in scenes_of(batch):
                yield scene.uuid, model(scene)

    Args:
        python_callable: The function.
        kwargs: See `KognicUploadDecoratedOperator`.
    """
    # The result is the upload's summary: what the function is annotated with says nothing of it.
    kwargs.setdefault("multiple_outputs", False)
    return task_decorator_factory(
        python_callable=python_callable, decorated_operator_class=KognicUploadDecoratedOperator, **kwargs
    )
