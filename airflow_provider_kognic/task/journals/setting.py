"""Which journal a task is asked to have: by its operator's argument, else by the installation's setting.

The setting is `[kognic] journal` in Airflow's configuration, `AIRFLOW__KOGNIC__JOURNAL` in the environment. Airflow
shows its configuration to whoever may see it, and masks a value as a whole or not at all: as a whole, no message of
a journal could say where it is. So the setting holds no secret, or is refused.
"""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.masking import masked, secrets_of
from airflow_provider_kognic.core.texts import brief, sentence
from airflow_provider_kognic.task.arguments import TASK
from airflow_provider_kognic.task.paths import to_path

if TYPE_CHECKING:
    from airflow_provider_kognic.core.files import StoredPath

SECTION, OPTION = "kognic", "journal"
SETTING = f"the setting [{SECTION}] {OPTION} (AIRFLOW__{SECTION.upper()}__{OPTION.upper()})"
_ARGUMENT = "the argument journal="
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(?://|/)", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """Which journal a task is asked to have.

    Attributes:
        folder: The folder, or None for Airflow's task state store.
        by: Who asks for it, for people; None where nobody does, and the state store is what is left.
    """

    folder: StoredPath | None
    by: str | None

    @property
    def place(self) -> str:
        """Its name, to be kept and compared: without what a URL hides."""
        return TASK if self.folder is None else place_of(self.folder)


def place_of(folder: StoredPath | str) -> str:
    """Return the name of a folder, the same one with and without a slash at its end; it holds no secret."""
    return masked(str(folder)).rstrip("/") or "/"


def asked_for(argument: Any) -> Asked:
    """Return which journal is asked for.

    Args:
        argument: The operator's: a folder, `"task"`, or None where it says nothing. Not False.

    Raises:
        KognicInputError: The argument or the setting is no such thing.
        KognicStoreError: Whoever gives out the credentials of its store does not answer.
    """
    if argument is not None:
        if argument == TASK:
            return Asked(None, _ARGUMENT)
        return Asked(to_path(argument, "'journal'"), _ARGUMENT)
    setting = _configured()
    if setting is None:
        return Asked(None, None)
    if setting.strip() == TASK:
        return Asked(None, SETTING)
    return Asked(_folder_of(setting), SETTING)


def _configured() -> str | None:
    """Return the value of the setting, or None where there is none."""
    from airflow.providers.common.compat.sdk import conf, mask_secret

    try:
        found: str | None = conf.get(SECTION, OPTION, fallback=None)
    except configparser.Error as error:  # a % that is not doubled in airflow.cfg
        said = masked(str(error))
        raise KognicInputError(f"{SETTING} cannot be read: {sentence(said)} Nothing was sent.") from None
    if found is not None:
        for secret in secrets_of(found):
            mask_secret(secret)
    return found


def _folder_of(setting: str) -> StoredPath:
    """Return the folder that the setting names; raises as `asked_for` does."""
    text = setting.strip()
    if not (_SCHEME.match(text) or text.startswith("~") or PurePath(text).is_absolute()):
        # Relative to the folder in which a worker happens to run it would be another one on each.
        raise KognicInputError(
            f"{SETTING} must be a folder that every worker sees, as an absolute path or a URL such as"
            f" s3://connection@bucket/kognic-journals, or {TASK!r} for Airflow's task state store, not"
            f" {brief(setting)}. Nothing was sent."
        )
    if (shown := masked(text)) != text:
        raise KognicInputError(
            f"{SETTING} is {shown}: a password or signature does not belong there, as Airflow shows its"
            " configuration. Define an Airflow connection that has it, and name that before the '@'. Nothing was"
            " sent."
        )
    try:
        return to_path(text, "the folder")
    except KognicInputError as error:
        message = f"{SETTING} is {text}, which is no folder to be used: {error.message} Nothing was sent."
        raise error.with_message(message) from error.__cause__
