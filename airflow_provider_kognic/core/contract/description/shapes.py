"""The schemas of a description: what a body or an answer is made of, as far as that is said."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

Node = dict[str, Any]

_LONGEST_CHAIN = 20
_DEEPEST = 12
_NULLS = ("null", ["null"])
# Of one document: a schema may name itself, and more of them than anybody could look at.
MOST_STEPS = 200_000


def node(value: object) -> Node:
    """Return an object of a document; an empty one for whatever else stands there."""
    return value if isinstance(value, dict) else {}


def nodes(value: object) -> list[Any]:
    """Return a list of a document; an empty one for whatever else stands there."""
    return value if isinstance(value, list) else []


class Document:
    """A parsed document, in which references lead from place to place.

    Args:
        root: All of it.

    Attributes:
        steps: From how many places to others it was followed; there is a bound.
    """

    def __init__(self, root: Node) -> None:
        self.root = root
        self.steps = 0

    @property
    def is_whole(self) -> bool:
        """Whether all that was looked for in it was looked at."""
        return self.steps < MOST_STEPS

    def resolved(self, value: object) -> Node:
        """Return what an object says, with what it refers to.

        Where that lies elsewhere, in a circle or too far, its `$ref` stays: there is more to it, and nobody knows
        what.
        """
        found = node(value)
        beside: Node = {}
        for _ in range(_LONGEST_CHAIN):
            reference = found.get("$ref")
            if not self.is_whole:
                return {"$ref": reference}
            self.steps += 1
            if not isinstance(reference, str):
                return {**found, **beside} if beside else found
            # OpenAPI 3.1 lets more stand beside it.
            beside = {**{name: one for name, one in found.items() if name != "$ref"}, **beside}
            if not isinstance(target := self._at(reference), dict):
                break
            found = target
        return {**beside, "$ref": reference}

    def _at(self, reference: str) -> Any:
        """Return what a reference leads to in this document; None for one that leads elsewhere."""
        if not reference.startswith("#/"):
            return self.root if reference == "#" else None
        found: Any = self.root
        for part in reference[2:].split("/"):
            name = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isascii() and name.isdigit():
                found = found[int(name)] if len(name) < _DEEPEST and int(name) < len(found) else None
            else:
                found = node(found).get(name)
        return found


class Shape:
    """A schema, as far as anything is said.

    Args:
        document: Where it stands.
        schema: It, or a reference.
        depth: Of how many others it is a part.
    """

    def __init__(self, document: Document, schema: object, depth: int = 0) -> None:
        self._document = document
        self._schema = schema
        self._depth = depth

    @cached_property
    def _own(self) -> Node:
        return self._document.resolved(self._schema) if self._depth <= _DEEPEST else {}

    @cached_property
    def _all(self) -> list[Node]:
        return [*self._merged(self._own, 0)]

    @cached_property
    def types(self) -> frozenset[str]:
        """The types that it may have, but for null; none where nothing is said."""
        found: set[str] = set()
        for one in self._all:
            said = one.get("type")
            found.update(
                name for name in (said if isinstance(said, list) else [said]) if isinstance(name, str)
            )
            if said is None and isinstance(one.get("properties"), dict):
                found.add("object")
            if said is None and isinstance(one.get("items"), dict):
                found.add("array")
        return frozenset(found - {"null"})

    @property
    def is_open(self) -> bool:
        """Whether it may have more properties than are said: expressly, or as a part of it lies elsewhere."""
        return self._depth > _DEEPEST or any(
            "$ref" in one or one.get("additionalProperties") is True or one.get("additionalProperties") == {}
            for one in self._all
        )

    def may_be(self, kind: str) -> bool:
        """Tell whether it may have a type, for all that is said."""
        return not self.types or kind in self.types

    @cached_property
    def properties(self) -> dict[str, Shape]:
        """Its properties by their names; none where none are said."""
        return {
            name: self._inner(value)
            for one in self._all
            for name, value in node(one.get("properties")).items()
            if isinstance(name, str)
        }

    @property
    def required(self) -> frozenset[str]:
        """The properties that have to be there in what is sent: of those that are only read none has to be."""
        needed = self._required(self._own, 0)
        return frozenset(name for name in needed if not self._is_only_read(name))

    def _is_only_read(self, name: str) -> bool:
        found = self.properties.get(name)
        return found is not None and any(one.get("readOnly") is True for one in found._all)  # noqa: SLF001 - its own kind

    @property
    def items(self) -> Shape | None:
        """What a list is made of; None where that is not said."""
        found = next((one["items"] for one in self._all if isinstance(one.get("items"), dict)), None)
        return None if found is None else self._inner(found)

    @property
    def values(self) -> Shape | None:
        """What the values of an object with any keys are; None where that is not said."""
        for one in self._all:
            if isinstance(one.get("additionalProperties"), dict):
                return self._inner(one["additionalProperties"])
            for found in node(one.get("patternProperties")).values():
                return self._inner(found)
        return None

    @property
    def choices(self) -> list[Any] | None:
        """The values that it may have (`enum`, `const`); None where none are named."""
        named = [one for one in self._all if isinstance(one.get("enum"), list) or "const" in one]
        if not named:
            return None
        return [value for one in named for value in (one.get("enum") or [one.get("const")])]

    @property
    def format(self) -> str | None:
        """Its format, such as `uuid`."""
        found = (one["format"] for one in self._all if isinstance(one.get("format"), str))
        return next(found, None)

    @property
    def extensions(self) -> Node:
        """What stands there under names that begin with `x-`."""
        return {
            name: value
            for one in self._all
            for name, value in one.items()
            if isinstance(name, str) and name.startswith("x-")
        }

    def at(self, *names: str) -> Shape | None:
        """Return what lies inside, by the names of properties; `*` for any key. None where that is not said."""
        found: Shape | None = self
        for name in names:
            if found is None:
                return None
            found = found.values if name == "*" else found.properties.get(name)
        return found

    def _inner(self, schema: object) -> Shape:
        return Shape(self._document, schema, self._depth + 1)

    def _merged(self, schema: Node, depth: int) -> Iterator[Node]:
        """Yield a schema and all that it is put together from."""
        yield schema
        if depth > _DEEPEST:
            return
        for kind in ("allOf", "oneOf", "anyOf"):
            for part in nodes(schema.get(kind)):
                yield from self._merged(self._document.resolved(part), depth + 1)

    def _required(self, schema: Node, depth: int) -> set[str]:
        found = {name for name in nodes(schema.get("required")) if isinstance(name, str)}
        if depth > _DEEPEST:
            return found
        for part in nodes(schema.get("allOf")):
            found |= self._required(self._document.resolved(part), depth + 1)
        for kind in ("oneOf", "anyOf"):
            parts = [self._document.resolved(part) for part in nodes(schema.get(kind))]
            # Null is none of the objects that may be there.
            each = [self._required(part, depth + 1) for part in parts if part.get("type") not in _NULLS]
            if each:
                found |= set.intersection(*each)
        return found
