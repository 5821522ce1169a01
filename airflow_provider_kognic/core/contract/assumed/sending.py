"""What is assumed of sending: how requests may look, and what becomes of them."""

from __future__ import annotations

from airflow_provider_kognic.core.contract.assumed import sources
from airflow_provider_kognic.core.contract.assumed.assumption import Asked, Assumption, Switch

_DESCRIPTION = (Asked.DESCRIPTION,)
_NOBODY = (Asked.NOBODY,)
_CREATE = "POST /v1/predictions-groups/{uuid}/predictions"

SENDING = (
    Assumption(
        "json_bodies",
        "Bodies are JSON (application/json).",
        ("core/api/exchange/heads.py",),
        "Every prediction and group is refused (415).",
        sources.UPLOADING,
        _DESCRIPTION,
    ),
    Assumption(
        "body_limit",
        f"The largest body that {_CREATE} takes is as its description says.",
        ("core/validation/documents.py",),
        "A prediction that is too large is refused when it has been sent (413).",
        sources.OURS,
        _DESCRIPTION,
        Switch(
            confirmed="on: what is larger is refused before it is sent",
            contradicted="off: only max_document_bytes bounds what is sent",
            unknown="off: only max_document_bytes bounds what is sent",
        ),
    ),
    Assumption(
        "compression",
        f"{_CREATE} takes a body that is compressed with gzip (Content-Encoding).",
        ("core/upload/packing.py",),
        "Bodies are sent as they are.",
        sources.OURS,
        _DESCRIPTION,
        Switch(
            confirmed="on: predictions are sent compressed",
            contradicted="off: predictions are sent as they are",
            unknown="off: predictions are sent as they are",
        ),
    ),
    Assumption(
        "idempotency_key",
        f"{_CREATE} takes a key by which a prediction that is sent again is the same.",
        ("core/upload/keys.py",),
        "No key is sent, and a prediction whose answer was lost is never sent again blindly.",
        sources.OURS,
        _DESCRIPTION,
        Switch(
            confirmed="on: each prediction is sent with a key of its own",
            contradicted="off: no key is sent",
            unknown="off: no key is sent",
        ),
    ),
    Assumption(
        "ten_connections",
        "Ten calls at a time are served.",
        ("core/values.py", "core/upload/sending/slots.py"),
        "The upload slows down by 429 as far as it has to; max_connections sets fewer.",
        f"{sources.UPLOADING}: 'something bigger than 10 might not work'",
        _NOBODY,
    ),
    Assumption(
        "repeated_scene",
        "A second prediction of a scene in a group may stand beside the first.",
        ("core/upload/reading/decide.py",),
        "Nothing is lost: no prediction is sent twice, whatever the service would do (409, replace it).",
        sources.OURS,
        _DESCRIPTION,
    ),
    Assumption(
        "annotated_scenes",
        "Only scenes that have annotations in the dataset take predictions.",
        ("core/validation/scenes.py",),
        "Scenes are refused that could be sent: check_scenes is to be off.",
        sources.CONTENT,
        _NOBODY,
    ),
    Assumption(
        "settled_listing",
        "What a POST made shows in the listing within settle_after.",
        ("core/upload/reconciliation/rounds.py",),
        "A prediction that shows later may be sent twice: settle_after is to be longer.",
        sources.OURS,
        _NOBODY,
    ),
    Assumption(
        "steady_cursor",
        "A cursor goes on behind the row where the page before ended, whatever was removed meanwhile.",
        ("core/paging.py",),
        "A listing that changes while it is read may miss rows.",
        sources.OURS,
        _NOBODY,
    ),
    Assumption(
        "group_page",
        "The web app shows a group at dataset/{uuid}/predictions/{uuid} below app_url.",
        ("core/api",),
        "The link of a task leads elsewhere: app_url takes a template.",
        f"{sources.UPLOADING}: only what precedes each uuid",
        _NOBODY,
    ),
)
