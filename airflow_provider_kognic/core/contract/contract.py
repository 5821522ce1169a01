"""What became of the assumptions when the service was asked, as it is saved and read again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.contract.assumptions import NAMES, RESTS_ON
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.hosts import is_same_host
from airflow_provider_kognic.core.texts import brief, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = "airflow-provider-kognic contract"
VERSION = 1
MOST_BYTES = 1 << 20
"""No contract is larger: whatever is was not written by `contract`."""

Value = bool | int | str
"""What is known beside a verdict: the body's limit in bytes, the name of a header."""


class Verdict(str, Enum):
    """What became of an assumption."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Judgement:
    """The verdict on one assumption.

    Attributes:
        verdict: The verdict.
        evidence: What it rests on, in words of ours: nothing that the service said stands here as it came.
        value: What is known beside it, if anything.
    """

    verdict: Verdict = Verdict.UNKNOWN
    evidence: tuple[str, ...] = ()
    value: Value | None = None


_UNKNOWN = Judgement()


@dataclass(frozen=True)
class Contract:
    """What the service said.

    Args:
        host: The dataset API, as `Settings.host` names it.
        asked_at: When, in UTC.
        judged: The judgement of each assumption, by its name; unknown is what is not there.
        description: What kind of description was found, and where; or why none was.
        asked: What else was asked, a line each.
        sunsets: Of endpoints that announced their end: the date, by method and path.
        provider: The version of this provider that asked.
    """

    host: str
    asked_at: datetime
    judged: Mapping[str, Judgement] = field(default_factory=dict)
    description: str = ""
    asked: tuple[str, ...] = ()
    sunsets: Mapping[str, str] = field(default_factory=dict)
    provider: str = ""

    def judgement(self, name: str) -> Judgement:
        """Return the judgement of an assumption; raises KognicInputError where there is none of that name."""
        if name not in NAMES:
            raise KognicInputError(f"{brief(name)} is no assumption; docs/contract.md names them all.")
        return self.judged.get(name, _UNKNOWN)

    def verdict(self, name: str) -> Verdict:
        """Return the verdict on an assumption; raises KognicInputError where there is none of that name."""
        return self.judgement(name).verdict

    def switching(self, name: str) -> tuple[Verdict, str]:
        """Return the verdict by which an assumption switches, and which assumption that verdict is on.

        It is its own, unless one on which it rests is contradicted: a listing that cannot be read is none.

        Raises:
            KognicInputError: There is no assumption of that name.
        """
        own = self.verdict(name)
        if own is not Verdict.CONTRADICTED:
            for other in RESTS_ON.get(name, ()):
                if self.verdict(other) is Verdict.CONTRADICTED:
                    return Verdict.CONTRADICTED, other
        return own, name

    def value(self, name: str) -> Value | None:
        """Return what is known beside the verdict: of `body_limit` the bytes, of `idempotency_key` the header.

        Raises:
            KognicInputError: There is no assumption of that name.
        """
        return self.judgement(name).value

    def is_of(self, host: str) -> bool:
        """Tell whether this is the answer of a host, however that is typed.

        Args:
            host: As `Settings.host` names it.
        """
        return is_same_host(self.host, host)

    def dump(self) -> str:
        """Return it as JSON."""
        told = {
            "format": FORMAT,
            "version": VERSION,
            "provider": self.provider,
            "host": self.host,
            "asked_at": self.asked_at.astimezone(timezone.utc).isoformat(timespec="seconds"),
            "description": self.description,
            "asked": list(self.asked),
            "sunsets": dict(self.sunsets),
            "assumptions": {
                name: {
                    "verdict": judgement.verdict.value,
                    "evidence": list(judgement.evidence),
                    **({} if judgement.value is None else {"value": judgement.value}),
                }
                for name, judgement in self.judged.items()
            },
        }
        return json.dumps(told, indent=2) + "\n"

    @classmethod
    def load(cls, source: object) -> Contract:
        """Read a contract that was saved.

        Args:
            source: Its path, on this machine or in an object store; or its text, which begins with `{`.

        Raises:
            KognicInputError: There is none, or it is another file, of another version, or damaged.
            Exception: As the store's library does.
        """
        if isinstance(source, (bytes, bytearray)):
            return _parsed(bytes(source), "the contract")
        if isinstance(source, str) and source.lstrip().startswith("{"):
            return _parsed(source.encode(), "the contract")
        path: Any = Path(source).expanduser() if isinstance(source, str) else source
        what = f"the contract {brief(str(path))}"
        try:
            content = files.read_up_to(path, MOST_BYTES + 1)
        except FileNotFoundError:
            raise KognicInputError(
                f"{what} is not there: 'airflow-provider-kognic contract --save PATH' writes one."
            ) from None
        except files.NotAFileError as error:
            raise KognicInputError(f"{what} cannot be read: {sentence(error)}") from None
        return _parsed(content, what)


def _parsed(content: bytes, what: str) -> Contract:
    if len(content) > MOST_BYTES:
        raise KognicInputError(f"{what} is larger than any that 'contract --save' writes.")
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        raise KognicInputError(f"{what} is no JSON. Make it anew with 'contract --save'.") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise KognicInputError(
            f"{what} is none: its 'format' is not {FORMAT!r}. 'contract --save' writes one."
        )
    if told.get("version") != VERSION or isinstance(told["version"], bool):
        raise KognicInputError(
            f"{what} is of version {brief(told.get('version'))}, and this provider reads {VERSION}: make it anew"
            " with 'contract --save', or take the provider that wrote it."
        )
    try:
        return _contract(told)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise KognicInputError(
            f"{what} is damaged ({type(error).__name__}: {brief(str(error))}). Make it anew with 'contract --save'."
        ) from None


def _contract(told: dict[str, Any]) -> Contract:
    asked_at = datetime.fromisoformat(_text(told["asked_at"]))
    if asked_at.tzinfo is None:
        raise ValueError("asked_at has no time zone")
    return Contract(
        host=_text(told["host"]),
        asked_at=asked_at.astimezone(timezone.utc),
        # What another release of this version knows besides is left out: it means nothing here.
        judged={name: _judgement(one) for name, one in told["assumptions"].items() if name in NAMES},
        description=_text(told.get("description", "")),
        asked=tuple(map(_text, told.get("asked", ()))),
        sunsets={_text(endpoint): _text(date) for endpoint, date in told.get("sunsets", {}).items()},
        provider=_text(told.get("provider", "")),
    )


def _judgement(told: dict[str, Any]) -> Judgement:
    value = told.get("value")
    if value is not None and not isinstance(value, (bool, int, str)):
        raise TypeError(f"a value of type {type(value).__name__}")
    return Judgement(Verdict(told["verdict"]), tuple(map(_text, told.get("evidence", ()))), value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text was expected, not {type(value).__name__}")
    return value
