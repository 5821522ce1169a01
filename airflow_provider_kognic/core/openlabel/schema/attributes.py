"""Texts, numbers, truths and vectors with a name: what is said of geometries, objects and other attributes."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET

from airflow_provider_kognic.core.openlabel.schema.base import Closed, Maybe, Open


class Text(Open):
    """A text with a name."""

    val: str
    name: Maybe[str] = UNSET
    attributes: Maybe[Attributes] = UNSET
    coordinate_system: Maybe[str] = UNSET
    type: Maybe[Literal["value"]] = UNSET


class Num(Open):
    """A number with a name."""

    val: float
    name: Maybe[str] = UNSET
    attributes: Maybe[Attributes] = UNSET
    coordinate_system: Maybe[str] = UNSET
    type: Maybe[Literal["value", "min", "max"]] = UNSET


class Boolean(Open):
    """A truth with a name."""

    val: bool
    name: Maybe[str] = UNSET
    attributes: Maybe[Attributes] = UNSET
    coordinate_system: Maybe[str] = UNSET
    type: Maybe[Literal["value"]] = UNSET


class Vec(Open):
    """Numbers or texts with a name."""

    val: list[float | str]
    name: Maybe[str] = UNSET
    attributes: Maybe[Attributes] = UNSET
    coordinate_system: Maybe[str] = UNSET
    type: Maybe[Literal["values", "range"]] = UNSET


class Attributes(Closed):
    """What is said of a geometry or of another attribute; also the data of actions, contexts, events and tags."""

    boolean: Maybe[list[Boolean]] = UNSET
    num: Maybe[list[Num]] = UNSET
    text: Maybe[list[Text]] = UNSET
    vec: Maybe[list[Vec]] = UNSET
