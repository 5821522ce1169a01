"""What is assumed of which endpoints of the dataset API there are, and of what they take."""

from __future__ import annotations

from airflow_provider_kognic.core.contract.assumed import sources
from airflow_provider_kognic.core.contract.assumed.assumption import Asked, Assumption, Switch

_ENDPOINTS = ("core/api/dataset_api/endpoints.py",)
_BOTH = (Asked.DESCRIPTION, Asked.GET)

ENDPOINTS = (
    Assumption(
        "description_page",
        "The service describes itself on a page at /api.",
        ("core/contract",),
        "Only what a few GETs show is known; all else stays unknown.",
        sources.INTRODUCTION,
        (Asked.GET,),
    ),
    Assumption(
        "datasets_listing",
        "GET /v2/datasets lists the datasets.",
        _ENDPOINTS,
        "Datasets cannot be named by their names, and the Test button says no.",
        sources.INTRODUCTION,
        _BOTH,
    ),
    Assumption(
        "groups_listing",
        "GET /v1/datasets/{uuid}/predictions-groups lists a dataset's predictions groups.",
        _ENDPOINTS,
        "Groups cannot be found by their names; a group whose creation was not answered cannot be looked for.",
        sources.UPLOADING,
        _BOTH,
    ),
    Assumption(
        "group_creation",
        "POST /v1/datasets/{uuid}/predictions-groups makes a predictions group.",
        _ENDPOINTS,
        "CreatePredictionsGroupOperator fails; groups that a person made can be used.",
        sources.UPLOADING,
        (Asked.DESCRIPTION,),
    ),
    Assumption(
        "group_body",
        "A group is made of name, description and classMapping, and needs nothing else.",
        ("core/api/client.py",),
        "Making a group is refused (4xx); groups that a person made can be used.",
        sources.UPLOADING,
        (Asked.DESCRIPTION,),
    ),
    Assumption(
        "class_mapping_rows",
        "A row of classMapping has annotated, predicted, or both.",
        ("core/validation/class_mapping.py",),
        "Making a group for a dataset with segmentation is refused (4xx).",
        sources.UPLOADING,
        (Asked.DESCRIPTION,),
    ),
    Assumption(
        "annotations_listing",
        "GET /v1/datasets/{uuid}/annotations lists a dataset's annotations.",
        _ENDPOINTS,
        "Scenes without annotations are not noticed before they are sent, and the sensor for scenes fails.",
        sources.CONTENT,
        _BOTH,
    ),
    Assumption(
        "prediction_creation",
        "POST /v1/predictions-groups/{uuid}/predictions makes a prediction.",
        _ENDPOINTS,
        "Nothing can be uploaded.",
        sources.UPLOADING,
        (Asked.DESCRIPTION,),
    ),
    Assumption(
        "prediction_body",
        'A prediction is made of sceneUuid and openlabelContent ({"openlabel": …}), and needs nothing else.',
        _ENDPOINTS,
        "Every prediction is refused (4xx), and the upload ends after the first few.",
        sources.UPLOADING,
        (Asked.DESCRIPTION,),
    ),
    Assumption(
        "predictions_listing",
        "GET /v1/predictions-groups/{uuid}/predictions lists a group's predictions.",
        ("core/upload/reconciliation/listing.py", "core/api/async_client.py"),
        "A prediction whose answer was lost stays in doubt: the task fails and names it.",
        sources.OURS,
        _BOTH,
        Switch(
            confirmed="on: doubt is settled by the listing",
            contradicted="off: doubt is named, not settled",
            unknown="as without a contract: the listing is asked for, and done without where it is refused",
            rests_on=("prediction_rows", "predictions_paging"),
        ),
    ),
    Assumption(
        "path_uuids",
        "Datasets and predictions groups are named by their uuids in paths.",
        (*_ENDPOINTS, "core/models.py"),
        "What is no uuid is refused before anything is sent.",
        sources.UPLOADING,
        (Asked.DESCRIPTION,),
    ),
    Assumption(
        "no_redirects",
        "The API answers by itself, and redirects no call of it.",
        ("core/api/answers.py",),
        "A redirect is an error, as no token is sent after it: host is to be corrected.",
        sources.OURS,
        (Asked.GET,),
    ),
    Assumption(
        "lasting_endpoints",
        "No endpoint that is used announces its end.",
        _ENDPOINTS,
        "It is said with the date, in the log, the summary, by the Test button and here.",
        f"{sources.INTRODUCTION} (early release stage); {sources.AUTH}: header sunset-date",
        _BOTH,
    ),
)
