"""A model's classes and what Kognic calls them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_kognic.core.errors import KognicInputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow_provider_kognic.core.sources.converting.inputs import InputFile
    from airflow_provider_kognic.core.sources.converting.json_stream import JSONStream

# What stands for all classes that are not named, and for those of a format without any.
ANY = "*"
BACKGROUND = "_background"
MOST_LEVELS = 256
# Up to which every whole number is a float of its own.
_MOST_ID = 1 << 53


def is_text(text: object) -> bool:
    """Tell whether a text can be written: JSON may have half a character, which no file can."""
    try:
        str(text).encode()
    except UnicodeEncodeError:
        return False
    return True


def whole_id(value: Any, what: str) -> int:
    """Return an id that is a number; pandas makes `7.0` of 7 where another row has none.

    Raises:
        TypeError: It is none.
    """
    if value.__class__ is int or (value.__class__ is float and abs(value) <= _MOST_ID and value.is_integer()):
        return int(value)
    raise TypeError(f"{what!r} is {value!r:.80}, no whole number and no text")


def name_categories(named: dict[str, str], text: JSONStream) -> None:
    """Read a list of COCO's categories, which is next.

    Args:
        named: Where the names go, by id.
        text: What has them.

    Raises:
        TypeError: One is no object, or its id none.
        KeyError: One has no id or name.
        ValueError: An id has two names.
    """
    for category in text.values():
        if not isinstance(category, dict):
            raise TypeError(f"no object, but {category!r:.80}")
        given, name = category["id"], str(category["name"])
        key = given if isinstance(given, str) else str(whole_id(given, "id"))
        if named.setdefault(key, name) != name:
            raise ValueError(f"category {key!r} is there more than once, and which counts is not known")


def name_listed(named: dict[str, str], text: JSONStream) -> None:
    """Read a text that is a list of categories, as panopticapi has it; see `name_categories`."""
    name_categories(named, text)
    text.end()
    if not named:
        raise TypeError("an empty list")


class UnknownClass(str, Enum):
    """What to do about a class that the classes file does not have.

    `error` refuses the row, `skip` leaves it out, `keep` takes the model's own name.
    """

    ERROR = "error"
    SKIP = "skip"
    KEEP = "keep"


class Resolved(NamedTuple):
    """What a label comes to.

    Attributes:
        number: Of the class, in `Classes.names`; None where the row is left out.
        refused: Whether it is left out because something is wrong.
        message: What, for people.
    """

    number: int | None
    refused: bool = False
    message: str = ""


@dataclass(frozen=True)
class ClassesFile:
    """The classes file: id or name -> name in Kognic, in its order."""

    mapping: Mapping[str, str]

    @classmethod
    def of(cls, value: object, where: str) -> ClassesFile:
        """Check a mapping.

        Raises:
            KognicInputError: It is none of names to names.
        """
        if not isinstance(value, dict) or not value:
            raise KognicInputError(
                f'{where} is no object of classes: expected {{"<id or name>": "<class>"}}.'
            )
        for label, name in value.items():
            if not isinstance(name, str) or not name.strip() or not is_text(name):
                raise KognicInputError(f"{where}: the class of {label!r} is no name: {name!r}.")
        mapping = {str(label).strip(): name.strip() for label, name in value.items()}
        if len(mapping) < len(value):
            raise KognicInputError(f"{where} has a label more than once, but for blanks: which one counts?")
        return cls(mapping)

    @classmethod
    def read(cls, file: InputFile) -> ClassesFile:
        """Read it.

        Raises:
            KognicInputError: It cannot be read, or is none.
        """
        # Operators import this module, and read no file.
        from airflow_provider_kognic.core.sources.converting.inputs import BrokenFileError
        from airflow_provider_kognic.core.sources.converting.json_stream import RepeatedKeyError, once

        try:
            with file.opened() as opened:
                value = json.loads(opened.read(), object_pairs_hook=once)
        except (BrokenFileError, UnicodeDecodeError, RecursionError, json.JSONDecodeError) as error:
            raise KognicInputError(f"the classes file {file} is no JSON: {error}.") from error
        except RepeatedKeyError as error:
            raise KognicInputError(f"the classes file {file}: {error}") from error
        return cls.of(value, f"the classes file {file}")


class Classes:
    """Names classes, and numbers them.

    A label is looked up as it stands, then by the name that the format's own files give it, then as `"*"`; what the
    format itself says is background is that before `"*"`. Without a classes file each class is called what the
    model calls it, as long as that is a name.

    Args:
        file: The classes file, or None.
        unknown: What to do about a class that it does not have.
        named: Names of classes that the format's files call by numbers.
        are_names: Whether the format's labels are names already.
        background: Labels, as text, that are `_background` unless the classes file names them.

    Attributes:
        names: The classes in Kognic, by number: those of the classes file first, in its order.
    """

    def __init__(
        self,
        file: ClassesFile | None,
        unknown: UnknownClass,
        named: Mapping[str, str],
        *,
        are_names: bool,
        background: Collection[str] = (),
    ) -> None:
        self._mapping = None if file is None else file.mapping
        self._unknown = unknown
        self._named = named
        self._are_names = are_names
        self._background = background
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._resolved: dict[str | int | None, Resolved] = {}
        for name in (named if self._mapping is None else self._mapping).values():
            if is_text(name):
                self._number(name)

    def resolve(self, label: str | int | None) -> Resolved:
        """Return the class of a label, or what becomes of its row."""
        found = self._resolved.get(label)
        if found is None:
            found = self._resolved[label] = self._resolve(label)
        return found

    def levels(self) -> dict[str, str]:
        """Return the grey levels of a segmentation: `_background` and the classes, in their order.

        Raises:
            KognicInputError: There are more than a bitmap can tell apart.
        """
        names = [BACKGROUND, *(name for name in self.names if name != BACKGROUND)]
        if len(names) > MOST_LEVELS:
            raise KognicInputError(
                f"there are {len(names):,} classes, with {BACKGROUND!r}; a segmentation bitmap tells {MOST_LEVELS}"
                " apart. Map several to one name in the classes file."
            )
        return {str(level): name for level, name in enumerate(names)}

    def _resolve(self, label: str | int | None) -> Resolved:
        text = ANY if label is None else str(label).strip()
        own = self._named.get(text)
        mapping = self._mapping or {}
        for candidate in (text, own, BACKGROUND if text in self._background else ANY):
            if candidate is not None and candidate in mapping:
                return Resolved(self._number(mapping[candidate]))
        if text in self._background:
            return Resolved(self._number(BACKGROUND))
        return self._unnamed(label, text, own)

    def _unnamed(self, label: str | int | None, text: str, own: str | None) -> Resolved:
        """Return what becomes of a label that the classes file does not name."""
        shown = text if own is None else f"{text} ({own})"
        if label is None:
            return Resolved(
                None, refused=True, message='the format has no classes: name one as "*" in the classes'
            )
        kept = own or text
        if self._mapping is None:
            if own or (self._are_names and text):
                return self._as_called(kept)
            if self._unknown is not UnknownClass.KEEP:
                message = (
                    f"class {shown} has no name: give the classes, id -> name, or the file that names them"
                )
                return Resolved(None, refused=self._unknown is UnknownClass.ERROR, message=message)
        if self._unknown is UnknownClass.KEEP and kept:
            return self._as_called(kept)
        message = f"class {shown or 'without a name'} is not in the classes file, which has no '*' either"
        return Resolved(None, refused=self._unknown is UnknownClass.ERROR, message=message)

    def _as_called(self, name: str) -> Resolved:
        """Return the class that is called what the model calls it."""
        if not is_text(name):
            return Resolved(None, refused=True, message=f"class {name!r} is no text that can be sent")
        return Resolved(self._number(name))

    def _number(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self.names)
            self.names.append(name)
        return number
