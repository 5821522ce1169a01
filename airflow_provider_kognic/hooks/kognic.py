"""An Airflow connection of the type `kognic` becomes a client of the dataset API."""

from __future__ import annotations

import json
import logging
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_kognic.core.api.settings import (
    DEFAULT_APP_URL,
    DEFAULT_AUTH_HOST,
    DEFAULT_BASE_URL,
    DEFAULT_TIMEOUT,
    Credentials,
    Settings,
)
from airflow_provider_kognic.core.errors import (
    KognicAuthError,
    KognicConnectionError,
    KognicCredentialsError,
    KognicError,
    KognicInputError,
    KognicPermissionError,
    KognicTLSError,
)
from airflow_provider_kognic.core.values import MOST_CONNECTIONS, check_connections
from airflow_provider_kognic.get_provider_info import CONN_FIELDS, HIDDEN_FIELDS, PLACEHOLDERS, RELABELING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
    from airflow_provider_kognic.core.api.client import KognicClient
    from airflow_provider_kognic.core.api.records import Annotation, Dataset, PredictionsGroup


logger = logging.getLogger(__name__)

# What the Test button says of an error: the first that matches.
_PARTS: tuple[tuple[type[KognicError], str], ...] = (
    (KognicTLSError, "TLS"),
    (KognicConnectionError, "Network"),
    (KognicCredentialsError, "Credentials"),
    (KognicPermissionError, "Permission"),
    (KognicAuthError, "Credentials"),
    (KognicInputError, "Connection settings"),
    (KognicError, "API"),
)

# Of the keys of an extra that nobody reads, and of each so many characters.
_MOST_NAMED, _LONGEST_NAME = 5, 60


class KognicHook(BaseHook):
    """Talks to Kognic's dataset API with the credentials of a connection.

    The connection: `host` is the dataset API's base URL; `login` and `password` are client id and secret, or
    `login` is empty and `password` holds the whole credentials JSON; with neither, kognic-auth searches the
    environment and the keyring. The rest is in `extra`, see `CONN_FIELDS` in `get_provider_info`.

    Every method raises a `KognicError` (`airflow_provider_kognic.core.errors`). Calls that are idempotent are
    retried; POSTs only where they were certainly not executed.

    Args:
        kognic_conn_id: The connection's id.
        stopping: Tells whether whoever calls is to stop: then a call ends within a second, with KognicStoppedError,
            or KognicAmbiguousError where a POST was on its way. None for who cannot be stopped.
    """

    conn_name_attr = "kognic_conn_id"
    default_conn_name = "kognic_default"
    conn_type = "kognic"
    hook_name = "Kognic"

    def __init__(
        self,
        kognic_conn_id: str = default_conn_name,
        *,
        stopping: Callable[[], bool] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kognic_conn_id = kognic_conn_id
        self._stopping = stopping

    @classmethod
    async def from_connection_id(
        cls, kognic_conn_id: str, *, stopping: Callable[[], bool] | None = None
    ) -> KognicHook:
        """Make a hook where the connection can only be read asynchronously: in a trigger.

        Raises:
            KognicInputError: Airflow knows no such connection, or a field of it cannot be used.
        """
        from asgiref.sync import sync_to_async

        hook = cls(kognic_conn_id, stopping=stopping)
        with _unknown_said(kognic_conn_id):
            if hasattr(cls, "aget_connection"):  # Airflow >= 3.1
                connection = await cls.aget_connection(kognic_conn_id)
            else:
                connection = await sync_to_async(cls.get_connection)(kognic_conn_id)
        # Reading the extras makes Airflow tell its supervisor what to mask, which must not happen on the loop.
        hook.settings = await sync_to_async(_settings_and_warning)(connection)
        return hook

    @cached_property
    def settings(self) -> Settings:
        """The connection, validated; raises KognicInputError, also where Airflow knows none of that id."""
        with _unknown_said(self.kognic_conn_id):
            connection = self.get_connection(self.kognic_conn_id)
        return _settings_and_warning(connection)

    @cached_property
    def client(self) -> KognicClient:
        """The client for single calls; its token provider serves the asynchronous client too."""
        from airflow_provider_kognic.core.api.client import KognicClient

        return KognicClient(self.settings, stopping=self._stopping)

    def get_conn(self) -> KognicClient:
        """Return the client for single calls."""
        return self.client

    def list_datasets(self) -> list[Dataset]:
        """Return all datasets that the credentials may see."""
        return self.client.list_datasets()

    def get_dataset(self, name_or_uuid: str) -> Dataset:
        """Find a dataset by its uuid or its exact name; raises KognicInputError if none or several match."""
        return self.client.get_dataset(name_or_uuid)

    def list_predictions_groups(self, dataset_uuid: str) -> list[PredictionsGroup]:
        """Return a dataset's predictions groups."""
        return self.client.list_predictions_groups(dataset_uuid)

    def find_predictions_groups(self, dataset_uuid: str, name: str) -> list[PredictionsGroup]:
        """Return the dataset's predictions groups of exactly that name."""
        return self.client.find_predictions_groups(dataset_uuid, name)

    def create_predictions_group(
        self,
        dataset_uuid: str,
        name: str,
        description: str | None = None,
        class_mapping: Sequence[Mapping[str, str]] | Mapping[str | None, str | None] | None = None,
    ) -> str:
        """Create a predictions group and return its uuid.

        Args:
            dataset_uuid: The dataset's uuid.
            name: The group's name.
            description: Text for people.
            class_mapping: The API's rows, or a dict annotated -> predicted; needed for segmentation.

        Raises:
            KognicAmbiguousError: It may have been created: list the groups before trying again.
            KognicError: It was not created.
        """
        from airflow_provider_kognic.core.validation.class_mapping import class_mapping_rows

        rows = class_mapping_rows(class_mapping)
        return self.client.create_predictions_group(dataset_uuid, name, description, rows)

    def iter_annotations(self, dataset_uuid: str) -> Iterator[Annotation]:
        """Yield a dataset's annotations, fetching a page at a time."""
        return self.client.iter_annotations(dataset_uuid)

    def create_prediction(
        self, predictions_group_uuid: str, scene_uuid: str, document: bytes | Mapping[str, Any]
    ) -> str:
        """Upload one prediction and return its uuid: for a few; `UploadPredictionsOperator` is for many.

        Args:
            predictions_group_uuid: The group's uuid.
            scene_uuid: The scene's uuid.
            document: `{"openlabel": ...}`, as a dict or as the bytes of its JSON.

        Raises:
            KognicAmbiguousError: It may have been created; a second call may double it.
            KognicError: It was not created.
        """
        return self.client.create_prediction(predictions_group_uuid, scene_uuid, document)

    @asynccontextmanager
    async def async_client(self, max_connections: int | None = None) -> AsyncIterator[AsyncKognicClient]:
        """Open the client that sends many predictions at a time; `async with hook.async_client() as client`.

        Args:
            max_connections: Most requests in flight, 1 to 10; the connection's if None.
        """
        from airflow_provider_kognic.core.api.async_client import AsyncKognicClient

        settings = self.settings
        if max_connections is not None:
            settings = replace(settings, max_connections=check_connections(max_connections))
        async with AsyncKognicClient(settings, tokens=self.client.tokens) as client:
            yield client

    def test_connection(self) -> tuple[bool, str]:
        """Fetch a token and list the datasets; Airflow calls this for the form's Test button.

        Returns:
            True and how many datasets are visible, or False, which part failed, and what to check; both with the
            keys of the extra that mean nothing.
        """
        done, message = self._outcome()
        try:
            unknown = unknown_keys(self.get_connection(self.kognic_conn_id))
        except Exception:  # noqa: BLE001 - then the outcome says what is wrong
            unknown = None
        return done, message if unknown is None else f"{message} {unknown}"

    def _outcome(self) -> tuple[bool, str]:
        try:
            return True, self._try_out()
        except KognicError as error:
            part = next(part for kind, part in _PARTS if isinstance(error, kind))
            return False, f"{part}: {error}"
        except Exception as error:  # noqa: BLE001 - the button must answer
            return False, f"Unexpected {type(error).__name__}: {error}"

    def _try_out(self) -> str:
        from airflow_provider_kognic.core.api.client import KognicClient
        from airflow_provider_kognic.core.retries import Backoff

        # Someone waits in front of the form: no long time-outs, one more try.
        settings = replace(self.settings, timeout=min(self.settings.timeout, 10.0))
        with KognicClient(settings, backoff=Backoff(attempts=2, most_asked=2.0)) as client:
            visible = len(client.list_datasets())
        return f"Connected to {settings.base_url}: {visible} {'dataset' if visible == 1 else 'datasets'} visible."

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the form's labels, for Airflow 3.0 and 3.1."""
        return {"hidden_fields": HIDDEN_FIELDS, "relabeling": RELABELING, "placeholders": PLACEHOLDERS}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's own fields, for Airflow 3.0 and 3.1."""
        from wtforms import BooleanField, IntegerField, PasswordField, StringField

        def field(spec: dict[str, Any]) -> Any:
            schema = spec["schema"]
            default = schema.get("default")
            kind = {"boolean": BooleanField, "integer": IntegerField}.get(schema["type"][0])
            if kind is None:  # wtforms' other numbers are not known to Airflow's form
                kind = PasswordField if schema.get("format") == "password" else StringField
                default = None if default is None else str(default)
            return kind(spec["label"], description=spec["description"], default=default)

        return {name: field(spec) for name, spec in CONN_FIELDS.items()}


def settings_of(connection: Any) -> Settings:
    """Read an Airflow connection.

    Args:
        connection: Anything with `host`, `port`, `schema`, `login`, `password` and `extra_dejson`.

    Raises:
        KognicInputError: A field cannot be used; the message names it and never shows a secret.
    """
    extra = {key: value for key, value in connection.extra_dejson.items() if value not in (None, "")}
    scopes = extra.get("scopes", ())
    if isinstance(scopes, str):
        scopes = scopes.replace(",", " ").split()
    if not isinstance(scopes, (list, tuple)):
        raise KognicInputError(f"'scopes' must be text or a list of text, not {scopes!r}.")
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
        allow_http=extra.get("allow_http", False),
    )


def unknown_keys(connection: Any) -> str | None:
    """Return a sentence that names the keys of a connection's extra that nobody reads: typos; None without any."""
    unknown = sorted(set(map(str, connection.extra_dejson)) - set(CONN_FIELDS))
    if not unknown:
        return None
    named = []
    for key in unknown[:_MOST_NAMED]:
        meant = get_close_matches(key.lower(), CONN_FIELDS, 1)
        named.append(f"{key[:_LONGEST_NAME]!r}" + (f" (did you mean {meant[0]!r}?)" if meant else ""))
    more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
    return f"The connection's extra has keys that are unknown and have no effect: {', '.join(named)}{more}."


@contextmanager
def _unknown_said(kognic_conn_id: str) -> Iterator[None]:
    """Say that there is no such connection as what it is: a wrong argument, which asking again will not mend."""
    try:
        yield
    except AirflowNotFoundException as error:
        raise KognicInputError(
            f"Airflow knows no connection {kognic_conn_id!r}; define it or correct kognic_conn_id."
        ) from error


def _settings_and_warning(connection: Any) -> Settings:
    unknown = unknown_keys(connection)
    if unknown is not None:
        logger.warning("%s", unknown)
    return settings_of(connection)


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
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise KognicInputError(
            "the connection's login is empty, so its password must be a credentials JSON, and it is none. Put the"
            " client id into login, or the whole JSON file's text into password."
        )
    return parsed
