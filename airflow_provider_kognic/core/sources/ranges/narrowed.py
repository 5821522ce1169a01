"""A source, and of it only what is in a range."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.models import is_uuid
from airflow_provider_kognic.core.sources.base import nothing_in, written
from airflow_provider_kognic.core.sources.folder import FilesSource, scene_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.core.models import Prediction, Result, Span
    from airflow_provider_kognic.core.sources.base import Source


def name_of(text: str) -> str:
    """Return what an entry is called in the order of ranges: its scene, whichever way that is spelled.

    Args:
        text: What should be a scene's uuid; whatever else it is, it has a place in the order.
    """
    name = written(text.strip())
    return name.lower() if is_uuid(name) else name


def name_of_file(path: str) -> str:
    """Return what a file is called in the order of ranges: by its scene, or else with the ending of its name.

    Args:
        path: Its path, relative to anything.
    """
    scene = scene_in(path).strip()
    return scene.lower() if is_uuid(scene) else written(path.rpartition("/")[2])


@dataclass(frozen=True)
class RangeSource:
    """The entries of a source whose scenes are in a range; the others are gone past, unread.

    What names no scene is refused wherever it is, and is so in exactly one range.

    Args:
        source: All of it.
        span: The range.
    """

    source: Source
    span: Span

    @property
    def total(self) -> None:
        """Unknown: the entries are counted as they are sent."""

    @property
    def nothing(self) -> str:
        """What is there where nothing is in the range, as a sentence."""
        return f"Nothing of it is in this shard. {nothing_in(self.source)}".rstrip()

    def __iter__(self) -> Iterator[Prediction | Result]:
        return (entry for entry in self.source if self.span.holds(name_of(entry.scene_uuid)))


def narrowed(source: Source, span: Span | None) -> Source:
    """Return of a source what is in a range.

    Args:
        source: All of it.
        span: The range; None for all of it.
    """
    if span is None or span.is_all:
        return source
    if not isinstance(source, FilesSource):
        return RangeSource(source, span)
    # By their names, so that it is known how many there are.
    names = [name for name in source.names if span.holds(name_of_file(name))]
    refused = {name: why for name, why in source.refused.items() if span.holds(name_of_file(name))}
    nothing = source.nothing
    if not names and not refused:
        nothing = f"Nothing of it is in this shard. {nothing}".rstrip()
    there = set(names)
    sizes = {name: size for name, size in source.sizes.items() if name in there}
    return replace(source, names=names, sizes=sizes, refused=refused, nothing=nothing)
