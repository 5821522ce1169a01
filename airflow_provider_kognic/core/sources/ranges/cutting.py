"""Where a source is cut: into ranges of scenes, each with about as many bytes, or with no more than a limit.

The source is gone through once. Nothing is read of documents in files, and no store is asked for their sizes: these
are what its listing said with the names, or what this machine's disk says. Where they are cut depends on the scenes
and sizes alone, and not on the order in which a store lists them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Prediction, Span
from airflow_provider_kognic.core.values import check_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_kognic.core.models import Result

# Of each entry: its scene, and its bytes plus one, or 0 where nobody says how many: 24 bytes, sorted as they are.
_ENTRY = struct.Struct(">16sQ")
_SCENE = slice(0, 16)


@dataclass(frozen=True)
class Limits:
    """How large shards are to be.

    Attributes:
        shards: How many, or None.
        max_items: Most predictions of one, or None.
        max_bytes: Most bytes of one, or None; a single larger document has a shard of its own.
    """

    shards: int | None = None
    max_items: int | None = None
    max_bytes: int | None = None

    @staticmethod
    def of(shards: object, max_items: object, max_bytes: object) -> Limits:
        """Check what is given.

        Raises:
            KognicInputError: It is no whole number above 0, nothing is given, or what does not go together.
        """
        given = {"shards": shards, "max_items": max_items, "max_bytes": max_bytes}
        known = {name: check_count(value, name) for name, value in given.items() if value is not None}
        if not known:
            raise KognicInputError(
                "say how to cut: either 'shards', how many there are to be, or how large one may be ('max_items',"
                " 'max_bytes' or both)."
            )
        if "shards" in known and len(known) > 1:
            raise KognicInputError(
                "give either 'shards', or 'max_items' and 'max_bytes': how many there are and how large they are"
                " cannot both be chosen."
            )
        return Limits(**known)


@dataclass(frozen=True)
class Piece:
    """A range of scenes, and what is in it.

    Attributes:
        span: The range.
        items: Predictions, those of one scene each for itself.
        bytes: Their bytes, as far as they are known.
    """

    span: Span
    items: int
    bytes: int


@dataclass(frozen=True)
class _Scene:
    """A scene, with all of its entries: they stay together.

    Attributes:
        key: Its uuid, 16 bytes.
        items: How many entries it has.
        bytes: What is known of their bytes.
        weight: The same, with what is assumed of those that are not known.
    """

    key: bytes
    items: int
    bytes: int
    weight: int


def cut(source: Iterable[Prediction | Result], limits: Limits) -> list[Piece]:
    """Cut a source into ranges, which together have every scene that there is or ever will be.

    With `shards` none has more bytes than the mean and the largest document together. There may be fewer than
    asked for: none is empty, but for the only one of a source without predictions. What is known to be refused (a
    file that is not named by a scene) has its place, but no weight.

    Args:
        source: Its entries, in any order.
        limits: How large the pieces are to be.

    Raises:
        KognicInputError: Nobody says how large the documents are, which `max_bytes` is about.
    """
    scenes = _scenes_of(source, known=limits.max_bytes is not None)
    if not scenes:
        return [Piece(Span(), 0, 0)]
    if limits.shards is not None:
        groups = _in_equal_parts(scenes, limits.shards)
    else:
        groups = _within(scenes, limits)
        equal = _in_equal_parts(scenes, len(groups))
        if len(equal) == len(groups) and all(_fits(group, limits) for group in equal):
            groups = equal  # no last one with what is left over
    starts = [None, *(_uuid(group[0].key) for group in groups[1:]), None]
    return [
        Piece(Span(first, before), sum(one.items for one in group), sum(one.bytes for one in group))
        for (first, before), group in zip(pairwise(starts), groups, strict=True)
    ]


def _scenes_of(source: Iterable[Prediction | Result], *, known: bool) -> list[_Scene]:
    packed = sorted(
        _ENTRY.pack(bytes.fromhex(entry.scene_uuid.replace("-", "")), _said(entry.size()))
        for entry in source
        if isinstance(entry, Prediction)
    )
    told = [size - 1 for _, size in map(_ENTRY.unpack, packed) if size]
    if known and packed and not told:
        raise KognicInputError(
            "'max_bytes' needs the sizes of the documents, and those of this source are told by nobody before they"
            " are read. Say 'shards' or 'max_items' instead."
        )
    # One that is not known counts as the mean of the others; where nobody has any bytes, all count alike.
    all_alike = not any(told)
    assumed = 0 if all_alike else sum(told) // len(told)
    scenes = []
    for key, entries in groupby(packed, key=lambda entry: entry[_SCENE]):
        sizes = [_ENTRY.unpack(entry)[1] for entry in entries]
        own = sum(size - 1 for size in sizes if size)
        weight = len(sizes) if all_alike else own + assumed * sizes.count(0)
        scenes.append(_Scene(key, len(sizes), own, weight))
    return scenes


def _said(size: int | None) -> int:
    return 0 if size is None else size + 1


def _in_equal_parts(scenes: Sequence[_Scene], count: int) -> list[list[_Scene]]:
    """Put scenes by where they begin, in bytes: so no part has more than the mean and one scene."""
    whole = sum(scene.weight for scene in scenes)
    parts: dict[int, list[_Scene]] = {}  # of those that have any: `count` may be any number
    at = 0
    for scene in scenes:
        parts.setdefault(min(count - 1, at * count // whole), []).append(scene)
        at += scene.weight
    return list(parts.values())


def _within(scenes: Sequence[_Scene], limits: Limits) -> list[list[_Scene]]:
    """Fill one part after the other."""
    parts: list[list[_Scene]] = []
    items, weight = 0, 0
    for scene in scenes:
        items, weight = items + scene.items, weight + scene.weight
        if not parts or _is_too_much(items, weight, limits):
            parts.append([])
            items, weight = scene.items, scene.weight
        parts[-1].append(scene)
    return parts


def _fits(group: Sequence[_Scene], limits: Limits) -> bool:
    items, weight = sum(one.items for one in group), sum(one.weight for one in group)
    return len(group) == 1 or not _is_too_much(items, weight, limits)


def _is_too_much(items: int, weight: int, limits: Limits) -> bool:
    return (limits.max_items is not None and items > limits.max_items) or (
        limits.max_bytes is not None and weight > limits.max_bytes
    )


def _uuid(key: bytes) -> str:
    text = key.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
