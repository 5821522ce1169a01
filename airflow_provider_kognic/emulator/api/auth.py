"""OAuth 2.0 client credentials: issue tokens, check them and their scopes, revoke them."""

import base64
import binascii
from urllib.parse import parse_qs, unquote

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.datastructures import Headers

from airflow_provider_kognic.emulator.api.operations import operation_of
from airflow_provider_kognic.emulator.errors import Refused
from airflow_provider_kognic.emulator.faults.settings import Settings
from airflow_provider_kognic.emulator.state import state_of
from airflow_provider_kognic.emulator.storage.tokens import Token, Tokens

router = APIRouter()

TOKEN_PATH = "/v1/auth/oauth/token"  # noqa: S105 (a path)


def token_of(headers: Headers, tokens: Tokens) -> Token | None:
    """The valid bearer token that a request with these headers carries, None when there is none."""
    scheme, _, text = headers.get("authorization", "").partition(" ")
    return tokens.find(text.strip()) if scheme.lower() == "bearer" else None


def require_token(request: Request) -> Token:
    """The valid bearer token of a request.

    Raises:
        Refused: 401, there is none.
    """
    token = token_of(request.headers, state_of(request).tokens)
    if token is None:
        raise Refused(401, "No valid access token", {"WWW-Authenticate": "Bearer"})
    return token


async def require_access(request: Request) -> None:
    """Let a request pass that carries a valid bearer token, which has the scope that its endpoint asks for.

    Raises:
        Refused: 401, there is no such token; 403, it is for something else.
    """
    token = require_token(request)
    settings = state_of(request).faults.settings
    needed = operation_of(request.scope["route"]).scope(settings)
    if settings.scopes is None:
        return
    held = token.scopes if token.scopes is not None else settings.scopes.get(token.client_id, ())
    if needed not in held:
        raise Refused(
            403,
            f"The access token lacks the scope {needed}; it has {', '.join(held) or 'none'}",
            {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{needed}"'},
        )


@router.post(TOKEN_PATH)
async def issue_token(request: Request) -> Response:
    """Exchange client credentials, as form fields or by HTTP basic, for an access token."""
    state = state_of(request)
    state.stats.token_requests += 1
    form = await _form(request)
    if form.get("grant_type", "") != "client_credentials":
        return _oauth_error(400, "unsupported_grant_type", "grant_type must be client_credentials")
    client_id, client_secret = _credentials(request, form)
    if not await state.tokens.is_client(client_id, client_secret):
        return _oauth_error(401, "invalid_client", "Unknown client or wrong secret")
    asked = form.get("scope", "")
    granted = _granted(state.faults.settings, client_id, asked)
    if asked and granted is not None and not granted:
        return _oauth_error(400, "invalid_scope", f"The client has none of these scopes: {asked}")
    token, lifetime = await state.tokens.issue(client_id, granted)
    state.stats.tokens_issued += 1
    answer = {"access_token": token, "token_type": "Bearer", "expires_in": int(lifetime)}
    if scope := asked if granted is None else " ".join(granted):
        answer["scope"] = scope
    return _json(200, answer)


def _granted(settings: Settings, client_id: str, asked: str) -> tuple[str, ...] | None:
    """The scopes of a new token: those of the client that are asked for, or all of them; None without scopes."""
    if settings.scopes is None:
        return None
    wanted = set(asked.split())
    return tuple(scope for scope in settings.scopes.get(client_id, ()) if not wanted or scope in wanted)


@router.post("/v1/auth/oauth/revoke")
async def revoke_token(request: Request) -> Response:
    """Revoke the token in the form field ``token``; RFC 7009, an assumption about the real service."""
    form = await _form(request)
    client_id, client_secret = _credentials(request, form)
    state = state_of(request)
    if not await state.tokens.is_client(client_id, client_secret):
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
