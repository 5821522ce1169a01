"""What was intended and what came of it, remembered from one attempt to the next.

The upload asks the journal about every prediction before it sends it, tells it of its intent, and tells it the
outcome. This release keeps none: `NoJournal` remembers nothing, so a second attempt sends everything again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from airflow_provider_kognic.core.models import Prediction, Result


class Journal(Protocol):
    """Remembers predictions by scene, for one predictions group of one host.

    An exception from any method stops the upload: not being able to read or write the journal never means that
    nothing was sent.
    """

    async def created_before(self, prediction: Prediction, document: bytes) -> str | None:
        """Return the uuid under which an earlier attempt created this prediction, or None."""

    async def intend(self, prediction: Prediction, document: bytes) -> None:
        """Remember that this prediction is about to be sent; durable when it returns."""

    async def record(self, result: Result) -> None:
        """Remember what became of a prediction that was intended."""


class NoJournal:
    """Remembers nothing."""

    async def created_before(
        self,
        prediction: Prediction,  # noqa: ARG002 - the protocol's
        document: bytes,  # noqa: ARG002 - the protocol's
    ) -> str | None:
        """Return None: nothing is known."""
        return None

    async def intend(self, prediction: Prediction, document: bytes) -> None:
        """Do nothing."""

    async def record(self, result: Result) -> None:
        """Do nothing."""
