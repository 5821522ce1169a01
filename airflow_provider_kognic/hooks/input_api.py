"""What the Test button says of the input API: whether it answers, and whether these credentials may ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import (
    KognicAuthError,
    KognicError,
    KognicNotFoundError,
    KognicRequestError,
    KognicRowError,
    KognicUnauthorizedError,
    KognicUnavailableError,
)
from airflow_provider_kognic.core.texts import sentence

if TYPE_CHECKING:
    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.api.tokens import TokenProvider

# Of no scene: the least of all uuids.
_NOBODY = "00000000-0000-0000-0000-000000000000"
# What is said of an error: the first that matches.
_PARTS: tuple[tuple[type[KognicError], str], ...] = (
    (KognicUnauthorizedError, "does not take the token"),
    (KognicAuthError, "is not for these credentials"),
    (KognicUnavailableError, "cannot be reached"),
    (KognicRequestError, "answers as nobody expects"),
    (KognicRowError, "answers as nobody expects"),
    (KognicError, "does not answer"),
)


def said_of_input_api(settings: Settings, tokens: TokenProvider) -> str | None:
    """Return a sentence about it, or None where the connection names none.

    It asks for a scene that nobody has, once: a GET, which changes nothing. That it is 404 says that it was looked
    for, or that nobody looks for scenes there: that cannot be told apart.

    Args:
        settings: The connection.
        tokens: Hands out tokens.
    """
    if settings.input_host is None:
        return None
    from airflow_provider_kognic.core.api.input_api.client import InputClient
    from airflow_provider_kognic.core.retries import Backoff

    try:
        with InputClient(settings, tokens=tokens, backoff=Backoff(attempts=1)) as client:
            client.scene(_NOBODY)
    except KognicNotFoundError:
        return f"The input API at {settings.input_host} answers, with 404 for a scene that nobody has."
    except KognicError as error:
        what = next(what for kind, what in _PARTS if isinstance(error, kind))
        said = f"{what}: {sentence(error)}"
    else:
        said = f"answers as nobody expects: it has a scene {_NOBODY}."
    return f"The input API at {settings.input_host} {said} Scenes are not checked then (docs/scenes.md)."
