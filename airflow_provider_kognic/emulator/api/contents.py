"""What lies behind a signed address, as the documents of annotations do: in a storage that is not the API.

That it is one is what kognic-io shows: it asks for it without a token. What such a storage refuses is as S3 has it.
"""

import hashlib
import hmac
import secrets

from fastapi import APIRouter, Request, Response

from airflow_provider_kognic.emulator.api.operations import Operation, SwitchedRoute
from airflow_provider_kognic.emulator.errors import Refused
from airflow_provider_kognic.emulator.faults.settings import CONTENT_PREFIX
from airflow_provider_kognic.emulator.state import state_of
from airflow_provider_kognic.emulator.storage import scenes

router = APIRouter(route_class=SwitchedRoute)

_SWITCHED = Operation(
    api="input", answer="Document", is_on=lambda settings: settings.has_input("annotations")
).extra()

# A signature of before a restart is as good as one that has expired.
_KEY = secrets.token_bytes(32)


def signed_address(request: Request, annotation_uuid: str) -> str:
    """The address of an annotation's document, on the host that was asked for it."""
    return f"{request.base_url}{CONTENT_PREFIX[1:]}{annotation_uuid}?signature={_signature(annotation_uuid)}"


def _signature(annotation_uuid: str) -> str:
    return hmac.new(_KEY, annotation_uuid.encode(), hashlib.sha256).hexdigest()


@router.get(CONTENT_PREFIX + "{annotation_uuid}", openapi_extra=_SWITCHED)
async def get_content(request: Request, annotation_uuid: str) -> Response:
    """The document of an annotation."""
    given = request.query_params.get("signature", "")
    if not hmac.compare_digest(given.encode(), _signature(annotation_uuid).encode()):
        raise Refused(403, "The signature is missing, wrong or expired")
    if "authorization" in request.headers:
        raise Refused(400, "Only one way to authenticate is allowed: the address is signed, so send no token")
    content = await state_of(request).database.read(scenes.read_annotation, annotation_uuid)
    return Response(content, media_type="application/json")
