"""What an upload may be told to do: one record, checked once, that travels whole.

A policy answers questions (`asks_the_server`, `sends_again`, ...); nobody else compares its text. Nothing slow is
imported here, as the record is made where a DAG file is parsed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.texts import brief
from airflow_provider_kognic.core.values import (
    MOST_CONNECTIONS,
    MOST_DOCUMENT_BYTES,
    MOST_MEMORY_BYTES,
    check_bytes,
    check_choice,
    check_connections,
    check_flag,
    check_metres,
    check_seconds,
    whole_number,
)

_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")


class OnAmbiguous(str, Enum):
    """What to do about a prediction whose answer was lost, in this run or in an earlier one.

    `reconcile` asks the server what the group holds; `resend` sends it again (at least once); `skip` and `fail`
    leave it in doubt (at most once), and the former lets the task succeed.
    """

    RECONCILE = "reconcile"
    RESEND = "resend"
    SKIP = "skip"
    FAIL = "fail"

    @property
    def asks_the_server(self) -> bool:
        """Whether the group's listing settles what is in doubt."""
        return self is OnAmbiguous.RECONCILE

    @property
    def sends_again(self) -> bool:
        """Whether what is in doubt is sent again, at the price of a second prediction."""
        return self is OnAmbiguous.RESEND

    @property
    def doubt_fails(self) -> bool:
        """Whether what stays in doubt at the end fails the task."""
        return self is not OnAmbiguous.SKIP

    @property
    def earlier_doubt_fails(self) -> bool:
        """Whether what an earlier run left in doubt is sure to fail the task: nothing settles it."""
        return self is OnAmbiguous.FAIL


class OnChanged(str, Enum):
    """What to do about a scene whose prediction was created from another document.

    `refuse` leaves the one that there is; `send` sends the new one beside it.
    """

    REFUSE = "refuse"
    SEND = "send"

    @property
    def sends(self) -> bool:
        """Whether the newer document is sent, too."""
        return self is OnChanged.SEND


class Validation(str, Enum):
    """How much a document is checked before it is sent.

    `strict` refuses one that breaks a rule of Kognic's prediction format (see `openlabel`), a scene without
    annotations and a class that is not mapped; `off` asks no more than whether it is a JSON object with an object
    `openlabel`.
    """

    STRICT = "strict"
    OFF = "off"

    @property
    def checks_rules(self) -> bool:
        """Whether documents are held against the rules, the dataset and the class mapping."""
        return self is Validation.STRICT


class SceneCheck(str, Enum):
    """Whether a document is held against the scene that it predicts, as the input API shows it.

    `off` asks nothing; `warn` says what does not fit and sends the document; `error` refuses it.
    """

    OFF = "off"
    WARN = "warn"
    ERROR = "error"

    @property
    def asks(self) -> bool:
        """Whether scenes are asked for."""
        return self is not SceneCheck.OFF

    @property
    def refuses(self) -> bool:
        """Whether what cannot be right refuses a document."""
        return self is SceneCheck.ERROR


@dataclass(frozen=True)
class MaxFailures:
    """How many may be refused: predictions, or rows of a model's results.

    Attributes:
        amount: A count, or a percentage of the total.
        percent: Which of the two it is.
    """

    amount: float
    percent: bool = False

    @classmethod
    def parse(cls, value: object, what: str = "max_failures") -> MaxFailures:
        """Read a count (`3`, `"3"`) or a percentage (`"2%"`) of what is called `what`.

        Raises:
            KognicInputError: It is neither.
        """
        if isinstance(value, cls):
            return value
        count = whole_number(value)
        if count is not None and count >= 0:
            return cls(count)
        if isinstance(value, str):
            match = _PERCENT.fullmatch(value)
            if match and float(match[1]) <= 100:  # noqa: PLR2004 - percent
                return cls(float(match[1]), percent=True)
        raise KognicInputError(
            f"{what} must be a count such as 3 or a share such as '2%', not {brief(value)}."
        )

    def allows(self, refused: int, total: int) -> bool:
        """Tell whether that many of the total may be refused."""
        return refused <= (total * self.amount / 100 if self.percent else self.amount)

    def __str__(self) -> str:
        return f"{self.amount:g}{' %' if self.percent else ''}"


@dataclass(frozen=True)
class UploadOptions:
    """Everything that an upload, or its dry run, may be told; each value is checked and made what it should be.

    Attributes:
        max_connections: Most requests in flight, and documents that are read and checked at a time: 1 to 10.
        max_failures: How many predictions may be refused.
        allow_empty: Whether a source without any prediction is a success.
        outage_timeout: Seconds without any success after which an outage ends the run.
        on_ambiguous: What to do about a prediction whose answer was lost.
        settle_after: Seconds since a prediction was sent before its absence from the listing means that it was not
            executed.
        on_changed: What to do about a scene whose prediction was created from another document.
        validation: How much a document is checked.
        scene_check: Whether a document is held against its scene.
        max_range_m: The farthest that a cuboid's centre may be from the origin (m), for `scene_check`; None for any
            distance.
        max_document_bytes: Larger documents are refused.
        max_memory_bytes: Bytes of documents that are in memory at a time; a document that is larger goes alone.
        backoff: How often and how long to retry what was certainly not executed, and the pauses in an outage.
        log_every: Seconds between lines of progress in the log.

    Raises:
        KognicInputError: A value is out of its range; the message names it.
    """

    max_connections: int = MOST_CONNECTIONS
    max_failures: MaxFailures = field(default_factory=lambda: MaxFailures(0))
    allow_empty: bool = False
    outage_timeout: float = 600.0
    on_ambiguous: OnAmbiguous = OnAmbiguous.RECONCILE
    settle_after: float = 60.0
    on_changed: OnChanged = OnChanged.REFUSE
    validation: Validation = Validation.STRICT
    scene_check: SceneCheck = SceneCheck.OFF
    max_range_m: float | None = None
    max_document_bytes: int = MOST_DOCUMENT_BYTES
    max_memory_bytes: int = MOST_MEMORY_BYTES
    backoff: Backoff = field(default_factory=Backoff)
    log_every: float = 5.0

    def __post_init__(self) -> None:
        checked: dict[str, Any] = {
            "max_connections": check_connections(self.max_connections),
            "max_failures": MaxFailures.parse(self.max_failures),
            "allow_empty": check_flag(self.allow_empty, "allow_empty"),
            "outage_timeout": check_seconds(self.outage_timeout, "outage_timeout", zero=True),
            "on_ambiguous": check_choice(self.on_ambiguous, "on_ambiguous", OnAmbiguous),
            "settle_after": check_seconds(self.settle_after, "settle_after", zero=True),
            "on_changed": check_choice(self.on_changed, "on_changed", OnChanged),
            "validation": (validation := check_choice(self.validation, "validation", Validation)),
            "scene_check": check_choice(self.scene_check, "scene_check", SceneCheck),
            "max_range_m": None
            if self.max_range_m is None
            else check_metres(self.max_range_m, "max_range_m"),
            "max_document_bytes": _check_max_document_bytes(self.max_document_bytes, validation),
            "max_memory_bytes": check_bytes(self.max_memory_bytes, "max_memory_bytes"),
        }
        if checked["max_range_m"] is not None and not checked["scene_check"].asks:
            raise KognicInputError("max_range_m is for scene_check='warn' or 'error', and it is 'off'.")
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, **given: object) -> UploadOptions:
        """Make the record of values as people write them: `on_changed="send"`, `max_failures="2%"`.

        Raises:
            KognicInputError: A value is out of its range.
        """
        return cls(**given)  # type: ignore[arg-type]  # this is where they are checked


def _check_max_document_bytes(value: object, validation: Validation) -> int:
    size = check_bytes(value, "max_document_bytes")
    if validation.checks_rules and size > MOST_DOCUMENT_BYTES:
        raise KognicInputError(
            f"max_document_bytes is {size:,}, but at most {MOST_DOCUMENT_BYTES:,} bytes of a document are checked."
            " Lower it, or set validation='off'."
        )
    return size
