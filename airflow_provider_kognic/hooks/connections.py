"""An Airflow connection of the type `kognic`, read and checked; the form that people fill in is the hook's."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.api.settings import (
    DEFAULT_APP_URL,
    DEFAULT_AUTH_HOST,
    DEFAULT_BASE_URL,
    DEFAULT_TIMEOUT,
    Credentials,
    Settings,
)
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.texts import brief
from airflow_provider_kognic.core.values import MOST_CONNECTIONS
from airflow_provider_kognic.get_provider_info import CONN_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

# Of the keys of an extra that nobody reads, and of each so many characters.
_MOST_NAMED, _LONGEST_NAME = 5, 60


def settings_of(connection: Any) -> Settings:
    """Read an Airflow connection.

    Args:
        connection: Anything with `host`, `port`, `schema`, `login`, `password`, `extra` and `extra_dejson`.

    Raises:
        KognicInputError: A field cannot be used; the message names it and never shows a secret.
    """
    extra = {key: value for key, value in _extra_of(connection).items() if value not in (None, "")}
    scopes = extra.get("scopes", ())
    if isinstance(scopes, str):
        scopes = scopes.replace(",", " ").split()
    if not isinstance(scopes, (list, tuple)):
        raise KognicInputError(f"'scopes' must be text or a list of text, not {brief(scopes)}.")
    return Settings(
        base_url=_base_url(connection),
        auth_host=str(extra.get("auth_host", DEFAULT_AUTH_HOST)),
        credentials=_credentials(connection, extra),
        scopes=tuple(map(str, scopes)),
        max_connections=extra.get("max_connections", MOST_CONNECTIONS),
        timeout=extra.get("timeout", DEFAULT_TIMEOUT),
        verify=extra.get("verify", True),
        proxy=None if "proxy" not in extra else str(extra["proxy"]),
        app_url=str(extra.get("app_url", DEFAULT_APP_URL)),
        input_host=None if "input_host" not in extra else str(extra["input_host"]),
        allow_http=extra.get("allow_http", False),
    )


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


def _base_url(connection: Any) -> str:
    host = (connection.host or "").strip()
    if not host:
        return DEFAULT_BASE_URL
    scheme, separator, rest = host.rpartition("://")
    if not separator and connection.schema in ("http", "https"):
        scheme, separator = connection.schema, "://"
    # The connection form sends port 0 for a field that was left empty.
    if connection.port:
        place, slash, path = rest.partition("/")
        if place.rpartition("]")[2].find(":") < 0:
            rest = f"{place}:{connection.port}{slash}{path}"
    return f"{scheme}{separator}{rest}"


def _credentials(connection: Any, extra: Mapping[str, Any]) -> Credentials:
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
        return None
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
