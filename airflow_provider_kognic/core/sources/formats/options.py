"""Everything that reading a model's results may be told: one record, checked once, for whoever asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.sources.converting.classes import ClassesFile, UnknownClass
from airflow_provider_kognic.core.sources.filtering.filters import Filters
from airflow_provider_kognic.core.sources.formats.registry import BY_NAME
from airflow_provider_kognic.core.texts import brief
from airflow_provider_kognic.core.values import check_choice

if TYPE_CHECKING:
    from airflow_provider_kognic.core.sources.base import PathLike
    from airflow_provider_kognic.core.sources.converting.rows import ModelFormat

# What is no format of a model: Kognic's own documents.
OPENLABEL = "openlabel"


class EmptyScenes(str, Enum):
    """What to do about a scene in which nothing was found: leave it out, or send that as a result."""

    SKIP = "skip"
    SEND = "send"


class Confidence(str, Enum):
    """What to do about a confidence that is not from 0 to 1.

    `refuse` refuses its row, `drop` sends the object without one, `clip` makes it 0 or 1.
    """

    REFUSE = "refuse"
    DROP = "drop"
    CLIP = "clip"


@dataclass(frozen=True)
class FormatOptions:
    """What is to be read, and how.

    Attributes:
        format: The format's name; None for one that the file makes certain, or for Kognic's own documents where no
            `scenes` are given.
        scenes: The table of scenes.
        classes: The classes file, or what it holds; None where the model's names are Kognic's.
        unknown_class: What to do about a class that it does not have.
        min_confidence: See `Filters`.
        max_per_frame: See `Filters`.
        classes_only: See `Filters`.
        confidence: What to do about a confidence out of range.
        empty_scenes: What to do about scenes in which nothing was found.
        arguments: The format's own, by name.

    Raises:
        KognicInputError: A value is out of its range, or does not go with the others; the message names it.
    """

    format: str | None = None
    scenes: PathLike | None = None
    classes: PathLike | Mapping[str, str] | None = None
    unknown_class: UnknownClass = UnknownClass.ERROR
    min_confidence: float | Mapping[str, float] | None = None
    max_per_frame: int | None = None
    classes_only: Sequence[str] = ()
    confidence: Confidence = Confidence.REFUSE
    empty_scenes: EmptyScenes = EmptyScenes.SKIP
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        filters = Filters(self.min_confidence, self.max_per_frame, self.classes_only)
        checked: dict[str, Any] = {
            "min_confidence": filters.min_confidence,
            "max_per_frame": filters.max_per_frame,
            "classes_only": filters.classes_only,
            "unknown_class": check_choice(self.unknown_class, "unknown_class", UnknownClass),
            "confidence": check_choice(self.confidence, "confidence", Confidence),
            "empty_scenes": check_choice(self.empty_scenes, "empty_scenes", EmptyScenes),
            "arguments": {name: value for name, value in self.arguments.items() if value is not None},
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if isinstance(self.classes, Mapping):
            ClassesFile.of(dict(self.classes), "classes")
        elif str(self.classes).lstrip().startswith("{"):
            raise KognicInputError(
                f"classes is the text of a dict, {brief(str(self.classes))}, where a dict or a path belongs:"
                " a template makes a dict where the Dag has render_template_as_native_obj=True."
            )
        if self.format is not None and self.format not in (OPENLABEL, *BY_NAME):  # it may be anything
            known = ", ".join(map(repr, (OPENLABEL, *BY_NAME)))
            raise KognicInputError(f"predictions_format must be one of {known}, not {self.format!r}.")
        if self.format is not None and self.format != OPENLABEL:
            if self.scenes is None:
                raise KognicInputError(
                    f"predictions_format={self.format!r} needs 'scenes': the table that says which frame of which"
                    " scene each key is."
                )
            self.arguments_of(BY_NAME[self.format])
        if self.format == OPENLABEL or (self.format is None and self.scenes is None):
            given = [name for name in ("scenes", "classes") if getattr(self, name) is not None]
            if given or self.arguments:
                what = " and ".join(map(repr, (*given, *self.arguments)))
                raise KognicInputError(
                    f"{what} {'go' if ' and ' in what else 'goes'} with the format of a model, and"
                    f" predictions_format is {self.format!r}."
                )

    @classmethod
    def of(cls, **given: object) -> FormatOptions:
        """Make the record of values as people write them: `empty_scenes="send"`.

        Raises:
            KognicInputError: A value is out of its range, or does not go with the others.
        """
        return cls(**given)  # type: ignore[arg-type]  # this is where they are checked

    @property
    def filters(self) -> Filters:
        """What is left out."""
        return Filters(self.min_confidence, self.max_per_frame, self.classes_only)

    @property
    def is_openlabel(self) -> bool:
        """Whether documents are Kognic's own already."""
        return self.format == OPENLABEL or (self.format is None and self.scenes is None)

    def with_paths(self, to_path: Callable[[Any, str], PathLike]) -> FormatOptions:
        """Return the same options with paths in place of their texts.

        Args:
            to_path: Makes a path of text, or of a path; it is told what that is called, for messages.
        """
        if self.is_openlabel:
            return self
        paths = {
            argument.name
            for known in ([BY_NAME[self.format]] if self.format is not None else BY_NAME.values())
            for argument in known.arguments
            if argument.is_path
        }
        classes = self.classes
        return replace(
            self,
            scenes=to_path(self.scenes, "'scenes'"),
            classes=classes
            if classes is None or isinstance(classes, Mapping)
            else to_path(classes, "'classes'"),
            arguments={
                name: to_path(value, repr(name)) if name in paths else value
                for name, value in self.arguments.items()
            },
        )

    def arguments_of(self, format_: ModelFormat) -> dict[str, Any]:
        """Return the format's arguments, with what they are where they are not given.

        Raises:
            KognicInputError: One is none of the format's, or none of the choices.
        """
        known = {argument.name: argument for argument in format_.arguments}
        for name, value in self.arguments.items():
            if name not in known:
                raise KognicInputError(
                    f"{name!r} does not go with predictions_format={format_.name!r}, which takes"
                    f" {', '.join(map(repr, known)) or 'nothing of its own'}."
                )
            choices = known[name].choices
            if choices and value not in choices:
                raise KognicInputError(
                    f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}."
                )
        return {name: self.arguments.get(name, argument.default) for name, argument in known.items()}
