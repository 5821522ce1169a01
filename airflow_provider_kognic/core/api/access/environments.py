"""The named environments of Kognic's own tools: where one has its servers, its credentials and its scopes.

kognic-auth (4.5, `env_config`, and its command `kog`) keeps them in `$XDG_CONFIG_HOME/kognic/environments.json`,
else `~/.config/kognic/environments.json`:

    {"environments": {"production": {"host": "app.kognic.com", "auth_server": "https://auth.app.kognic.com",
                                     "credentials": "~/.config/kognic/credentials.json", "scopes": ["api:read"]}}}

`host` is the platform's; the APIs are named below it (`dataset.app.kognic.com`), and kognic-auth takes an
environment for every host that ends with it.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.hosts import is_address, normal_url
from airflow_provider_kognic.core.texts import brief, sentence

_DATASET_API = "dataset."
# Of the names that there are, so many stand in a message.
_MOST_NAMED = 10
# A file of environments has some hundred bytes for each.
_LARGEST = 1 << 20


@dataclass(frozen=True)
class Environment:
    """One of the named environments.

    Attributes:
        name: Its name.
        host: The platform's host, such as `app.kognic.com`; with a scheme where the file has one.
        auth_host: Base URL of the auth server.
        credentials: Path of a credentials file, or `keyring://profile`; None leaves it to kognic-auth's search.
        scopes: OAuth scopes to ask for; none leaves it to the credentials.
    """

    name: str
    host: str
    auth_host: str
    credentials: str | None = None
    scopes: tuple[str, ...] = ()

    @property
    def base_url(self) -> str:
        """The dataset API: `dataset.` before the platform's host, if it is not there already.

        Kognic's documentation has `dataset.app.kognic.com`, kognic-auth's default platform is `app.kognic.com`. An
        address, or this machine, has no names below it, and is the API itself.
        """
        scheme, separator, rest = self.host.rpartition("://")
        as_it_is = rest.startswith(_DATASET_API) or is_address(_hostname(self.host))
        return self.host if as_it_is else f"{scheme}{separator}{_DATASET_API}{rest}"

    def has(self, base_url: str) -> bool:
        """Tell whether a host is the platform's or below it, as kognic-auth looks it up."""
        hostname, own = _hostname(base_url), _hostname(self.host)
        return hostname == own or hostname.endswith(f".{own}")


def path_of_environments() -> Path:
    """Return where the file of environments is looked for."""
    folder = os.environ.get("XDG_CONFIG_HOME")
    return (Path(folder) if folder else Path("~/.config").expanduser()) / "kognic" / "environments.json"


def environment(name: str) -> Environment:
    """Find a named environment.

    Args:
        name: As it stands in the file.

    Raises:
        KognicInputError: There is no such file, it cannot be used, or it knows no environment of that name.
    """
    path = path_of_environments()
    found = _load(path)
    if name not in found:
        close = get_close_matches(name, found, n=1)
        hint = f"; did you mean {brief(close[0])}?" if close else "."
        names = ", ".join(map(brief, sorted(found)[:_MOST_NAMED])) or "none"
        raise KognicInputError(f"{path} knows no environment {brief(name)}{hint} It has: {names}.")
    return _checked(found[name], path)


def _load(path: Path) -> dict[str, Any]:
    from kognic.auth.env_config import load_kognic_env_config

    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise KognicInputError(f"{path} is no file of environments.")
        if state.st_size > _LARGEST:
            raise KognicInputError(
                f"{path} is too large for a file of environments: {state.st_size:,} bytes."
            )
        environments: dict[str, Any] = load_kognic_env_config(path).environments
    except FileNotFoundError:
        raise KognicInputError(
            f"there is no file of environments: {path}. It has to be there on every worker, and where the Test"
            " button runs; or leave 'environment' empty."
        ) from None
    except KeyError as error:
        raise KognicInputError(f"{path}: an environment lacks {sentence(repr(error.args[0]))}") from None
    except (AttributeError, TypeError):
        raise KognicInputError(
            f"{path} cannot be used as a file of environments: expected an object whose 'environments' are objects,"
            " by their names, with host, auth_server and credentials as text, and scopes as a list of text."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise KognicInputError(
            f"{path} cannot be used as a file of environments: {sentence(error)}"
        ) from None
    return environments


def _checked(found: Any, path: Path) -> Environment:
    texts = {"host": found.host, "auth_server": found.auth_server, "credentials": found.credentials or ""}
    wrong = next((name for name, value in texts.items() if not isinstance(value, str)), None)
    if wrong is None and not (found.host and found.auth_server):
        wrong = "auth_server" if found.host else "host"
    if wrong is None and not (
        isinstance(found.scopes, list) and all(isinstance(scope, str) for scope in found.scopes)
    ):
        wrong = "scopes"
    if wrong is not None:
        what = "a list of text" if wrong == "scopes" else "text"
        raise KognicInputError(f"{path}: {wrong!r} of the environment {brief(found.name)} must be {what}.")
    return Environment(
        found.name, found.host, found.auth_server, found.credentials or None, tuple(found.scopes)
    )


def _hostname(url: str) -> str:
    try:
        return urlsplit(normal_url(url if "://" in url else f"https://{url}")).hostname or ""
    except ValueError:
        return ""
