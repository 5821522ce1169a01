"""The description of a shard: a few facts that travel from the task that cuts a source to those that upload it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.models import Span, is_uuid
from airflow_provider_kognic.core.texts import brief

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSION = 1
_KIND = "kognic_shard"
_SOURCES = ("predictions", "manifest")
_NUMBERS = ("index", "of", "items", "bytes")
_FIELDS = {_KIND, "first", "before", *_NUMBERS}


@dataclass(frozen=True)
class Shard:
    """A part of a source: some of its scenes, as a range.

    Attributes:
        path: The whole source, as text.
        is_manifest: Whether that is a manifest.
        span: The scenes.
        index: Its number, from 0 on.
        of: How many shards there are.
        items: Predictions that were in it when the source was cut.
        bytes: Their documents' bytes, as far as they were told; of a file of JSON lines those of its lines.
    """

    path: str
    is_manifest: bool
    span: Span
    index: int
    of: int
    items: int
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as it travels."""
        return {
            _KIND: _VERSION,
            "manifest" if self.is_manifest else "predictions": self.path,
            "first": self.span.first,
            "before": self.span.before,
            "index": self.index,
            "of": self.of,
            "items": self.items,
            "bytes": self.bytes,
        }

    @staticmethod
    def read(given: Mapping[str, Any]) -> Shard:
        """Make a shard of what travelled.

        Raises:
            KognicInputError: It is no description of a shard, or one of a newer version.
        """
        if given.get(_KIND) != _VERSION:
            if _KIND in given:
                raise KognicInputError(
                    f"'predictions' is a shard of version {brief(given[_KIND])}, and this provider knows version"
                    f" {_VERSION}: let the same version of it cut the source and upload it."
                )
            raise KognicInputError(
                f"'predictions' is a dict, and no shard as shard_predictions makes them: {brief(dict(given))}. One"
                " row goes into a list."
            )
        named = [name for name in _SOURCES if given.get(name) is not None]
        wrong = [name for name in _NUMBERS if not _is_number(given.get(name))]
        wrong += [name for name in ("first", "before") if not _is_end(given.get(name))]
        wrong += [str(name) for name in given if name not in _FIELDS and name not in _SOURCES]
        if len(named) != 1 or not isinstance(given[named[0]], str):
            wrong.append("predictions")
        if wrong:
            raise KognicInputError(
                f"'predictions' is no shard as shard_predictions makes them: look at {', '.join(map(repr, wrong))}"
                f" in {masked(brief(dict(given)))}. Hand it on as it is."
            )
        first, before = given.get("first"), given.get("before")
        if first is not None and before is not None and first >= before:
            raise KognicInputError(f"'predictions' is a shard whose end comes first: {brief(dict(given))}.")
        numbers = {name: int(given[name]) for name in _NUMBERS}
        return Shard(given[named[0]], named[0] == "manifest", Span(first, before), **numbers)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_end(value: object) -> bool:
    return value is None or (isinstance(value, str) and is_uuid(value) and value == value.lower())
