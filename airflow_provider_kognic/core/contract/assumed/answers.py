"""What is assumed of the dataset API's answers."""

from __future__ import annotations

from airflow_provider_kognic.core.contract.assumed import sources
from airflow_provider_kognic.core.contract.assumed.assumption import Asked, Assumption

_ANSWERS = ("core/api/answers.py",)
_RECORDS = ("core/api/dataset_api/records.py",)
_PAGING = ("core/paging.py",)
_BOTH = (Asked.DESCRIPTION, Asked.GET)
_CURSOR = f"by cursor: {sources.CLIENTS}, models.py"

ANSWERS = (
    Assumption(
        "envelope",
        "What is asked for stands in data of a JSON object.",
        _ANSWERS,
        "A listing is an error; a prediction is in doubt, as its uuid cannot be read.",
        sources.INTRODUCTION,
        _BOTH,
    ),
    Assumption(
        "created_uuid",
        "What was made is named in data by its uuid, as text or in uuid or id of an object.",
        _ANSWERS,
        "A prediction that was made is in doubt, and the task fails.",
        sources.UPLOADING,
        (Asked.DESCRIPTION,),
    ),
    Assumption(
        "created_at_once",
        "A prediction that is answered with 200 or 201 is there.",
        _ANSWERS,
        "Predictions count as created that the service may still refuse (202).",
        f"{sources.UPLOADING}: the answer is its uuid",
        (Asked.DESCRIPTION,),
    ),
    Assumption(
        "annotations_paging",
        "The annotations go on by offset until a page is empty, or by cursor (metadata.nextCursorId).",
        _PAGING,
        "The listing is read once and again until it leads nowhere, which is an error; nothing is taken for whole.",
        f"{sources.CONTENT} (offset); {_CURSOR}",
        _BOTH,
    ),
    Assumption(
        "whole_listings",
        "Datasets and groups come as a whole, or go on by cursor.",
        _PAGING,
        "Datasets and groups beyond the first page are not found.",
        f"{sources.UPLOADING}; {_CURSOR}",
        _BOTH,
    ),
    Assumption(
        "dataset_rows",
        "A dataset has uuid or id, and name.",
        _RECORDS,
        "Listing datasets is an error that says which fields there are.",
        sources.OURS,
        _BOTH,
    ),
    Assumption(
        "group_rows",
        "A predictions group has uuid or id, and name.",
        _RECORDS,
        "Listing groups is an error that says which fields there are.",
        sources.OURS,
        _BOTH,
    ),
    Assumption(
        "group_mapping",
        "A predictions group shows its classMapping.",
        ("core/validation/class_mapping.py",),
        "Classes of an upload are checked only against a mapping that the task is given.",
        sources.OURS,
        _BOTH,
    ),
    Assumption(
        "annotation_rows",
        "An annotation names its scene in sceneUuid or scene_uuid.",
        _RECORDS,
        "Scenes with annotations cannot be told: the check and the sensor are errors.",
        f"{sources.CONTENT}; the fields' names are our own assumption",
        _BOTH,
    ),
    Assumption(
        "prediction_rows",
        "A listed prediction has uuid or id, and sceneUuid or scene_uuid, which are uuids.",
        _RECORDS,
        "The listing counts as none: doubt is named, not settled.",
        sources.OURS,
        _BOTH,
    ),
    Assumption(
        "predictions_paging",
        "The listing of predictions goes on by offset until a page is empty, or by cursor.",
        _PAGING,
        "The listing counts as none: doubt is named, not settled.",
        f"as that of the annotations; {_CURSOR}",
        _BOTH,
    ),
    Assumption(
        "error_message",
        "A 4xx carries JSON with message.",
        _ANSWERS,
        "Errors show what else the answer holds, shortened; nothing depends on it.",
        f"{sources.AUTH} and {sources.CLIENTS}: how they read errors",
        _BOTH,
    ),
    Assumption(
        "not_found_404",
        "What is not there is answered with 404.",
        ("core/api/answers.py", "core/upload/sending/group_circuit.py"),
        "An unknown group is refused prediction by prediction instead of at once.",
        sources.OURS,
        _BOTH,
    ),
    Assumption(
        "rate_limit_429",
        "Too many calls at a time are answered with 429, and are not executed.",
        ("core/retries.py", "core/upload/sending/throttle.py"),
        "The upload does not slow down by itself; what a 503 answers is in doubt.",
        f"{sources.OURS}; {sources.UPLOADING} recommends ten calls at a time",
        (Asked.DESCRIPTION,),
    ),
    Assumption(
        "retry_after",
        "How long to wait is said by Retry-After, if at all.",
        ("core/retries.py",),
        "Pauses grow by themselves, whatever the service says.",
        f"{sources.OURS}; RFC 9110, section 10.2.3",
        (Asked.DESCRIPTION,),
    ),
    Assumption(
        "sunset_header",
        "An endpoint announces its end by the header sunset-date.",
        _ANSWERS,
        "The end of an endpoint is noticed when it comes.",
        f"{sources.AUTH}: its clients log it",
        _BOTH,
    ),
)
