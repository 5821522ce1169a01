"""The lines of a journal, letter by letter: what is a record everywhere else is a list of JSON here alone.

    ["i", scene, digest, when, covered]       Intent
    ["c", scene, prediction]                  Created; with a 1 behind it, `resent`
    ["r", scene, status, message]             Refused
    ["d", scene, when, status, message]       InDoubt
    ["u", scene]                              Unsent
    ["b", scene, [prediction, ...], upload]   Baseline
    ["B", upload]                             BaselineTaken
    ["f", scene, upload]                      BegunAnew

    ["v", version]                            AttemptBegins; said by who reads, never written

A record holds uuids as their 16 bytes, a digest as the first 16 of its 32, times in s since the epoch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicJournalFormatError
from airflow_provider_kognic.core.hosts import is_same_host, normal_host

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FORMAT_VERSION = 2
# Version 1 knew no normal form of a host. Parts of it are read, and none is written any more.
_VERSIONS_READ = (1, FORMAT_VERSION)
# Characters of a digest that are kept: half of a SHA-256 still tells two documents apart.
DIGEST_KEPT = 32
_LONGEST_MESSAGE = 300
_KEY_LENGTH = 16


class NotARecordError(ValueError):
    """A line that cannot be understood; the text says why."""


@dataclass(frozen=True)
class Header:
    """The first thing in every part of a log: which journal it belongs to.

    Attributes:
        host: The dataset API, as `Settings.host` names it.
        predictions_group_uuid: The group.
        writer: Who wrote it, for people: a task's try, a machine.
    """

    host: str
    predictions_group_uuid: str
    writer: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as the JSON object that starts a part."""
        return {
            "format": "kognic-journal",
            "version": FORMAT_VERSION,
            "host": self.host,
            "predictions_group_uuid": self.predictions_group_uuid,
            "writer": self.writer,
        }

    def to_line(self) -> bytes:
        """Return it as the first line of a part."""
        return json.dumps(self.to_json()).encode("ascii")

    def check_line(self, line: bytes, where: str) -> AttemptBegins:
        """Check the first line of a part that was found; see `check`."""
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        return self.check(found, where)

    def check(self, found: object, where: str) -> AttemptBegins:
        """Check the header of a part that was found.

        Args:
            found: The parsed JSON.
            where: The part, for the message.

        Returns:
            What the lines of the part's attempt begin with.

        Raises:
            KognicJournalFormatError: It is none, of an unknown version, or of another host or group.
        """
        if not isinstance(found, dict) or found.get("format") != "kognic-journal":
            raise KognicJournalFormatError(
                f"{where} is no part of a journal of this provider. Give the journal a place of its own; nothing"
                " was sent."
            )
        version = found.get("version")
        if version not in _VERSIONS_READ or isinstance(version, bool):
            raise KognicJournalFormatError(
                f"{where} has the format version {version!r}, and this version of the provider knows"
                f" {_VERSIONS_READ[0]} to {FORMAT_VERSION}. Use the version that wrote it, or newer; nothing was"
                " sent."
            )
        if not self.is_of_this_host(found):
            self._refuse("host", found, "host", where)
        if found.get("predictions_group_uuid") != self.predictions_group_uuid:
            self._refuse("predictions group", found, "predictions_group_uuid", where)
        return AttemptBegins(int(version))

    def is_of_this_host(self, found: Mapping[str, Any]) -> bool:
        """Tell whether the header of a part names this host, in whichever spelling."""
        host = found.get("host")
        if found.get("version") == 1:
            return is_same_host(host, self.host)
        return isinstance(host, str) and normal_host(host) == normal_host(self.host)

    def _refuse(self, what: str, found: Mapping[str, Any], name: str, where: str) -> None:
        raise KognicJournalFormatError(
            f"{where} is of another {what}: {found.get(name)!r}, not {getattr(self, name)!r}. Somebody moved it;"
            " nothing was sent."
        )


@dataclass(frozen=True)
class AttemptBegins:
    """From here on stand the lines of one attempt, in a version of the format."""

    version: int


@dataclass(frozen=True)
class Intent:
    """A prediction is about to be sent; `covered` if its attempt had looked what the group holds of the scene."""

    scene: bytes
    digest: bytes
    at: float
    covered: bool


@dataclass(frozen=True)
class Created:
    """It was created; `resent` if by sending it again after a lost answer, so that there may be two."""

    scene: bytes
    prediction: bytes
    resent: bool = False


@dataclass(frozen=True)
class Refused:
    """It was refused."""

    scene: bytes
    status: int | None = None
    message: str = ""


@dataclass(frozen=True)
class InDoubt:
    """Its answer was lost, and given up at `at`."""

    scene: bytes
    at: float
    status: int | None = None
    message: str = ""


@dataclass(frozen=True)
class Unsent:
    """The intent is withdrawn: it was certainly not executed."""

    scene: bytes


@dataclass(frozen=True)
class Baseline:
    """These predictions of the scene were there before the upload sent it."""

    scene: bytes
    predictions: tuple[bytes, ...]
    upload: str


@dataclass(frozen=True)
class BaselineTaken:
    """The upload's baseline is complete; in version 1, as later ones take one in each attempt."""

    upload: str


@dataclass(frozen=True)
class BegunAnew:
    """The upload begins the scene anew: it forgets what earlier ones did (`force`)."""

    scene: bytes
    upload: str


Outcome = Created | Refused | InDoubt | Unsent
Record = Intent | Outcome | Baseline | BaselineTaken | BegunAnew | AttemptBegins


def encode(record: Record) -> bytes:
    """Return the line of a record."""
    return json.dumps(_ROW_OF[type(record)](record), separators=(",", ":")).encode("ascii")


def decode(line: bytes) -> Record:
    """Return the record of a line.

    Raises:
        NotARecordError: It is none.
    """
    try:
        row = _row_of(line)
        return _RECORD_OF.get(row[0], _unknown)(row)
    except (TypeError, ValueError, IndexError, KeyError, RecursionError) as error:
        raise NotARecordError(str(error)) from error


_ROW_OF: dict[type[Record], Callable[[Any], list[Any]]] = {
    Intent: lambda of: ["i", of.scene.hex(), of.digest.hex(), of.at, int(of.covered)],
    Created: lambda of: ["c", of.scene.hex(), of.prediction.hex(), *([1] if of.resent else [])],
    Refused: lambda of: ["r", of.scene.hex(), of.status, of.message[:_LONGEST_MESSAGE]],
    InDoubt: lambda of: ["d", of.scene.hex(), of.at, of.status, of.message[:_LONGEST_MESSAGE]],
    Unsent: lambda of: ["u", of.scene.hex()],
    Baseline: lambda of: ["b", of.scene.hex(), [one.hex() for one in of.predictions], of.upload],
    BaselineTaken: lambda of: ["B", of.upload],
    BegunAnew: lambda of: ["f", of.scene.hex(), of.upload],
    AttemptBegins: lambda of: ["v", of.version],
}

_RECORD_OF: dict[str, Callable[[list[Any]], Record]] = {
    "i": lambda row: Intent(_digits(row[1]), at=float(row[3]), covered=bool(row[4]), digest=_digest(row[2])),
    "c": lambda row: Created(_digits(row[1]), _digits(row[2]), any(row[3:4])),
    "r": lambda row: Refused(_digits(row[1]), *row[2:4]),
    "d": lambda row: InDoubt(_digits(row[1]), float(row[2]), *row[3:5]),
    "u": lambda row: Unsent(_digits(row[1])),
    "b": lambda row: Baseline(_digits(row[1]), tuple(_digits(one) for one in row[2]), row[3]),
    "B": lambda row: BaselineTaken(row[1]),
    "f": lambda row: BegunAnew(_digits(row[1]), row[2]),
    "v": lambda row: AttemptBegins(int(row[1])),
}


def _row_of(line: bytes) -> list[Any]:
    row = json.loads(line)
    if not isinstance(row, list) or not row or not isinstance(row[0], str):
        raise TypeError("not a row")
    return row


def _unknown(row: list[Any]) -> Record:
    _digits(row[1])
    raise ValueError(f"{row[0].encode('ascii')!r} is not a valid State")


def scene_of_intent(row: object) -> str | None:
    """Return the scene of a line that was parsed, as it stands there, if that is an intent's."""
    if isinstance(row, list) and len(row) > 1 and row[0] == "i":
        return str(row[1])
    return None


def to_bytes(uuid: str) -> bytes:
    """Return the bytes of a uuid."""
    return _digits(uuid.replace("-", ""))


def to_text(uuid: bytes) -> str:
    """Return a uuid in its usual form."""
    digits = uuid.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def digest_kept(digest: str) -> bytes:
    """Return what is kept of a digest in hexadecimal digits."""
    return _digest(digest[:DIGEST_KEPT])


def _digest(text: str) -> bytes:
    return _digits(text) if text else b""


def _digits(text: str) -> bytes:
    """Return the 16 bytes of a uuid or of half a SHA-256."""
    found = bytes.fromhex(text)
    if len(found) != _KEY_LENGTH:
        raise ValueError(f"{text!r} is not {2 * _KEY_LENGTH} hexadecimal digits")
    return found
