"""Class mappings: how the classes of predictions relate to those of annotations.

Kognic's documentation: a dataset with segmentation needs a predictions group with a class mapping. Every class of
the predictions and of the annotations must be in it, even unmapped ones; a row may have only one of its two keys.
What the annotations leave unsegmented is the class `_background`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_kognic.core.errors import KognicInputError

_KEYS = ("annotated", "predicted")


def class_mapping_rows(mapping: Any) -> list[dict[str, str]] | None:
    """Bring a class mapping into the API's form.

    Args:
        mapping: The API's list of rows, `[{"annotated": "oak", "predicted": "tree"}, ...]`; or a dict from
            annotated to predicted, `{"oak": "tree", "only_in_annotations": None}`, in which the key None is for
            a class that only predictions have; or None.

    Returns:
        The rows, without keys whose class is None; None for None.

    Raises:
        KognicInputError: Naming every row that is wrong: neither key, an unknown key, a class that is no text.
    """
    if mapping is None:
        return None
    if isinstance(mapping, Mapping):
        rows: list[Any] = [{"annotated": annotated, "predicted": to} for annotated, to in mapping.items()]
    elif isinstance(mapping, (list, tuple)):
        rows = list(mapping)
    else:
        raise KognicInputError(
            f"class_mapping is {type(mapping).__name__}; expected a list of rows or a dict annotated ->"
            " predicted."
        )
    if not rows:
        raise KognicInputError("class_mapping is empty; leave it out where none is needed.")
    problems = [f"row {number}: {problem}" for number, row in enumerate(rows) for problem in _problems(row)]
    if problems:
        raise KognicInputError("class_mapping is wrong. " + "; ".join(problems) + ".")
    return [{key: row[key] for key in _KEYS if row.get(key) is not None} for row in rows]


def _problems(row: Any) -> list[str]:
    if not isinstance(row, Mapping):
        return [f"{row!r} is no row"]
    problems = [
        f"unknown key {key!r}, expected 'annotated' or 'predicted'" for key in row if key not in _KEYS
    ]
    given = [(key, row[key]) for key in _KEYS if row.get(key) is not None]
    if not given:
        problems.append("neither 'annotated' nor 'predicted' is given")
    problems += [
        f"{key!r} is {value!r}, expected the name of a class"
        for key, value in given
        if not isinstance(value, str) or not value.strip()
    ]
    return problems
