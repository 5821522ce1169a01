"""What a description says of tokens and rights."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_kognic.core.contract.judging.verdicts import (
    ALL,
    UNKNOWN,
    confirmed,
    contradicted,
    listed,
    there,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.contract.contract import Judgement
    from airflow_provider_kognic.core.contract.description.operations import Described, Operation

TOKEN_PATH = "/v1/auth/oauth/token"  # noqa: S105 - a path
READ, WRITE = "api:read", "api:write"
# What somebody did not fill in says nothing.
_PLACEHOLDER = re.compile(r"[{}<>]")
_BEARER = {"oauth2", "openIdConnect", "bearer"}


def token_endpoint(described: Described, settings: Settings) -> Judgement:
    """Judge where tokens come from."""
    schemes = [one for one in described.schemes.values() if one.kind == "oauth2"]
    urls = [url for one in schemes for url in one.token_urls]
    if not urls:
        if schemes and all(one.flows for one in schemes):
            return contradicted("its description has OAuth 2.0 by other ways than client credentials")
        return UNKNOWN
    auth_host = (urlsplit(settings.auth_host).hostname or "").lower()
    said = False
    for url in urls:
        try:
            parts = urlsplit(url.strip())
            host = (parts.hostname or "").lower()
        except ValueError:
            continue
        if not parts.path.strip("/") or _PLACEHOLDER.search(url):
            continue
        if not f"/{parts.path.strip('/')}".endswith(TOKEN_PATH):
            return contradicted("its description has tokens at another path")
        if host and host != auth_host:
            return contradicted("its description has tokens at another host than auth_host")
        said = True
    return confirmed("its description has tokens for client credentials there") if said else UNKNOWN


def bearer_token(described: Described, settings: Settings) -> Judgement:
    """Judge how a token is sent."""
    del settings
    said = False
    for name, operation in there(described, ALL):
        ways = _ways(described, operation)
        if not ways:
            continue
        said = True
        if not any(set(way.values()) <= _BEARER for way in ways):
            return contradicted(f"its description asks for something else than a bearer token at {name}")
    return confirmed("its description asks for a bearer token") if said else UNKNOWN


def token_scopes(described: Described, settings: Settings) -> Judgement:
    """Judge which scopes are needed."""
    del settings
    said = False
    for name, operation in there(described, ALL):
        scopes = [
            {scope for each in way.values() for scope in each}
            for way in operation.access or ()
            if set(_kinds(described, way).values()) <= _BEARER
        ]
        if not any(scopes):
            continue
        said = True
        ours = {READ} if operation.method == "GET" else {READ, WRITE}
        if not any(one <= ours for one in scopes):
            other = WRITE if any(one <= {READ, WRITE} for one in scopes) else "another scope"
            return contradicted(f"its description asks for {other} at {name}")
    return confirmed(f"its description asks for {READ} and {WRITE} at most") if said else UNKNOWN


def refused_tokens(described: Described, settings: Settings) -> Judgement:
    """Judge how a token is refused."""
    del settings
    statuses = {status for _, operation in there(described, ALL) for status in operation.answers}
    found = [status for status in ("401", "403") if status in statuses]
    return confirmed(f"its description has {listed(found)}") if "401" in found else UNKNOWN


def _ways(described: Described, operation: Operation) -> list[Mapping[str, str]]:
    """Return the ways to get in, each as the kinds of its schemes by their names."""
    return [kinds for way in operation.access or () if (kinds := _kinds(described, way))]


def _kinds(described: Described, way: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    def each() -> Iterator[tuple[str, str]]:
        for name in way:
            scheme = described.schemes.get(name)
            # One that is named and not described may be anything.
            yield name, "bearer" if scheme is None else scheme.kind

    return dict(each())
