"""What every source and every format of one has in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, cast, runtime_checkable

from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.models import (
    Prediction,
    Refused,
    Result,
    is_uuid,
    unknown_size,
)
from airflow_provider_kognic.core.packed.tables import PackedSet
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.listing import Kind, Listing, is_stored
from airflow_provider_kognic.core.stores.troubles import error_of
from airflow_provider_kognic.core.texts import brief

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_kognic.core.stores.patience import Patience


class PathLike(Protocol):
    """What is used of a path: `pathlib.Path` and Airflow's `ObjectStoragePath` both have it."""

    @property
    def name(self) -> str:
        """The last part."""

    @property
    def suffix(self) -> str:
        """The ending, with its dot."""

    @property
    def parent(self) -> Any:
        """The folder."""

    def __truediv__(self, key: str) -> Any: ...

    def exists(self) -> bool:
        """Tell whether there is something."""

    def is_dir(self) -> bool:
        """Tell whether it is a folder."""

    def iterdir(self) -> Any:
        """Yield the paths in this folder."""

    def glob(self, pattern: str) -> Any:
        """Yield the paths below this folder that match."""

    def open(self, mode: Literal["rb"], /) -> Any:
        """Open the file."""

    def read_bytes(self) -> bytes:
        """Read the file."""


class Source(Protocol):
    """Yields each prediction once, or the Result of an entry that cannot be sent; in every pass the same ones."""

    @property
    def total(self) -> int | None:
        """Number of entries, or None where it is not known before the end."""

    def __iter__(self) -> Iterator[Prediction | Result]: ...


class Given:
    """What a task gives as its predictions, for formats to recognise: a path, or rows in memory.

    A store is asked once whether the path is there, however many formats want to know it.

    Args:
        value: The path, or a list or tuple of rows.
        max_bytes: Most bytes that a document may have.
        patience: Asks again a store that does not answer.
    """

    def __init__(self, value: object, max_bytes: int, patience: Patience) -> None:
        self.max_bytes = max_bytes
        self.patience = patience
        self.rows: Sequence[Any] | None = value if isinstance(value, (list, tuple)) else None
        self._value = value

    @property
    def path(self) -> PathLike:
        """The path; of no meaning where rows were given."""
        return cast("PathLike", self._value)

    @property
    def text(self) -> str:
        """The path's text; empty where rows were given."""
        return "" if self.rows is not None else str(self._value)

    @cached_property
    def is_folder(self) -> bool:
        """Whether the path is a folder's; may raise errors of any store's library."""
        if self.listing is not None:
            return self.listing.kind is Kind.FOLDER
        return self.rows is None and self.path.is_dir()

    @cached_property
    def is_file(self) -> bool:
        """Whether there is anything else at the path; may raise errors of any store's library."""
        if self.listing is not None:
            return self.listing.kind is Kind.FILE
        return self.rows is None and not self.is_folder and self.path.exists()

    @cached_property
    def listing(self) -> Listing | None:
        """What its store says now of the path if that is an object store's, else None."""
        return Listing(self.path) if self.rows is None and is_stored(self.path) else None


@dataclass(frozen=True)
class Found:
    """A document that was found again by the `source` of a receipt.

    Attributes:
        source: The same, as it is to be called from now on.
        read: Returns the document's bytes, or raises Refused; may be called again.
        size: About how many bytes it has, see `Prediction`.
    """

    source: str
    read: Callable[[], bytes]
    size: Callable[[], int | None] = unknown_size


# Makes a path of text; raises Refused if it cannot.
Resolve: TypeAlias = Callable[[str], PathLike]
# Takes the `source` of a receipt and the scene whose document it must be. None: not of this format; raises Refused
# if it is, and cannot be found again.
Find: TypeAlias = Callable[[str, object], Found | None]


@dataclass(frozen=True)
class Format:
    """One way to write predictions down, as `opening` lists them.

    Attributes:
        recognises: Tells whether what a task gives is of this format. Looks at names and at what is there; opens
            nothing.
        open: Makes a source of it, as it is now; lists what there is, and reads no document. Raises
            KognicInputError if that cannot be one.
        finder: Takes what makes paths of text, and the most bytes that a document may have. Returns what finds
            documents of this format again, for one pass over a manifest: it is asked by one thread at a time,
            and what it found may be read in several.
    """

    recognises: Callable[[Given], bool]
    open: Callable[[Given], Source]
    finder: Callable[[Resolve, int], Find]


def is_unicode(text: str) -> bool:
    """Tell whether text can be written anywhere: a file's name that is not UTF-8 has pieces that cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def written(text: str) -> str:
    """Return text with whatever is no Unicode in it escaped, as logs and answers cannot hold it."""
    return text if is_unicode(text) else text.encode(errors="backslashreplace").decode()


def refusal(scene_uuid: str, source: str, why: Refused) -> Result:
    """Return the result of an entry that is refused here, without asking the server, or could not be read."""
    return Result(
        scene_uuid=written(scene_uuid),
        source=written(masked(source)),
        outcome=why.outcome,
        reason=why.reason,
        message=written(why.message),
    )


def prediction_of(
    scene: object,
    source: str,
    read: Callable[[], bytes],
    what: str,
    size: Callable[[], int | None] = unknown_size,
) -> Prediction | Result:
    """Return an entry: the prediction of a scene, or its refusal if that is no scene's uuid.

    Args:
        scene: What should be the scene's uuid; of either case, with or without space around it.
        source: Where it came from, as a receipt says it: what its URL hides is cut out.
        read: Returns the document.
        what: What names the scene, for the message.
        size: About how many bytes the document has, see `Prediction`.
    """
    text = scene.strip() if isinstance(scene, str) else scene
    if not (isinstance(text, str) and is_uuid(text)):
        shown = text if isinstance(text, str) else ""
        why = Refused(
            Reason.NOT_A_UUID,
            f"{what} is no scene uuid: {brief(scene)}. Name the file or row by its scene's uuid.",
        )
        return refusal(shown, source, why)
    if not is_unicode(source):
        why = Refused(
            Reason.UNREADABLE,
            "is not read, as its path is not UTF-8: no receipt could name it. Rename the file or its folder.",
        )
        return refusal(text.lower(), source, why)
    return Prediction(text.lower(), masked(source), read, size)


class Named(NamedTuple):
    """An entry of which it is not known yet whether its name is that of a scene: what `prediction_of` takes."""

    scene: object
    source: str
    read: Callable[[], bytes]
    what: str
    size: Callable[[], int | None] = unknown_size

    def entry(self) -> Prediction | Result:
        """Return it as named by its scene's uuid."""
        return prediction_of(*self)


@runtime_checkable
class NamingSource(Protocol):
    """A source that can tell what its entries are named before anybody asks whether these are scenes."""

    def named(self) -> Iterator[Named | Result]:
        """Yield each entry, in the order of the source; the Result of one that has no name."""


def as_scenes(entries: Iterable[Named | Result]) -> Iterator[Prediction | Result]:
    """Yield entries as they are where they are named by their scenes' uuids."""
    return (one.entry() if isinstance(one, Named) else one for one in entries)


def folded(value: object) -> object:
    """Return text as it is compared, without space around it and in lower case; anything else as it is."""
    return value.strip().lower() if isinstance(value, str) else value


def cannot_read_on(error: Exception) -> KognicError:
    """Return what is raised where going through a source fails: stores raise errors of many libraries."""
    if isinstance(error, KognicInputError):
        return KognicInputError(f"the source cannot be read on: {error}")
    return error_of(error, "the source cannot be read on")


def unique(source: Source) -> Iterator[Prediction | Result]:
    """Go through a source; of several entries of one scene the first wins, the others are refused."""
    seen = PackedSet()
    for entry in source:
        if isinstance(entry, Prediction) and not seen.add(bytes.fromhex(entry.scene_uuid.replace("-", ""))):
            why = Refused(
                Reason.DUPLICATE_SCENE, "this scene stands earlier in the source; the first one counts."
            )
            yield refusal(entry.scene_uuid, entry.source, why)
            continue
        yield entry


def is_at_hand(source: Source) -> bool:
    """Tell whether going through a source waits for nothing: what it yields is in memory, but for the documents."""
    return bool(getattr(source, "at_hand", False))


def stop_making(source: Source) -> None:
    """Ask a source whose entries are still being made, as a function yields them, to make no more."""
    inner: Any = source
    while inner is not None:
        if (stop := getattr(inner, "stop", None)) is not None:
            stop()
            return
        inner = getattr(inner, "source", None)


def nothing_in(source: Source) -> str:
    """Return what is there where a source has no entry, as a sentence; nothing where the source does not say."""
    return str(getattr(source, "nothing", ""))


def names_of(source: Source) -> list[str]:
    """Return what the entries of a source are called, without asking anybody: their scenes, or other names."""
    inner = getattr(source, "source", source)
    names = getattr(source, "names_given", None) or getattr(inner, "names_given", None)
    return scenes_of(source) if names is None else list(names())


def scenes_of(source: Source) -> list[str]:
    """Return the scenes that a source names, each once, in its order; reads no documents of files."""
    return [entry.scene_uuid for entry in unique(source) if isinstance(entry, Prediction)]
