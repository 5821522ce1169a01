"""What happens during an upload, as records that observers take.

    Intended   its intent is in the journal; it may be sent from now on
    Sent       its request leaves
    Answered   an answer came, or none: `error` is what went wrong, None for a prediction that was created
    Retried    it is sent again after a pause: it was not executed, or `on_ambiguous="resend"` says so
    Throttled  fewer may be in flight, or nobody until a moment
    Held       so many predictions in doubt are set aside, to be settled by the group's listing
    Settled    it has its outcome: once for each entry that the source named
    Halted     the upload ends early; nothing more is sent

A dry run has but one kind, `Planned`. Events of one prediction come in this order; those of several mix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from airflow_provider_kognic.core.errors import KognicError
    from airflow_provider_kognic.core.models import Result
    from airflow_provider_kognic.core.reporting.plan import Planned as PlannedEntry


@dataclass(frozen=True)
class Intended:
    """The intent to send a prediction is durable.

    Attributes:
        scene_uuid: Its scene.
        size: Bytes of its document.
    """

    scene_uuid: str
    size: int


@dataclass(frozen=True)
class Sent:
    """A request leaves.

    Attributes:
        scene_uuid: Its scene.
        attempt: How often this run has sent it, from 1.
    """

    scene_uuid: str
    attempt: int


@dataclass(frozen=True)
class Answered:
    """A request has ended.

    Attributes:
        scene_uuid: Its scene.
        seconds: From `Sent` to here.
        error: What went wrong, or why the run ended before it left; None where it was created.
    """

    scene_uuid: str
    seconds: float
    error: KognicError | None


@dataclass(frozen=True)
class Retried:
    """A request will be made again: it was not executed, or its answer was lost and `on_ambiguous` is `resend`.

    Attributes:
        scene_uuid: Its scene.
        error: What went wrong.
        pause: Seconds until then.
    """

    scene_uuid: str
    error: KognicError
    pause: float


@dataclass(frozen=True)
class Throttled:
    """Requests are held back after an answer.

    Attributes:
        slots: How many may be in flight now.
        pause: Seconds during which none may leave; 0 for none.
        error: The answer.
    """

    slots: int
    pause: float
    error: KognicError


@dataclass(frozen=True)
class Held:
    """The number of predictions in doubt that are set aside has changed.

    Attributes:
        count: How many there are now.
    """

    count: int


@dataclass(frozen=True)
class Settled:
    """An entry of the source has its outcome.

    What a source that broke off did not name has none; the report counts it (`Report.uncounted`).

    Attributes:
        result: What became of it.
    """

    result: Result


@dataclass(frozen=True)
class Halted:
    """The upload ends early.

    Attributes:
        error: Why.
    """

    error: KognicError


@dataclass(frozen=True)
class Planned:
    """A dry run has found out what would become of an entry of the source.

    Attributes:
        entry: What would be done about it.
    """

    entry: PlannedEntry


Event = Intended | Sent | Answered | Retried | Throttled | Held | Settled | Halted | Planned


class Observer(Protocol):
    """Takes what happens. It is called in a thread of its own, one event at a time, in their order.

    Whatever it raises, and however long it takes, the upload goes on; see `observers.Observers`.
    """

    def notice(self, event: Event) -> None:
        """Take an event."""
