"""Class mappings: how the classes of predictions relate to those of annotations.

Kognic's documentation: a dataset with segmentation needs a predictions group with a class mapping. Every class of
the predictions and of the annotations must be in it, even unmapped ones; a row may have only one of its two keys.
What the annotations leave unsegmented is the class `_background`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.texts import brief

if TYPE_CHECKING:
    from collections.abc import Collection

logger = logging.getLogger(__name__)

# The class of what annotations leave unsegmented.
BACKGROUND = "_background"
_KEYS = ("annotated", "predicted")
# Of the rows that are wrong.
_NAMED = 20


def class_mapping_rows(mapping: Any) -> list[dict[str, str]] | None:
    """Bring a class mapping into the API's form.

    Args:
        mapping: The API's list of rows, `[{"annotated": "oak", "predicted": "tree"}, ...]`; or a dict from
            annotated to predicted, `{"oak": "tree", "only_in_annotations": None}`, in which the key None is for
            a class that only predictions have; or None.

    Returns:
        The rows, without keys whose class is None; None for None.

    Raises:
        KognicInputError: Naming the rows that are wrong: neither key, an unknown key, a class that is no text.
    """
    if mapping is None:
        return None
    if isinstance(mapping, Mapping) and "classMapping" in mapping and "format" in mapping:
        raise KognicInputError(
            "class_mapping is a whole proposal, to which somebody has to agree; what is expected here are the rows"
            " in its 'classMapping'."
        )
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
        more = f"; and {len(problems) - _NAMED:,} more" if len(problems) > _NAMED else ""
        raise KognicInputError(f"class_mapping is wrong. {'; '.join(problems[:_NAMED])}{more}.")
    return [{key: row[key] for key in _KEYS if row.get(key) is not None} for row in rows]


def shown_rows(group: Mapping[str, Any]) -> list[dict[str, str]] | None:
    """Read the class mapping that a row of the groups listing shows; Kognic does not document that one does.

    Args:
        group: The row as the API gave it.

    Returns:
        The mapping's rows, or None where the group shows none, an empty one, or nothing that can be understood.
    """
    shown = next((group[name] for name in ("classMapping", "class_mapping") if group.get(name)), None)
    if isinstance(shown, Mapping):
        shown = [{"annotated": annotated, "predicted": to} for annotated, to in shown.items()]
    if not isinstance(shown, list):
        return None
    rows = [
        {key: row[key] for key in _KEYS if isinstance(row.get(key), str) and row[key]}
        for row in shown
        if isinstance(row, Mapping)
    ]
    return [row for row in rows if row] or None


def identity_mapping(classes: Collection[str], overrides: Any = None) -> list[dict[str, str]]:
    """Make the class mapping of predictions whose classes are named as those of the annotations.

    Args:
        classes: Every class of the predictions.
        overrides: Rows, or a dict annotated -> predicted, as `class_mapping_rows` takes them: they replace the rows
            of the classes that they name. Classes that only annotations have are added here.

    Returns:
        A row for every class, with `_background` among the annotated ones: overrides first, then by name.

    Raises:
        KognicInputError: `overrides` is no class mapping.
    """
    rows = class_mapping_rows(overrides) if overrides else None
    rows = list(rows or ())
    annotated = {row["annotated"] for row in rows if "annotated" in row}
    predicted = {row["predicted"] for row in rows if "predicted" in row}
    if unknown := sorted(predicted - set(classes)):
        logger.warning(
            "class_mapping_overrides has classes that no prediction has: %s.", ", ".join(map(repr, unknown))
        )
    for name in sorted(set(classes) - predicted):
        # Annotations of a class that an override maps elsewhere have their row already.
        rows.append({"predicted": name} if name in annotated else {"annotated": name, "predicted": name})
        annotated.add(name)
    if BACKGROUND not in annotated:
        rows.append({"annotated": BACKGROUND})
    return rows


def _problems(row: Any) -> list[str]:
    if not isinstance(row, Mapping):
        return [f"{brief(row)} is no row"]
    problems = [
        f"unknown key {brief(key)}, expected 'annotated' or 'predicted'" for key in row if key not in _KEYS
    ]
    given = [(key, row[key]) for key in _KEYS if row.get(key) is not None]
    if not given:
        problems.append("neither 'annotated' nor 'predicted' is given")
    problems += [
        f"{key!r} is {brief(value)}, expected the name of a class"
        for key, value in given
        if not isinstance(value, str) or not value.strip()
    ]
    return problems
