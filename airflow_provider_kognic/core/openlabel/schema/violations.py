"""The types of `schema`, walked over a document that breaks them: every place where it does.

msgspec itself stops at the first. The walk follows what `msgspec.inspect` says of the types, so that there is one
description of the schema.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect

from airflow_provider_kognic.core.openlabel.decoding.strict_json import NotFinite
from airflow_provider_kognic.core.openlabel.issues import plain, show, text
from airflow_provider_kognic.core.openlabel.schema import document as schema

if TYPE_CHECKING:
    from airflow_provider_kognic.core.openlabel.issues import Findings, Path

# What a type is called, and the Python types of its JSON values.
_KINDS: dict[type[inspect.Type], tuple[str, tuple[type, ...]]] = {
    inspect.StrType: ("a text", (str,)),
    inspect.LiteralType: ("a text", (str,)),
    inspect.IntType: ("an integer", (int,)),
    inspect.FloatType: ("a number", (int, float)),
    inspect.BoolType: ("true or false", (bool,)),
    inspect.NoneType: ("null", (type(None),)),
    inspect.ListType: ("a list", (list,)),
    inspect.TupleType: ("a list", (list,)),
    inspect.DictType: ("an object", (dict,)),
    inspect.StructType: ("an object", (dict,)),
}


@lru_cache(maxsize=8)
def shape_of(kind: Any) -> inspect.Type:
    """Return what msgspec knows of one of the schema's types."""
    return inspect.type_info(kind)


def check_shape(value: Any, kind: Any, path: Path, findings: Findings) -> None:
    """Add an issue for every place where a value is not of a type.

    Args:
        value: A JSON value, nested less deeply than `pieces.MOST_DEPTH`.
        kind: One of the schema's types.
        path: Its JSON path.
        findings: Gets the issues.
    """
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        _Walk(findings).value(value, shape_of(kind), path, None)
        if not findings.counts:  # nothing passes unseen, though the walk does not know it
            findings.add("wrong_type", path, plain(str(error)))


def _fits(value: Any, shape: inspect.Type) -> bool:
    """Tell whether a JSON value is of the kind that a type wants, its contents aside."""
    if isinstance(shape, inspect.Metadata):
        return _fits(value, shape.type)
    if isinstance(shape, inspect.UnionType):
        return any(_fits(value, member) for member in shape.types)
    if isinstance(shape, inspect.AnyType):
        return True
    return isinstance(value, _KINDS[type(shape)][1]) and (
        not isinstance(value, bool) or isinstance(shape, inspect.BoolType)
    )


def _name(shape: inspect.Type) -> str:
    if isinstance(shape, inspect.Metadata):
        return _name(shape.type)
    if isinstance(shape, inspect.UnionType):
        names = [_name(member) for member in shape.types if not isinstance(member, inspect.NoneType)]
        return " or ".join(dict.fromkeys(names))
    if isinstance(shape, inspect.LiteralType):
        return " or ".join(text(str(value)) for value in shape.values)
    return _KINDS[type(shape)][0]


class _Walk:
    def __init__(self, findings: Findings) -> None:
        self._add = findings.add

    def value(self, value: Any, shape: inspect.Type, path: Path, rule: str | None) -> None:
        """Check one value; `rule` is what is broken if it is wrong, where the schema says so."""
        if isinstance(value, NotFinite):
            return  # the parser has said so
        if isinstance(shape, inspect.Metadata):
            own = (shape.extra or {}).get("rule", rule)
            # The bounds of an element of a tuple have a rule; that it is a number at all is the tuple's own.
            element = isinstance(shape.type, inspect.FloatType) and not _fits(value, shape)
            self.value(value, shape.type, path, rule if element else own)
        elif not _fits(value, shape) or (
            isinstance(shape, inspect.LiteralType) and value not in shape.values
        ):
            kind = "wrong_value" if _fits(value, shape) else "wrong_type"
            self._add(rule or kind, path, f"{show(value)} in place of {_name(shape)}")
        elif isinstance(shape, inspect.UnionType):
            self.value(value, next(member for member in shape.types if _fits(value, member)), path, rule)
        else:
            self._inside(value, shape, path, rule)

    def _inside(self, value: Any, shape: inspect.Type, path: Path, rule: str | None) -> None:
        """Check the contents of a value of the right kind."""
        if isinstance(shape, inspect.StructType):
            self._struct(value, shape, path)
        elif isinstance(shape, inspect.DictType):
            self._dict(value, shape, path, rule)
        elif isinstance(shape, (inspect.ListType, inspect.TupleType)):
            self._list(value, shape, path, rule)
        elif (problem := _bounds(value, shape)) is not None:
            self._add(rule or "wrong_value", path, problem)

    def _struct(self, value: dict[str, Any], shape: inspect.StructType, path: Path) -> None:
        names = set()
        for field in shape.fields:
            names.add(field.encode_name)
            if field.encode_name in value:
                self.value(value[field.encode_name], field.type, (*path, field.encode_name), None)
            elif field.required:
                extra = field.type.extra if isinstance(field.type, inspect.Metadata) else None
                rule = (extra or {}).get("missing", "missing_key")
                self._add(rule, (*path, field.encode_name), "nothing")
        if shape.forbid_unknown_fields:
            for name in value.keys() - names:
                self._add("unknown_key", (*path, name), show(value[name]))
        if shape.cls is schema.TransformData and value.keys() <= names:
            given = {name for name in names if name in value}
            if given not in schema.TRANSFORMS:
                self._add(
                    "wrong_value", path, f"{', '.join(sorted(given)) or 'nothing'}; {schema.WRONG_TRANSFORM}"
                )

    def _dict(self, value: dict[str, Any], shape: inspect.DictType, path: Path, rule: str | None) -> None:
        if not value and shape.min_length:
            self._add(rule or "wrong_value", path, "an empty object")
        for name, item in value.items():
            key = shape.key_type
            if isinstance(key, inspect.Metadata) and _bounds(name, key.type) is not None:
                self._add((key.extra or {}).get("rule", "wrong_id"), (*path, name), f"the key {text(name)}")
            self.value(item, shape.value_type, (*path, name), rule)

    def _list(
        self, value: list[Any], shape: inspect.ListType | inspect.TupleType, path: Path, rule: str | None
    ) -> None:
        if isinstance(shape, inspect.TupleType):
            items = list(shape.item_types)
            least = most = len(items)
        else:
            items = [shape.item_type] * len(value)
            least = shape.min_length or 0
            most = len(value) if shape.max_length is None else shape.max_length
        if not least <= len(value) <= most:
            found = (
                f"{len(value)} values: {show(value)}" if isinstance(shape, inspect.TupleType) else show(value)
            )
            self._add(rule or "wrong_value", path, found)
            return
        for index, item in enumerate(value):
            self.value(item, items[index], (*path, index), rule)


def _bounds(value: Any, shape: inspect.Type) -> str | None:
    """Say what is wrong with a text or number of the right kind."""
    if isinstance(shape, inspect.StrType):
        if not value and shape.min_length:
            return "an empty text"
        if shape.pattern is not None and re.search(shape.pattern, value) is None:
            return text(value)
    elif isinstance(shape, (inspect.IntType, inspect.FloatType)):
        too_low = (shape.ge is not None and value < shape.ge) or (shape.gt is not None and value <= shape.gt)
        if too_low or (shape.le is not None and value > shape.le):
            return show(value)
    return None
