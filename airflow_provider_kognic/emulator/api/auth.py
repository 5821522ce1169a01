"""OAuth 2.0 client credentials: issue tokens, check them, revoke them."""

import base64
import binascii
import hmac
from urllib.parse import parse_qs, unquote

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.datastructures import Headers

from airflow_provider_kognic.emulator.errors import Refused
from airflow_provider_kognic.emulator.state import state_of
from airflow_provider_kognic.emulator.storage import clients
from airflow_provider_kognic.emulator.storage.tokens import Tokens

router = APIRouter()

TOKEN_PATH = "/v1/auth/oauth/token"  # noqa: S105 (a path)


def has_valid_token(headers: Headers, tokens: Tokens) -> bool:
    """Whether a request with these headers carries a valid bearer token."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and tokens.is_valid(token.strip())


async def require_token(request: Request) -> None:
    """Let a request pass that carries a valid bearer token.

    Raises:
        Refused: 401, there is none.
    """
    if not has_valid_token(request.headers, state_of(request).tokens):
        raise Refused(401, "No valid access token", {"WWW-Authenticate": "Bearer"})


@router.post(TOKEN_PATH)
async def issue_token(request: Request) -> Response:
    """Exchange client credentials, as form fields or by HTTP basic, for an access token."""
    state = state_of(request)
    state.stats.token_requests += 1
    form = await _form(request)
    if form.get("grant_type", "") != "client_credentials":
        return _oauth_error(400, "unsupported_grant_type", "grant_type must be client_credentials")
    issued = await state.tokens.issue(*_credentials(request, form))
    if issued is None:
        return _oauth_error(401, "invalid_client", "Unknown client or wrong secret")
    state.stats.tokens_issued += 1
    token, lifetime = issued
    answer = {"access_token": token, "token_type": "Bearer", "expires_in": int(lifetime)}
    if scope := form.get("scope"):
        answer["scope"] = scope
    return _json(200, answer)


@router.post("/v1/auth/oauth/revoke")
async def revoke_token(request: Request) -> Response:
    """Revoke the token in the form field ``token``; RFC 7009, an assumption about the real service."""
    form = await _form(request)
    client_id, client_secret = _credentials(request, form)
    state = state_of(request)
    expected = await state.database.read(clients.secret_digest, client_id)
    if expected is None or not hmac.compare_digest(clients.digest(client_secret), expected):
        return _oauth_error(401, "invalid_client", "Unknown client or wrong secret")
    await state.tokens.revoke(form.get("token", ""))
    return _json(200, {})


async def _form(request: Request) -> dict[str, str]:
    fields = parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


def _credentials(request: Request, form: dict[str, str]) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, client_secret = base64.b64decode(encoded).decode().partition(":")
        except (binascii.Error, ValueError):
            return "", ""
        # RFC 6749, section 2.3.1: both parts are form-encoded first.
        return unquote(client_id), unquote(client_secret)
    return form.get("client_id", ""), form.get("client_secret", "")


def _json(status: int, content: object) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(msgspec.json.encode(content), status, headers, media_type="application/json")


def _oauth_error(status: int, error: str, message: str) -> Response:
    return _json(status, {"error": error, "error_description": message, "message": message})
