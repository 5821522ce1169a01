"""An Airflow connection of the type `kognic`, read and checked; the form that people fill in is the hook's."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from airflow_provider_kognic.core.api.access.environments import Environment, environment
from airflow_provider_kognic.core.api.settings import (
    DEFAULT_APP_URL,
    DEFAULT_AUTH_HOST,
    DEFAULT_BASE_URL,
    DEFAULT_TIMEOUT,
    Credentials,
    Settings,
)
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.masking import masked, spellings_of
from airflow_provider_kognic.core.texts import brief
from airflow_provider_kognic.core.values import MOST_CONNECTIONS
from airflow_provider_kognic.get_provider_info import CONN_FIELDS

# Of the keys of an extra that nobody reads, and of each so many characters.
_MOST_NAMED, _LONGEST_NAME = 5, 60


@dataclass(frozen=True)
class Assumed:
    """What a connection says of what is optional in the API.

    Attributes:
        contract: The path of a contract that was saved, or None.
        named: What it says by name, see `core.contract.switching.named`.
    """

    contract: str | None = None
    named: Mapping[str, bool | int | str] = field(default_factory=dict)

    def said(self) -> str:
        """Return what the Test button says of it: nothing where nothing is said."""
        words = {True: "on", False: "off"}
        named = [f"{name}={words[one] if isinstance(one, bool) else one}" for name, one in self.named.items()]
        contract = (
            [] if self.contract is None else [f"by the contract {masked(self.contract)}, read by uploads"]
        )
        said = [*contract, *([f"by name {', '.join(named)}"] if named else [])]
        return f" Optional: {'; '.join(said)}." if said else ""


def assumed_of(connection: Any) -> Assumed:
    """Read what an Airflow connection says of what is optional in the API.

    Args:
        connection: See `settings_of`.

    Raises:
        KognicInputError: It cannot be used; the message says what there is.
    """
    extra = _extra_of(connection)
    contract, assumptions = extra.get("contract"), extra.get("assumptions")
    if contract is not None and not isinstance(contract, str):
        raise KognicInputError(f"'contract' must be the path of a contract, not {brief(contract)}.")
    contract = (contract or "").strip() or None
    if assumptions in (None, ""):
        return Assumed(contract)
    from airflow_provider_kognic.core.contract.switching import named

    return Assumed(contract, named(assumptions))


def settings_of(connection: Any) -> Settings:
    """Read an Airflow connection.

    What it leaves empty its `environment` says, if it names one.

    Args:
        connection: Anything with `host`, `port`, `schema`, `login`, `password`, `extra` and `extra_dejson`.

    Raises:
        KognicInputError: A field cannot be used; the message names it and never shows a secret.
    """
    extra = {key: value for key, value in _extra_of(connection).items() if value not in (None, "")}
    known = environment(str(extra["environment"]).strip()) if "environment" in extra else None
    scopes = extra.get("scopes", known.scopes if known else ())
    if isinstance(scopes, str):
        scopes = scopes.replace(",", " ").split()
    if not isinstance(scopes, (list, tuple)):
        raise KognicInputError(f"'scopes' must be text or a list of text, not {brief(scopes)}.")
    return Settings(
        base_url=_base_url(connection, known),
        auth_host=str(extra.get("auth_host", known.auth_host if known else DEFAULT_AUTH_HOST)),
        credentials=_credentials(connection, extra, known),
        scopes=tuple(map(str, scopes)),
        max_connections=extra.get("max_connections", MOST_CONNECTIONS),
        timeout=extra.get("timeout", DEFAULT_TIMEOUT),
        verify=extra.get("verify", True),
        proxy=None if "proxy" not in extra else str(extra["proxy"]),
        app_url=str(extra.get("app_url", DEFAULT_APP_URL)),
        input_host=None if "input_host" not in extra else str(extra["input_host"]),
        allow_http=extra.get("allow_http", False),
    )


def secrets_in(credentials: Credentials) -> list[str]:
    """Return what Airflow is to mask in logs, beside the password as it is, which it masks by itself.

    A user's own code may raise what a library says of a request, with the client secret as it was sent: spelled
    otherwise, or encoded together with the client id. Of a credentials JSON, Airflow knows the whole text only.
    """
    if isinstance(credentials, tuple):
        client_id, secret = credentials
    elif isinstance(credentials, Mapping):
        client_id, secret = (str(credentials.get(name) or "") for name in ("clientId", "clientSecret"))
    else:
        return []
    spelled = spellings_of(secret)
    if not spelled:
        return []
    return sorted({*spelled, base64.b64encode(f"{client_id}:{secret}".encode()).decode()})


def unknown_keys(connection: Any) -> str | None:
    """Return a sentence that names the keys of a connection's extra that nobody reads: typos; None without any.

    Raises:
        KognicInputError: The extra is no JSON object.
    """
    unknown = sorted(set(map(str, _extra_of(connection))) - set(CONN_FIELDS))
    if not unknown:
        return None
    named = []
    for key in unknown[:_MOST_NAMED]:
        meant = get_close_matches(key.lower(), CONN_FIELDS, 1)
        named.append(f"{key[:_LONGEST_NAME]!r}" + (f" (did you mean {meant[0]!r}?)" if meant else ""))
    more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
    return f"The connection's extra has keys that are unknown and have no effect: {', '.join(named)}{more}."


def _extra_of(connection: Any) -> dict[str, Any]:
    """Return the extra of a connection; Airflow takes any JSON for one, and what is none for an empty one.

    Then the client id and secret would go to Kognic's own servers, whatever stands there.

    Raises:
        KognicInputError: It is no JSON object; the message never shows it.
    """
    text = connection.extra
    if text is None or not str(text).strip():
        return {}
    try:
        parsed = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise KognicInputError(
            f"the extra of the connection {brief(connection.conn_id)} is no JSON object; expected one such as"
            ' {"timeout": 60}, or nothing.'
        )
    given: dict[str, Any] = connection.extra_dejson  # with that, Airflow learns what to mask
    return given


def _base_url(connection: Any, known: Environment | None) -> str:
    host = (connection.host or "").strip()
    if not host:
        return DEFAULT_BASE_URL if known is None else known.base_url
    scheme, separator, rest = host.rpartition("://")
    if not separator and connection.schema in ("http", "https"):
        scheme, separator = connection.schema, "://"
    # The connection form sends port 0 for a field that was left empty.
    if connection.port:
        place, slash, path = rest.partition("/")
        if place.rpartition("]")[2].find(":") < 0:
            rest = f"{place}:{connection.port}{slash}{path}"
    url = f"{scheme}{separator}{rest}"
    if known is not None and not known.has(url):
        # Its credentials would go to somebody else.
        raise KognicInputError(
            f"the connection's host {brief(host)} is not of its environment {brief(known.name)}, which is at"
            f" {brief(known.host)}. Leave the host empty, or correct one of them."
        )
    return url


def _credentials(connection: Any, extra: Mapping[str, Any], known: Environment | None) -> Credentials:
    login, password = (connection.login or "").strip(), connection.password or ""
    path = str(extra.get("credentials", "")).strip()
    if path.startswith("{"):
        raise KognicInputError(
            "'credentials' in the connection's extra holds the credentials themselves, but extras are shown. Put"
            " the JSON into the password, with an empty login, and replace the client secret: it may have been"
            " seen."
        )
    if path and (login or password):
        raise KognicInputError(
            "the connection has both 'credentials' in its extra and a login or password; keep one."
        )
    if path:
        return path
    if login and password:
        return login, password
    if login:
        raise KognicInputError("the connection has a login (client id) but no password (client secret).")
    if not password:
        return known.credentials if known else None
    try:
        parsed = json.loads(password)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise KognicInputError(
            "the connection's login is empty, so its password must be a credentials JSON, and it is none. Put the"
            " client id into login, or the whole JSON file's text into password."
        )
    return parsed
