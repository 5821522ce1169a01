"""What a description says of single endpoints: what they take, what they answer, and who may call them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_kognic.core.contract.description.shapes import Node, Shape

_VERSION = re.compile(r"v\d{1,3}")


@dataclass(frozen=True)
class Parameter:
    """A parameter; `place` is path, query or header (or another that is of no matter)."""

    name: str
    place: str
    required: bool
    shape: Shape


@dataclass(frozen=True)
class Answer:
    """What an endpoint answers with one status.

    Attributes:
        text: What is said of it.
        shape: Its body; None where none is described.
        headers: The names of its headers, in lower case.
    """

    text: str
    shape: Shape | None
    headers: frozenset[str]


@dataclass(frozen=True)
class Scheme:
    """A way to get in: its `kind` (oauth2, bearer, basic, apiKey, openIdConnect, …) and where tokens come from."""

    kind: str
    token_urls: tuple[str, ...] = ()
    flows: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Operation:
    """An endpoint.

    Attributes:
        method: Its method.
        paths: Its path below each server: its parts, with `{}` for a parameter.
        parameters: What it takes besides a body.
        more_parameters: Whether it takes others, which lie elsewhere.
        bodies: What it takes as a body, by the media type; None where it takes none.
        body_text: What is said of the body.
        body_extensions: What stands at the body under names that begin with `x-`.
        answers: What it answers, by the status as it is written there.
        deprecated: Whether it is said to be on its way out.
        extensions: What else stands there under names that begin with `x-`.
        access: The ways to get in, any one of which will do: each by the names of schemes, with their scopes; None
            where nothing is said.
    """

    method: str
    paths: tuple[tuple[str, ...], ...]
    parameters: tuple[Parameter, ...] = ()
    more_parameters: bool = False
    bodies: Mapping[str, Shape] | None = None
    body_text: str = ""
    body_extensions: Node = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    deprecated: bool = False
    extensions: Node = field(default_factory=dict)
    access: tuple[Mapping[str, tuple[str, ...]], ...] | None = None

    def named(self, name: str, place: str) -> Parameter | None:
        """Return a parameter, whose name is looked up in any case where it is a header's."""
        for one in self.parameters:
            same = one.name.lower() == name.lower() if place == "header" else one.name == name
            if one.place == place and same:
                return one
        return None

    @property
    def body(self) -> Shape | None:
        """Its body as JSON; None where it is not described."""
        for media, shape in (self.bodies or {}).items():
            if is_json(media):
                return shape
        return None

    @property
    def success(self) -> Shape | None:
        """What it answers when all is well; None where that is not described."""
        for status, answer in self.answers.items():
            if status[:1] == "2" and answer.shape is not None:
                return answer.shape
        return None


def is_json(media: str) -> bool:
    """Tell whether a media type may be JSON."""
    kind = media.partition(";")[0].strip().lower()
    return kind in {"application/json", "*/*", "application/*"} or kind.endswith("+json")


@dataclass(frozen=True)
class Described:
    """All that was found of descriptions.

    Attributes:
        operations: The endpoints.
        schemes: The ways to get in, by their names.
        kind: Which version of which format, for people.
        elsewhere: Paths whose methods lie elsewhere, as an `Operation` has them.
        is_whole: Whether nothing else was left out of it, so that what is not here is not there.
    """

    operations: tuple[Operation, ...] = ()
    schemes: Mapping[str, Scheme] = field(default_factory=dict)
    kind: str = ""
    elsewhere: tuple[tuple[str, ...], ...] = ()
    is_whole: bool = True

    def may_have(self, path: str) -> bool:
        """Tell whether an endpoint that was not found may be there all the same."""
        return not self.is_whole or any(_ends_with(parts, _parts(path)) for parts in self.elsewhere)

    def find(self, method: str, path: str) -> Operation | None:
        """Return an endpoint, below whatever prefix; where there are several, the one with the shortest.

        Args:
            method: GET or POST.
            path: Such as `/v1/datasets/{}/annotations`.
        """
        found = [
            (len(parts), place, operation)
            for place, operation in enumerate(self.operations)
            if operation.method == method
            for parts in operation.paths
            if _ends_with(parts, _parts(path))
        ]
        return min(found, key=lambda one: one[:2])[2] if found else None

    def methods(self, path: str) -> set[str]:
        """Return the methods that a path has."""
        wanted = _parts(path)
        return {
            one.method for one in self.operations if any(_ends_with(parts, wanted) for parts in one.paths)
        }

    def versions(self, method: str, path: str) -> list[str]:
        """Return in which other versions (`v2`) an endpoint is there."""
        version, *rest = _parts(path)
        found = {
            parts[-len(rest) - 1]
            for one in self.operations
            if one.method == method
            for parts in one.paths
            if len(parts) > len(rest) and _ends_with(parts, tuple(rest))
        }
        return sorted(one for one in found if one != version and _VERSION.fullmatch(one))


def joined(all_described: Iterable[Described], *, all_read: bool = True) -> Described:
    """Return several descriptions as one.

    Args:
        all_described: The descriptions.
        all_read: Whether there are no others, which could not be read.
    """
    found = [*all_described]
    schemes: dict[str, Scheme] = {}
    for one in found:
        schemes.update(one.schemes)
    kinds = dict.fromkeys(one.kind for one in found)
    return Described(
        tuple(each for one in found for each in one.operations),
        schemes,
        ", ".join(kinds),
        tuple(each for one in found for each in one.elsewhere),
        all_read and all(one.is_whole for one in found),
    )


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


def _ends_with(parts: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return len(parts) >= len(wanted) and parts[len(parts) - len(wanted) :] == wanted


def extensions_of(found: Mapping[Any, Any]) -> Node:
    """Return what stands there under names that begin with `x-`."""
    return {name: value for name, value in found.items() if isinstance(name, str) and name.startswith("x-")}
