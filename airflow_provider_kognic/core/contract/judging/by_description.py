"""Every assumption that a description can say something of, and who judges it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_kognic.core.contract.judging import (
    access,
    answers,
    documents,
    endpoints,
    scenes,
    sending,
)
from airflow_provider_kognic.core.contract.judging.verdicts import ALL, there

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.contract.contract import Judgement
    from airflow_provider_kognic.core.contract.description.operations import Described

_OF_ACCESS: tuple[Callable[[Described, Settings], Judgement], ...] = (
    access.token_endpoint,
    access.bearer_token,
    access.token_scopes,
    access.refused_tokens,
)
_OF_THE_API: tuple[Callable[[Described], Judgement], ...] = (
    endpoints.datasets_listing,
    endpoints.groups_listing,
    endpoints.group_creation,
    endpoints.group_body,
    endpoints.class_mapping_rows,
    endpoints.annotations_listing,
    endpoints.prediction_creation,
    endpoints.prediction_body,
    endpoints.predictions_listing,
    endpoints.path_uuids,
    endpoints.lasting_endpoints,
    answers.envelope,
    answers.created_uuid,
    answers.created_at_once,
    answers.annotations_paging,
    answers.whole_listings,
    answers.dataset_rows,
    answers.group_rows,
    answers.group_mapping,
    answers.annotation_rows,
    answers.prediction_rows,
    answers.predictions_paging,
    answers.error_message,
    answers.not_found_404,
    answers.rate_limit_429,
    answers.retry_after,
    answers.sunset_header,
    sending.json_bodies,
    sending.body_limit,
    sending.compression,
    sending.idempotency_key,
    sending.repeated_scene,
    documents.schema_version,
    documents.stream_types,
    documents.geometries,
    scenes.scene_summary,
    scenes.scene_status,
    scenes.scene_query,
    scenes.scene_annotations,
    scenes.calibrations,
)


def announced_in(described: Described) -> dict[str, str]:
    """Return when endpoints end of which the description says so, as it is written there.

    No version of OpenAPI has a word for it; some put it beside `deprecated`, under a name of their own.
    """
    return {
        name: value
        for name, operation in there(described, ALL)
        for key, value in operation.extensions.items()
        if "sunset" in key.lower() and isinstance(value, str)
    }


def judge_description(described: Described, settings: Settings) -> dict[str, Judgement]:
    """Return what a description says of each assumption that it can say something of, by its name."""
    # Each is called as the assumption that it judges.
    found = {judge.__name__: judge(described, settings) for judge in _OF_ACCESS}
    return found | {judge.__name__: judge(described) for judge in _OF_THE_API}
