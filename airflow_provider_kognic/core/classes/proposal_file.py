"""A proposal as JSON: written for people to edit, read again with every doubt said, and agreed to or not.

    {"format": "kognic-class-mapping", "version": 1, "agreed": false, "classMapping": [{"annotated": …}], …}

`classMapping` and `agreed` are for people to change; the rest says what was looked at. The same classes make the
same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_kognic.core.classes.annotations import AnnotatedClasses, Known
from airflow_provider_kognic.core.classes.arguments import FORMAT, is_proposal
from airflow_provider_kognic.core.classes.counts import ClassCount
from airflow_provider_kognic.core.classes.names import quoted
from airflow_provider_kognic.core.classes.predictions import PredictedClasses
from airflow_provider_kognic.core.classes.proposal import Proposal, without_row
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.texts import brief, sentence
from airflow_provider_kognic.core.validation.class_mapping import class_mapping_rows

VERSION = 1
# A file that is larger is none of ours.
MOST_BYTES = 16 << 20
# Bytes of what one task hands to another: Airflow keeps that in its database.
MOST_XCOM_BYTES = 256 * 1024


def as_json(proposal: Proposal) -> dict[str, Any]:
    """Return a proposal as its file has it."""
    predictions, annotations = proposal.predictions, proposal.annotations
    return {
        "format": FORMAT,
        "version": VERSION,
        "agreed": proposal.agreed,
        "classMapping": [dict(row) for row in proposal.rows],
        "to_look_at": {
            "alike": [{"annotated": one, "predicted": other} for one, other in proposal.alike],
            "only_in_predictions": proposal.only_predicted,
            "only_in_annotations": proposal.only_annotated,
        },
        "predictions": {
            "documents": predictions.documents,
            "invalid": predictions.invalid,
            "segmentation": predictions.segmentation,
            "classes": _classes(predictions.classes),
        },
        "annotations": {
            "known": annotations.known.value,
            "why": list(annotations.why),
            "scenes": annotations.scenes,
            "asked": annotations.asked,
            "documents": annotations.documents,
            "unread": dict(annotations.unread),
            "segmentation": annotations.segmentation,
            "classes": _classes(annotations.classes),
        },
        "digest": proposal.digest,
    }


def as_bytes(proposal: Proposal) -> bytes:
    """Return the file: a row of the mapping on a line of its own, to be edited."""
    given = as_json(proposal)
    rows = ",\n".join(f"    {json.dumps(row, ensure_ascii=False)}" for row in given["classMapping"])
    written = json.dumps({**given, "classMapping": []}, ensure_ascii=False, indent=2)
    # A half of a surrogate pair, which JSON can have, has no UTF-8.
    text = written.replace('"classMapping": []', f'"classMapping": [\n{rows}\n  ]', 1) + "\n"
    return text.encode("utf-8", "surrogatepass") if _has_halves(text) else text.encode()


def as_xcom(proposal: Proposal, place: str | None = None) -> dict[str, Any]:
    """Return a proposal as one task hands it to another: with the names of classes, without what was counted.

    Args:
        proposal: The proposal.
        place: Where its file is, for people; None where there is none.

    Raises:
        KognicInputError: It is too large for that.
    """
    given = as_json(proposal)
    for side in ("predictions", "annotations"):
        given[side] = {**given[side], "classes": list(given[side]["classes"])}
    given["file"] = None if place is None else masked(place)
    if (size := len(json.dumps(given).encode())) > MOST_XCOM_BYTES:
        if place is None:
            raise KognicInputError(
                f"the proposal has {size:,} bytes, and a task hands on at most {MOST_XCOM_BYTES:,}: give 'report',"
                " the path of a file for it."
            )
        kept = ("format", "version", "agreed", "digest", "file")
        given = {name: given[name] for name in kept} | {"too_large": size}
    return given


def read(content: bytes, place: str) -> Proposal:
    """Read the file of a proposal.

    Args:
        content: Its bytes.
        place: Where it is, for messages.

    Raises:
        KognicInputError: It is no proposal, or not one that holds together: see `from_json`.
    """
    if len(content) > MOST_BYTES:
        raise KognicInputError(f"{place} is larger than any class mapping: {len(content):,} bytes.")
    try:
        given = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise KognicInputError(
            f"{place} is no JSON: {sentence(error)} Was it edited? A comma may be missing, or one too many."
        ) from None
    return from_json(given, place)


def from_json(given: Any, place: str) -> Proposal:
    """Read what `as_json` or `as_xcom` returned, after whatever a person has done to it.

    Args:
        given: The JSON.
        place: Where it is, for messages.

    Raises:
        KognicInputError: It is something else, or of a newer version; or a class that was found has no row, or the
            classes that were found have been edited.
    """
    if not is_proposal(given):
        raise KognicInputError(
            f'{place} is no proposal of a class mapping: it has no "format": "{FORMAT}". Make one with'
            " 'airflow-provider-kognic classes' or SurveyClassesOperator."
        )
    if given.get("version") != VERSION:
        raise KognicInputError(
            f"{place} is a proposal of version {brief(given.get('version'))}; this provider knows {VERSION}. Make"
            " it anew, or use the version of the provider that made it."
        )
    if "too_large" in given:
        raise KognicInputError(
            f"{place} is too large to be handed from task to task: give class_mapping the path of its file,"
            f" {given.get('file')}."
        )
    agreed = given.get("agreed")
    if not isinstance(agreed, bool):
        raise KognicInputError(f"{place}: 'agreed' must be true or false, not {brief(agreed)}.")
    try:
        proposal = _proposal(given, place, agreed=agreed)
    except KognicInputError as error:
        raise KognicInputError(f"{place}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise KognicInputError(
            f"{place}: what was looked at cannot be read: {type(error).__name__}: {sentence(error)} Edit"
            " 'classMapping' and 'agreed' only, or make it anew."
        ) from None
    _check_whole(proposal, given)
    return proposal


def _proposal(given: Mapping[str, Any], place: str, *, agreed: bool) -> Proposal:
    predictions, annotations = given["predictions"], given["annotations"]
    alike = given.get("to_look_at", {}).get("alike", [])
    return Proposal(
        rows=tuple(class_mapping_rows(given["classMapping"]) or ()),
        predictions=PredictedClasses(
            _counts(predictions["classes"]),
            documents=int(predictions.get("documents", 0)),
            invalid=int(predictions.get("invalid", 0)),
            segmentation=bool(predictions.get("segmentation")),
        ),
        annotations=AnnotatedClasses(
            _counts(annotations["classes"]),
            known=Known(annotations["known"]),
            why=tuple(map(str, annotations.get("why", ()))),
            scenes=int(annotations.get("scenes", 0)),
            asked=int(annotations.get("asked", 0)),
            documents=int(annotations.get("documents", 0)),
            unread={str(why): int(many) for why, many in annotations.get("unread", {}).items()},
            segmentation=bool(annotations.get("segmentation")),
        ),
        agreed=agreed,
        alike=tuple((str(one["annotated"]), str(one["predicted"])) for one in alike),
        place=place,
    )


def _check_whole(proposal: Proposal, given: Mapping[str, Any]) -> None:
    """Raise KognicInputError where rows are missing or contradict each other, or what was found is other."""
    if given.get("digest") != proposal.digest:
        raise KognicInputError(
            f"{proposal.place}: the classes in it are not those that were found: its digest is of others. Edit"
            " 'classMapping' and 'agreed' only; where the classes are others now, make it anew."
        )
    lacking = [
        f"no row of 'classMapping' has {side!r} {quoted(missing)}"
        for side, classes in (("predicted", proposal.predicted), ("annotated", proposal.annotated))
        if (missing := without_row(proposal.rows, side, classes))
    ]
    if lacking:
        raise KognicInputError(
            f"{proposal.place}: {'; '.join(lacking)}. Kognic wants every class of both sides in the mapping: one"
            " without a counterpart has a row with one key."
        )
    both = [
        f"{side!r} {quoted(names)}" for side in ("predicted", "annotated") if (names := _both(proposal, side))
    ]
    if both:
        raise KognicInputError(
            f"{proposal.place}: {' and '.join(both)} stand in a row with a counterpart, and in one with one key,"
            " which says that there is none. Leave out one of both."
        )


def _both(proposal: Proposal, side: str) -> list[str]:
    """Return the classes that have a counterpart by one row, and none by another."""
    paired = {row[side] for row in proposal.rows if len(row) > 1}
    return sorted({row[side] for row in proposal.rows if len(row) == 1 and side in row} & paired)


def _classes(classes: Mapping[str, ClassCount]) -> dict[str, Any]:
    return {name: classes[name].as_json() for name in sorted(classes)}


def _counts(given: Any) -> dict[str, ClassCount]:
    """Return what was counted, or of names alone that they are there."""
    if isinstance(given, Mapping):
        return {str(name): ClassCount.from_json(count) for name, count in given.items()}
    return {str(name): ClassCount() for name in given}


def _has_halves(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
