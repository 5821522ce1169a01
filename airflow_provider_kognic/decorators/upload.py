"""`@task.kognic_upload`: a function that yields predictions becomes an upload of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    DecoratedOperator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context, TaskDecorator

NAME = "kognic_upload"
# The function stands in for these, and what it yields is Kognic's own format.
_NOT_TAKEN = ("predictions", "manifest", "predictions_format", "scenes", "classes")
# Stands in for the predictions until the task runs.
_YIELDED: tuple[()] = ()


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
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            predictions=_YIELDED,
            **kwargs,
        )

    def execute(self, context: Context) -> dict[str, Any]:
        """Upload what the function yields, and return the summary."""
        from airflow_provider_kognic.core.sources.yielded.source import YieldedSource
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
        try:
            if (
                not may_write_beside()
            ):  # then the function must not ask Airflow for anything while the task does
                source.run_here()
            # Not Airflow's own in between, which on 3.0 would take the summary apart.
            told = UploadPredictionsOperator.execute(self, context)
        except Exception as error:
            if source.error is None:
                raise
            # What went wrong first; how the upload ended, it carries as its context.
            raise source.error from error
        finally:
            source.close()
        if source.error is not None:
            raise source.error
        return told


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
