"""The URIs by which Airflow's assets name what is in Kognic.

    kognic://<host>/datasets/<uuid>                               a dataset
    kognic://<host>/datasets/<uuid>/predictions-groups/<uuid>     a predictions group

The host is that of the dataset API, in its one form (see `hosts`), with the path before `/v1` if its base URL has
one. Uuids are in their canonical form. A URI holds no port that goes without saying, no user, no query: two tasks
that mean the same group name the same asset, and nothing that lets anybody in.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from airflow_provider_kognic.core.hosts import DEFAULT_PORTS, normal_host
from airflow_provider_kognic.core.texts import brief

SCHEME = "kognic"
_FORM = "kognic://<host>/datasets/<uuid>[/predictions-groups/<uuid>]"
_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_DATASETS, _GROUPS = "datasets", "predictions-groups"


@dataclass(frozen=True)
class Place:
    """What a URI names.

    Attributes:
        host: The dataset API, as `Settings.host` names it.
        dataset_uuid: The dataset.
        predictions_group_uuid: The group; None where the URI names the dataset.
    """

    host: str
    dataset_uuid: str
    predictions_group_uuid: str | None = None

    @property
    def path(self) -> str:
        """The path behind the host."""
        group = self.predictions_group_uuid
        return f"{_DATASETS}/{self.dataset_uuid}" + ("" if group is None else f"/{_GROUPS}/{group}")

    @property
    def uri(self) -> str:
        """The URI, in its one form."""
        return f"{SCHEME}://{self.host}/{self.path}"


def uri_of(host: str, dataset_uuid: str, predictions_group_uuid: str | None = None) -> str:
    """Return the URI of a predictions group, or of a dataset.

    Args:
        host: The dataset API, as `Settings.host` names it: without a scheme.
        dataset_uuid: The dataset's uuid.
        predictions_group_uuid: The group's uuid; None for the dataset itself.

    Raises:
        ValueError: One of them is none.
    """
    group = "" if predictions_group_uuid is None else f"/{_GROUPS}/{predictions_group_uuid}"
    return place_of(f"{SCHEME}://{host}/{_DATASETS}/{dataset_uuid}{group}").uri


def place_of(uri: str) -> Place:
    """Return what a URI names.

    Raises:
        ValueError: It is none of ours; the message says what is wrong with it.
    """
    try:
        parts = urlsplit(uri.strip())
    except ValueError as error:
        raise ValueError(f"{brief(uri)} is no URI: {error}") from None
    if parts.scheme.lower() != SCHEME:
        raise ValueError(f"{brief(uri)} is no asset of Kognic: expected {_FORM}.")
    return _place(parts)


def normal(parts: SplitResult) -> SplitResult:
    """Return a URI in its one form, for Airflow, which asks this wherever an asset is made.

    A user, a query and a fragment are left out: they name nothing in Kognic.

    Raises:
        ValueError: It names no dataset and no group; the message says what is wrong with it.
    """
    return urlsplit(_place(parts).uri)


def _place(parts: SplitResult) -> Place:
    # Without the user and the query, of which either may be a secret.
    netloc = parts.netloc.rpartition("@")[2]
    shown = brief(urlunsplit((SCHEME, netloc, parts.path, "", "")))
    if not netloc.partition(":")[0]:
        raise ValueError(f"{shown} has no host: expected {_FORM}, with the host of the dataset API.")
    try:
        port = urlsplit(f"//{netloc}").port
    except ValueError:
        raise ValueError(f"{shown} has a port that is no number from 0 to 65535.") from None
    if any(one.isspace() for one in netloc):
        raise ValueError(f"{shown} has a blank in its host.")
    typed = [step for step in parts.path.split("/") if step]
    steps = [unquote(step) for step in typed]
    if _DATASETS not in steps:
        raise ValueError(f"{shown} names no dataset: expected {_FORM}.")
    at = len(steps) - 1 - steps[::-1].index(_DATASETS)
    before, of_dataset = typed[:at], steps[at + 1 :]  # the path stays quoted: a %3F is no query
    if not of_dataset:
        raise ValueError(f"{shown} ends before the dataset's uuid: expected {_FORM}.")
    dataset = _canonical(of_dataset[0], "dataset", shown)
    group = None
    if more := of_dataset[1:]:
        if more[0] != _GROUPS or len(more) > 2:  # noqa: PLR2004 - the word and the uuid
            raise ValueError(
                f"{shown} goes on with {brief('/'.join(more))} behind the dataset: expected {_FORM}."
            )
        if len(more) == 1:
            raise ValueError(f"{shown} ends before the predictions group's uuid: expected {_FORM}.")
        group = _canonical(more[1], "predictions group", shown)
    host = normal_host(netloc, DEFAULT_PORTS["https"] if port == DEFAULT_PORTS["https"] else None)
    return Place("/".join([host, *(step.lower() for step in before)]), dataset, group)


def _canonical(text: str, what: str, shown: str) -> str:
    if _UUID.fullmatch(text) is None:
        raise ValueError(
            f"{shown}: {brief(text)} is no uuid of a {what}; a name cannot stand there, as names change and need"
            " not be unique."
        )
    return str(uuid.UUID(text))
