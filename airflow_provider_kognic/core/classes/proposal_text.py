"""A proposal for people: one Markdown page, readable as text, of what is proposed and what is to be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_kognic.core.classes.annotations import Known
from airflow_provider_kognic.core.classes.counts import ClassCount
from airflow_provider_kognic.core.texts import printable, shortened
from airflow_provider_kognic.core.validation.class_mapping import BACKGROUND

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_provider_kognic.core.classes.proposal import Proposal

_NONE = ClassCount()
_HEAD = ("annotated", "predicted", "why", "in annotations", "in predictions")


def text_of(proposal: Proposal, *, most_rows: int | None = None) -> str:
    """Return the page.

    Args:
        proposal: The proposal.
        most_rows: Rows of the mapping that are shown, what is to be looked at first; all of them if None.
    """
    return "".join(f"{line}\n" for line in _lines(proposal, most_rows))


def _lines(proposal: Proposal, most_rows: int | None) -> Iterator[str]:
    yield "# Class mapping: " + ("agreed" if proposal.agreed else "a proposal")
    yield ""
    yield from _about(proposal)
    yield ""
    rows = sorted(_rows(proposal), key=lambda row: _ORDER.index(row[2]))
    shown = rows if most_rows is None else rows[:most_rows]
    yield from _table(shown)
    if len(rows) > len(shown):
        yield ""
        yield f"And {len(rows) - len(shown):,} more rows."


def _about(proposal: Proposal) -> Iterator[str]:
    predictions, annotations = proposal.predictions, proposal.annotations
    found, classes = _many(predictions.documents, "document"), _many(len(predictions.classes), "class")
    yield f"- Predictions: {found}, {classes}{_invalid(predictions.invalid)}."
    yield f"- Annotations: {annotations.known.says}."
    if annotations.asked:
        found, classes = _many(annotations.documents, "document"), _many(len(annotations.classes), "class")
        yield f"- {found} of {annotations.asked:,} of {_many(annotations.scenes, 'scene')}: {classes}."
    for why in annotations.why:
        yield f"- {_cell(why, 400)}"
    if annotations.known in {Known.UNKNOWN, Known.PARTLY, Known.SAMPLE}:
        yield "- A class that is not named here may be there all the same: Kognic wants each in the mapping."
    if over := len(proposal.only_predicted):
        yield f"- **To look at: {_many(over, 'class')} of the predictions, beside none of the annotations.**"
    if alike := len(proposal.alike):
        yield f"- **To look at: {_many(alike, 'pair')} of names that are alike and not the same.**"


def _invalid(number: int) -> str:
    return f"; {number:,} more are not valid, so their classes are not known" if number else ""


_SAME, _ALIKE, _EDITED = "same name", "alike: look", "other names: by a person"
_OVER, _LEFT, _BACKGROUND = "only in predictions", "only in annotations", "what is left unsegmented"
_UNSEEN = "not found: by a person"
_ORDER = (_OVER, _ALIKE, _EDITED, _UNSEEN, _LEFT, _BACKGROUND, _SAME)


def _rows(proposal: Proposal) -> Iterator[tuple[str, ...]]:
    alike = set(proposal.alike)
    for row in proposal.rows:
        annotated, predicted = row.get("annotated"), row.get("predicted")
        if annotated is None:
            why = _OVER if predicted in proposal.predicted else _UNSEEN
        elif predicted is None:
            why = _LEFT if annotated in proposal.annotated else _UNSEEN
            why = _BACKGROUND if annotated == BACKGROUND else why
        elif annotated == predicted:
            why = _SAME
        else:
            why = _ALIKE if (annotated, predicted) in alike else _EDITED
        yield (
            annotated or "-",
            predicted or "-",
            why,
            _counted(proposal.annotations.classes, annotated),
            _counted(proposal.predictions.classes, predicted),
        )


def _counted(classes: Mapping[str, ClassCount], name: str | None) -> str:
    """Say how often a class occurs: documents, objects, geometries by their kind, and where to see one."""
    if name is None or name not in classes:
        return ""
    count = classes[name]
    if count == _NONE:  # handed on without what was counted
        return "yes"
    said = [_many(count.documents, "document")]
    said += [f"{many:,} {kind}" for kind, many in sorted(count.geometries.items())] or ["never drawn"]
    if count.example:
        said.append(f"e.g. {count.example}")
    return ", ".join(said)


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 'es' if what.endswith('s') else 's'}"


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    cells = [_HEAD, *(tuple(_cell(cell) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]
    for number, row in enumerate(cells):
        yield f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        if not number:
            yield f"| {' | '.join('-' * width for width in widths)} |"


def _cell(text: str, longest: int = 120) -> str:
    """Return text that stays in its cell, and is shown as it is."""
    said = printable(" ".join(text.split()))
    return shortened(said, longest).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
