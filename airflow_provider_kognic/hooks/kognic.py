"""An Airflow connection of the type `kognic` becomes a client of the dataset API."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, mask_secret

from airflow_provider_kognic.core.errors import (
    KognicAuthError,
    KognicConnectionError,
    KognicCredentialsError,
    KognicError,
    KognicInputError,
    KognicPermissionError,
    KognicTLSError,
)
from airflow_provider_kognic.core.texts import brief, printable
from airflow_provider_kognic.core.values import check_connections
from airflow_provider_kognic.get_provider_info import CONN_FIELDS, HIDDEN_FIELDS, PLACEHOLDERS, RELABELING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
    from airflow_provider_kognic.core.api.client import KognicClient
    from airflow_provider_kognic.core.api.dataset_api.records import Annotation, Dataset, PredictionsGroup
    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.api.switches import Switches
    from airflow_provider_kognic.hooks.connections import Assumed


logger = logging.getLogger(__name__)

# The scopes that Kognic's own tools know (kognic-auth 4.5, in an environment).
_READ, _WRITE = "api:read", "api:write"
_MOST_SCOPES = 20

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
        first: Whether the connection is read for the first time in a task's run: only then its log is warned of
            keys of the extra that mean nothing, and told of each try of a call.
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
        first: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kognic_conn_id = kognic_conn_id
        self._stopping = stopping
        self._level = logging.WARNING if first else logging.DEBUG

    @classmethod
    async def from_connection_id(
        cls, kognic_conn_id: str, *, stopping: Callable[[], bool] | None = None, first: bool = True
    ) -> KognicHook:
        """Make a hook where the connection can only be read asynchronously: in a trigger.

        Raises:
            KognicInputError: Airflow knows no such connection, or a field of it cannot be used.
        """
        from asgiref.sync import sync_to_async

        hook = cls(kognic_conn_id, stopping=stopping, first=first)
        with _unknown_said(kognic_conn_id):
            if hasattr(cls, "aget_connection"):  # Airflow >= 3.1
                connection = await cls.aget_connection(kognic_conn_id)
            else:
                connection = await sync_to_async(cls.get_connection)(kognic_conn_id)
        # Reading the extras makes Airflow tell its supervisor what to mask, which must not happen on the loop.
        hook.settings = await sync_to_async(_settings_and_warning)(connection, hook._level)
        return hook

    @cached_property
    def settings(self) -> Settings:
        """The connection, validated; raises KognicInputError, also where Airflow knows none of that id."""
        return self._read[0]

    @property
    def assumed(self) -> Assumed:
        """What the connection says of what is optional in the API; raises KognicInputError, as `settings` does."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[Settings, Assumed]:
        from airflow_provider_kognic.hooks.connections import assumed_of

        with _unknown_said(self.kognic_conn_id):
            connection = self.get_connection(self.kognic_conn_id)
        return _settings_and_warning(connection, self._level), assumed_of(connection)

    @cached_property
    def client(self) -> KognicClient:
        """The client for single calls; its token provider serves the asynchronous client too."""
        from airflow_provider_kognic.core.api.client import KognicClient

        return KognicClient(self.settings, stopping=self._stopping, quiet=self._level < logging.INFO)

    @property
    def sunsets(self) -> Mapping[str, str]:
        """When each endpoint ends that has announced it so far, as Kognic writes it, by its method and path."""
        return self.client.sunsets.dates

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
    async def async_client(
        self, max_connections: int | None = None, *, switches: Switches | None = None
    ) -> AsyncIterator[AsyncKognicClient]:
        """Open the client that sends many predictions at a time; `async with hook.async_client() as client`.

        Args:
            max_connections: Most requests in flight, 1 to 10; the connection's if None.
            switches: What of the API that is optional is made use of; nothing if None, whatever the connection
                says: only the operator reads its contract.
        """
        from airflow_provider_kognic.core.api.async_client import AsyncKognicClient

        settings = self.settings
        if max_connections is not None:
            settings = replace(settings, max_connections=check_connections(max_connections))
        async with AsyncKognicClient(
            settings, tokens=self.client.tokens, sunsets=self.client.sunsets, switches=switches
        ) as client:
            yield client

    def test_connection(self) -> tuple[bool, str]:
        """Fetch a token and list the datasets; Airflow calls this for the form's Test button.

        Returns:
            True, how many datasets are visible, and where an input API is named whether it answers; or False,
            which part failed, and what to check. Both with the keys of the extra that mean nothing.
        """
        from airflow_provider_kognic.hooks.connections import unknown_keys

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
        from airflow_provider_kognic.hooks.input_api import said_of_input_api

        # Someone waits in front of the form: no long time-outs, one more try.
        settings = replace(self.settings, timeout=min(self.settings.timeout, 10.0))
        said = self.assumed.said()
        with KognicClient(settings, backoff=Backoff(attempts=2, most_asked=2.0)) as client:
            visible = len(client.list_datasets())
            scopes = client.tokens.redact(_scopes_said(client.tokens.scopes, settings.scopes))
            scenes = said_of_input_api(settings, client.tokens)
        ends = "".join(
            f" Kognic will switch off {what} at {date}." for what, date in client.sunsets.dates.items()
        )
        advice = " Look for a newer version of this provider." if ends else ""
        asked = "" if scenes is None else f" {scenes}"
        datasets = "1 dataset" if visible == 1 else f"{visible} datasets"
        return f"Connected to {settings.base_url}: {datasets} visible. {scopes}{asked}{said}{ends}{advice}"

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


@contextmanager
def _unknown_said(kognic_conn_id: str) -> Iterator[None]:
    """Say that there is no such connection as what it is: a wrong argument, which asking again will not mend."""
    try:
        yield
    except AirflowNotFoundException as error:
        raise KognicInputError(
            f"Airflow knows no connection {brief(kognic_conn_id)}; define it or correct kognic_conn_id."
        ) from error


def _scopes_said(held: Sequence[str] | None, asked: Sequence[str]) -> str:
    """Say which scopes a token has, as far as the auth server said so.

    That creating predictions takes `api:write` is what kognic-auth's environments suggest; Kognic's documentation
    names no scopes.
    """
    if held is None:
        named = f" (asked for: {' '.join(asked)})" if asked else ""
        return f"The auth server does not say which scopes the token has{named}."
    listed = f"Scopes of the token: {' '.join(map(printable, held[:_MOST_SCOPES])) or 'none'}."
    lacking = [scope for scope in asked if scope not in held]
    if lacking:
        listed += f" Asked for, and not granted: {' '.join(lacking)}."
    if _READ in held and _WRITE not in held:
        listed += f" Without {_WRITE}, Kognic may refuse to create anything."
    return listed


def _settings_and_warning(connection: Any, level: int) -> Settings:
    from airflow_provider_kognic.hooks.connections import secrets_in, settings_of, unknown_keys

    unknown = unknown_keys(connection)
    if unknown is not None:
        logger.log(level, "%s", unknown)
    settings = settings_of(connection)
    hidden: Any = secrets_in(settings.credentials)
    if hidden:
        mask_secret(hidden)
    return settings
