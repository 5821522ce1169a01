"""What a task does to survey classes, from its arguments to the proposal; and to use one that was agreed to."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.classes import proposal_file
from airflow_provider_kognic.core.classes.agreement import agreed_rows, check_still_holds
from airflow_provider_kognic.core.classes.arguments import is_proposal
from airflow_provider_kognic.core.classes.proposal_store import ProposalFile, read_proposal
from airflow_provider_kognic.core.classes.survey import Annotations, survey
from airflow_provider_kognic.core.errors import KognicStoppedError
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.stores.asking import Asking
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.task.paths import to_path, to_source

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from airflow_provider_kognic.core.api.client import KognicClient
    from airflow_provider_kognic.core.classes.arguments import Agreed
    from airflow_provider_kognic.core.classes.proposal import Proposal
    from airflow_provider_kognic.core.retries import Backoff
    from airflow_provider_kognic.hooks.kognic import KognicHook
    from airflow_provider_kognic.task.arguments.records import SurveyArguments

logger = logging.getLogger(__name__)

_NO_INPUT_HOST = (
    "the connection names no input API, which lists annotations with their documents. Its extra may have it, as"
    " 'input_host'."
)


def survey_classes(
    arguments: SurveyArguments, hook: KognicHook, stopping: Callable[[], bool]
) -> tuple[Proposal, str | None]:
    """Survey both sides, and return what is proposed and where its file is; None where it has none.

    Where somebody has edited that file, or agreed to it, it is what is returned, as long as it still holds.

    Args:
        arguments: What to survey.
        hook: The connection.
        stopping: Tells whether the task is to stop.

    Raises:
        KognicError: It cannot be surveyed, or its file does not hold any more.
    """
    outage = UploadOptions().outage_timeout
    patience = Patience(outage, ended=stopping)
    file = None
    if arguments.report is not None:
        path = to_path(arguments.report, "'report'")
        file = ProposalFile(path, argument="report", asking=Asking(outage, stopping))
        file.check()
    source = to_source(
        arguments.predictions, arguments.manifest, formats=arguments.formats, patience=patience
    )
    with annotations_of(
        hook.client, arguments.dataset, arguments.max_scenes, arguments.max_connections, stopping
    ) as annotations:
        found = survey(source, annotations, patience=patience, stopping=stopping)
    if file is None:
        return found, None
    return file.keep_or_write(found), str(file.path)


@contextmanager
def annotations_of(
    client: KognicClient,
    dataset: str | None,
    max_scenes: int | None,
    max_connections: int | None,
    stopping: Callable[[], bool],
    *,
    backoff: Backoff | None = None,
) -> Iterator[Annotations]:
    """Yield where annotations are read: by the input API, where the connection names it.

    Args:
        client: Asks for the dataset; its settings and its token are used, too.
        dataset: Whose annotations, uuid or name; None for those of the predictions' scenes.
        max_scenes: Of how many scenes; None for all.
        max_connections: Most requests in flight; the connection's if None.
        stopping: Tells whether nobody waits for it any more.
        backoff: How often and how long to ask again; as for any single call if None.

    Raises:
        KognicError: There is no such dataset, or it cannot be asked for.
    """
    settings = client.settings
    if settings.input_host is None:
        if dataset is not None:
            client.get_dataset(dataset)  # that the name is wrong should not come out later
        yield Annotations(why=_NO_INPUT_HOST)
        return
    from airflow_provider_kognic.core.api.input_api.annotations import SceneDocuments

    found = None if dataset is None else client.get_dataset(dataset)

    def scenes() -> Iterator[str]:
        assert found is not None  # noqa: S101 - only asked where there is one
        for annotation in client.iter_annotations(found.uuid):
            if stopping():
                raise KognicStoppedError("asked to stop while the dataset's annotations were listed")
            yield annotation.scene_uuid

    with SceneDocuments(settings, client.tokens, backoff=backoff, stopping=stopping) as reader:
        yield Annotations(
            reader=reader,
            scenes=None if found is None else scenes,
            most=max_scenes,
            readers=max_connections or settings.max_connections,
        )


def agreed_mapping(
    given: Any, agreed: Agreed, predicted: Callable[[], Collection[str]] | None
) -> list[dict[str, str]]:
    """Return the rows of a proposal that somebody has agreed to.

    Args:
        given: The path of its file, or what the survey's task handed on.
        agreed: Whether it is agreed to where its file says no.
        predicted: Returns the classes that the predictions have now, to be held against it; None where they are not
            to be looked at again.

    Raises:
        KognicInputError: Nobody has; or it is no proposal, or has no row for a class that there is now.
        KognicStoreError: A store does not answer.
    """
    if is_proposal(given):
        proposal = proposal_file.from_json(given, str(given.get("file") or "the proposal that was handed on"))
    else:
        path = to_path(given, "'class_mapping'")
        asking = Asking(UploadOptions().outage_timeout)
        proposal = read_proposal(path, argument="class_mapping", asking=asking)
    rows = agreed_rows(proposal, agreed)
    if predicted is not None:
        check_still_holds(proposal, predicted())
    return rows


def handed_on(proposal: Proposal, place: str | None) -> dict[str, Any]:
    """Return what the survey's task hands on; see `proposal_file.as_xcom`."""
    return proposal_file.as_xcom(replace(proposal, place=""), place)
