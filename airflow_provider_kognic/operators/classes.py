"""The operator that looks which classes there are, and proposes a class mapping."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_kognic.core.errors import KognicError
from airflow_provider_kognic.hooks.kognic import KognicHook
from airflow_provider_kognic.retry_policy import RETRY_POLICY, retry_policy_argument
from airflow_provider_kognic.task.arguments import model_results
from airflow_provider_kognic.task.arguments.classes import check_survey_parsed
from airflow_provider_kognic.task.arguments.rendering import (
    HidesSecrets,
    check_rendered,
    is_running,
    templates_of,
)
from airflow_provider_kognic.task.failures import exception_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath
    from airflow.sdk import RetryPolicy

# The XCom in which the proposal stands for people, and its rows that are shown there.
TABLE = "table"
_MOST_ROWS = 200


class SurveyClassesOperator(HidesSecrets, BaseOperator):
    """Surveys the classes of predictions and of annotations, and proposes a group's class mapping from their names.

    It only reads. Annotations are read where the connection names the input API (`input_host`) and its credentials
    may; where they cannot be, the log says why, and the proposal what is not known. Nothing is made of a proposal
    until somebody agrees: give it to `CreatePredictionsGroupOperator` as `class_mapping`.

    Args:
        predictions: Where the predictions are, as for `UploadPredictionsOperator` (templated).
        manifest: Instead of `predictions`, likewise (templated).
        predictions_format, scenes, classes, empty_scenes: How a model's own files are read, as for
            `UploadPredictionsOperator`, and so are the arguments of one format alone (templated).
        unknown_class, min_confidence, max_per_frame, classes_only, confidence: Likewise.
        dataset: The dataset's uuid or exact name: of its annotated scenes those are read that have predictions, and
            then others. Without it, only the scenes of the predictions are asked for (templated).
        max_scenes: Of how many scenes the annotations are read, or `all`. Which ones follows from their uuids
            (templated).
        max_connections: Most requests in flight, 1 to 10; the connection's setting if None (templated).
        report: A `.json` file to write the proposal to, for people to edit; beside `c.json`, `c.md` is for people
            to look at. One that somebody has edited or agreed to stays, and is what the task returns, as long as
            it has a row for every class; else the task fails (templated).
        kognic_conn_id: The connection (templated).
        retries: As for every operator, but 2 where neither the task nor `default_args` say otherwise.
        retry_policy: As for `UploadPredictionsOperator`.

    Returns the proposal, with the names of classes and without what was counted of each; and leaves a table for
    people in the XCom `table`, such as for the body of an approval.

    Raises:
        KognicPermanentError: A wrong argument, an unknown dataset, a source without a valid document, a file of a
            former proposal that does not hold any more; without a retry policy, as on Airflow < 3.3, one that is an
            AirflowFailException, too.
        KognicTransientError: Kognic or a store cannot be reached; a retry may help.
    """

    template_fields: Sequence[str] = (
        "predictions",
        "manifest",
        "dataset",
        "max_scenes",
        "max_connections",
        "report",
        "kognic_conn_id",
        *model_results.ARGUMENTS,
    )
    template_fields_renderers = {"classes": "json"}  # noqa: RUF012 - as in BaseOperator
    ui_color = "#f3eeff"

    @model_results.takes_arguments_of_formats
    def __init__(
        self,
        *,
        predictions: str | ObjectStoragePath | Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
        manifest: str | ObjectStoragePath | None = None,
        dataset: str | None = None,
        max_scenes: int | str = 100,
        max_connections: int | str | None = None,
        report: str | ObjectStoragePath | None = None,
        kognic_conn_id: str = KognicHook.default_conn_name,
        retries: int | None = 2,
        retry_policy: RetryPolicy | None = RETRY_POLICY,
        **kwargs: Any,
    ) -> None:
        how = model_results.take_from(kwargs)
        super().__init__(retries=retries, **retry_policy_argument(retry_policy), **kwargs)
        self.predictions = predictions
        self.manifest = manifest
        for argument, value in how.items():
            setattr(self, argument, value)
        self.dataset = dataset
        self.max_scenes = max_scenes
        self.max_connections = max_connections
        self.report = report
        self.kognic_conn_id = kognic_conn_id
        self._stop: threading.Event | None = None
        self._templates = templates_of(self)
        if not is_running():
            check_survey_parsed(self)

    def execute(self, context: Context) -> dict[str, Any]:
        """Survey, and return the proposal."""
        from airflow_provider_kognic.core.classes.proposal_text import text_of
        from airflow_provider_kognic.task.arguments.records import SurveyArguments
        from airflow_provider_kognic.task.classes_job import handed_on, survey_classes

        self._stop = stop = threading.Event()
        hook = KognicHook(self.kognic_conn_id, stopping=stop.is_set)
        try:
            check_rendered(self, self._templates)
            proposal, place = survey_classes(SurveyArguments.of(self), hook, stop.is_set)
            told = handed_on(proposal, place)
        except KognicError as error:
            raise exception_for(self, error, idempotent=True) from error
        table = text_of(proposal, most_rows=_MOST_ROWS)
        self.log.info("%s", table)
        context["ti"].xcom_push(key=TABLE, value=table)
        return told

    def on_kill(self) -> None:
        """End the survey when the task is killed, marked failed or cleared."""
        if self._stop is not None:
            self._stop.set()
