"""Every place where a JSON value violates the schema: its types, walked over the value.

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
from airflow_provider_kognic.core.openlabel.schema.sensors import TRANSFORMS, WRONG_TRANSFORM, TransformData

if TYPE_CHECKING:
    from airflow_provider_kognic.core.openlabel.issues import Issues, Path

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
def _type_info(schema: Any) -> inspect.Type:
    """Return what msgspec knows of one of the schema's types."""
    return inspect.type_info(schema)


def add_violations(value: Any, schema: Any, path: Path, issues: Issues) -> None:
    """Add an issue for every place where a value is not of a type.

    Args:
        value: A JSON value, nested less deeply than `limits.MOST_DEPTH`.
        schema: One of the schema's types.
        path: Its JSON path.
        issues: Gets the issues.
    """
    try:
        msgspec.convert(value, schema)
    except msgspec.ValidationError as error:
        _Walk(issues).value(value, _type_info(schema), path, None)
        if not issues.counts:  # nothing passes unseen, though the walk does not know it
            issues.add("wrong_type", path, plain(str(error)))


def _fits(value: Any, expected: inspect.Type) -> bool:
    """Tell whether a JSON value is of the kind that a type wants, its contents aside."""
    if isinstance(expected, inspect.Metadata):
        return _fits(value, expected.type)
    if isinstance(expected, inspect.UnionType):
        return any(_fits(value, member) for member in expected.types)
    if isinstance(expected, inspect.AnyType):
        return True
    return isinstance(value, _KINDS[type(expected)][1]) and (
        not isinstance(value, bool) or isinstance(expected, inspect.BoolType)
    )


def _name(expected: inspect.Type) -> str:
    if isinstance(expected, inspect.Metadata):
        return _name(expected.type)
    if isinstance(expected, inspect.UnionType):
        names = [_name(member) for member in expected.types if not isinstance(member, inspect.NoneType)]
        return " or ".join(dict.fromkeys(names))
    if isinstance(expected, inspect.LiteralType):
        return " or ".join(text(str(value)) for value in expected.values)
    return _KINDS[type(expected)][0]


class _Walk:
    def __init__(self, issues: Issues) -> None:
        self._add = issues.add

    def value(self, value: Any, expected: inspect.Type, path: Path, rule: str | None) -> None:
        """Check one value; `rule` is what is broken if it is wrong, where the schema says so."""
        if isinstance(value, NotFinite):
            return  # the parser has said so
        if isinstance(expected, inspect.Metadata):
            own = (expected.extra or {}).get("rule", rule)
            # The bounds of an element of a tuple have a rule; that it is a number at all is the tuple's own.
            element = isinstance(expected.type, inspect.FloatType) and not _fits(value, expected)
            self.value(value, expected.type, path, rule if element else own)
        elif not _fits(value, expected) or (
            isinstance(expected, inspect.LiteralType) and value not in expected.values
        ):
            kind = "wrong_value" if _fits(value, expected) else "wrong_type"
            self._add(rule or kind, path, f"{show(value)} in place of {_name(expected)}")
        elif isinstance(expected, inspect.UnionType):
            self.value(value, next(member for member in expected.types if _fits(value, member)), path, rule)
        else:
            self._inside(value, expected, path, rule)

    def _inside(self, value: Any, expected: inspect.Type, path: Path, rule: str | None) -> None:
        """Check the contents of a value of the right kind."""
        if isinstance(expected, inspect.StructType):
            self._struct(value, expected, path)
        elif isinstance(expected, inspect.DictType):
            self._dict(value, expected, path, rule)
        elif isinstance(expected, (inspect.ListType, inspect.TupleType)):
            self._list(value, expected, path, rule)
        elif (problem := _bounds(value, expected)) is not None:
            self._add(rule or "wrong_value", path, problem)

    def _struct(self, value: dict[str, Any], expected: inspect.StructType, path: Path) -> None:
        names = set()
        for field in expected.fields:
            names.add(field.encode_name)
            if field.encode_name in value:
                self.value(value[field.encode_name], field.type, (*path, field.encode_name), None)
            elif field.required:
                extra = field.type.extra if isinstance(field.type, inspect.Metadata) else None
                rule = (extra or {}).get("missing", "missing_key")
                self._add(rule, (*path, field.encode_name), "nothing")
        if expected.forbid_unknown_fields:
            for name in value.keys() - names:
                self._add("unknown_key", (*path, name), show(value[name]))
        if expected.cls is TransformData and value.keys() <= names:
            given = {name for name in names if name in value}
            if given not in TRANSFORMS:
                self._add("wrong_value", path, f"{', '.join(sorted(given)) or 'nothing'}; {WRONG_TRANSFORM}")

    def _dict(self, value: dict[str, Any], expected: inspect.DictType, path: Path, rule: str | None) -> None:
        if not value and expected.min_length:
            self._add(rule or "wrong_value", path, "an empty object")
        for name, item in value.items():
            key = expected.key_type
            if isinstance(key, inspect.Metadata) and _bounds(name, key.type) is not None:
                self._add((key.extra or {}).get("rule", "wrong_id"), (*path, name), f"the key {text(name)}")
            self.value(item, expected.value_type, (*path, name), rule)

    def _list(
        self, value: list[Any], expected: inspect.ListType | inspect.TupleType, path: Path, rule: str | None
    ) -> None:
        if isinstance(expected, inspect.TupleType):
            items = list(expected.item_types)
            least = most = len(items)
        else:
            items = [expected.item_type] * len(value)
            least = expected.min_length or 0
            most = len(value) if expected.max_length is None else expected.max_length
        if not least <= len(value) <= most:
            found = (
                f"{len(value)} values: {show(value)}"
                if isinstance(expected, inspect.TupleType)
                else show(value)
            )
            self._add(rule or "wrong_value", path, found)
            return
        for index, item in enumerate(value):
            self.value(item, items[index], (*path, index), rule)


def _bounds(value: Any, expected: inspect.Type) -> str | None:
    """Say what is wrong with a text or number of the right kind."""
    if isinstance(expected, inspect.StrType):
        if not value and expected.min_length:
            return "an empty text"
        if expected.pattern is not None and re.search(expected.pattern, value) is None:
            return text(value)
    elif isinstance(expected, (inspect.IntType, inspect.FloatType)):
        too_low = (expected.ge is not None and value < expected.ge) or (
            expected.gt is not None and value <= expected.gt
        )
        if too_low or (expected.le is not None and value > expected.le):
            return show(value)
    return None
