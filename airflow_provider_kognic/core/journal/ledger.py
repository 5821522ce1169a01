"""What the lines of a journal mean: fed with records, oldest first, it can be asked about scenes.

The last record of a scene says its state, with these exceptions:

    created, then intended anew and refused or unsent     created still: the newer document was not executed
    in doubt, then intended once more and unsent           in doubt still: the intent was withdrawn, not the doubt
    begun anew                                             nothing is known, but for what was there before

Nothing here reads, waits or knows the time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.journal.format import (
    AttemptBegins,
    Baseline,
    BaselineTaken,
    BegunAnew,
    Created,
    InDoubt,
    Intent,
    Refused,
    Unsent,
    to_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_kognic.core.journal.format import Outcome, Record


class State(IntEnum):
    """What is known of a prediction."""

    INTENDED = 1
    CREATED = 2
    REFUSED = 3
    IN_DOUBT = 4
    UNSENT = 5


@dataclass(frozen=True)
class Entry:
    """What is known of one scene.

    Attributes:
        state: Its state.
        digest: First 32 hexadecimal digits of the SHA-256 of the document that was intended last.
        prediction_uuid: The uuid, for `CREATED`.
        at: When it was intended, or for `IN_DOUBT` when its answer was given up (s since the epoch).
        covered: Whether the attempt that intended it had looked before what the group holds of the scene: then
            `Ledger.before` is complete.
        resent: Whether it was created by sending it once more after an answer was lost: it may be there twice.
    """

    state: State
    digest: str
    prediction_uuid: str | None
    at: float
    covered: bool
    resent: bool = False

    @property
    def in_doubt(self) -> bool:
        """Whether it may have been executed without that being known."""
        return self.state in _DOUBT


# In this version of the format an intent counted as covered once its upload had taken a baseline, in whichever
# attempt: it is so for certain only in that one, as a later one's source may have had more scenes.
_COVERED_BY_UPLOAD = 1
_DOUBT = frozenset({State.INTENDED, State.IN_DOUBT})
# State, digest, prediction, when, covered, resent: 43 bytes instead of objects, as there may be many.
_PACKED = struct.Struct(">B16s16sd??")
_DIGEST, _PREDICTION, _COVERED = slice(1, 17), slice(17, 33), 41


class Ledger:
    """What is known of the scenes of one predictions group, as one upload sees it.

    Args:
        upload: Names the upload: records of its own earlier attempts are told from those of others by it.
        force: Forget what other uploads left about each scene, until this one has begun it anew.
    """

    def __init__(self, upload: str, *, force: bool = False) -> None:
        self._upload = upload
        self._force = force
        self._index: dict[bytes, bytes] = {}
        # By scene: what was there before it was intended, what earlier documents became, and what the attempt whose
        # lines these are found in the group.
        self._before: dict[bytes, frozenset[bytes]] = {}
        self._made: dict[bytes, frozenset[bytes]] = {}
        self._found: dict[bytes, frozenset[bytes]] = {}
        # What was created before a newer document was intended that is not settled yet.
        self._superseded: dict[bytes, bytes] = {}
        # What was in doubt already when it was intended once more: that intent may be withdrawn, the doubt not.
        self._doubted: dict[bytes, bytes] = {}
        self._begun_anew: set[bytes] = set()
        self._covers = True
        # Of all predictions of which it is known whose they are: their hashes, and the scenes of those asked for.
        self._predictions: set[int] = set()
        self._scene_of: dict[bytes, bytes] = {}

    # Asking

    @property
    def size(self) -> int:
        """Number of scenes that it knows."""
        return len(self._index)

    @property
    def begun_anew(self) -> int:
        """Number of scenes that this upload has begun anew."""
        return len(self._begun_anew)

    def forgets(self, scene: bytes) -> bool:
        """Tell whether the scene has to be begun anew before it is intended."""
        return self._force and scene not in self._begun_anew

    def entry(self, scene: bytes) -> Entry | None:
        """Return what is known of a scene, or None; under `force` only what this upload itself did."""
        packed = self._index.get(scene)
        return None if packed is None or self.forgets(scene) else _unpack(packed)

    def before(self, scene: bytes) -> frozenset[str]:
        """Return the scene's predictions that were there before its first POST, or came of earlier documents."""
        return frozenset(map(to_text, self._before.get(scene, ())))

    def knows(self, scene: bytes, prediction: bytes) -> bool:
        """Tell whether a prediction is known to be created for a scene, for this document or an earlier one."""
        packed = None if self.forgets(scene) else self._index.get(scene)
        created = packed is not None and packed[0] == State.CREATED and packed[_PREDICTION] == prediction
        return created or prediction in self._made.get(scene, ())

    def scene_of(self, prediction: bytes) -> bytes | None:
        """Return the scene that a prediction is known to be of, or None where that is not known."""
        if hash(prediction) not in self._predictions:
            return None
        if (scene := self._scene_of.get(prediction)) is None:
            # Nobody asks but where a server answers with what it answered before: no index is kept for that.
            created = (one for one, packed in self._index.items() if packed[_PREDICTION] == prediction)
            others = (
                one
                for known in (self._made, self._found, self._before)
                for one, found in known.items()
                if prediction in found
            )
            scene = next(created, None) or next(others, None)
            if scene is not None:
                self._scene_of[prediction] = scene
        return scene

    def created(self) -> set[bytes]:
        """Return all predictions that are known to be created; under `force` only those of this upload."""
        return {packed[_PREDICTION] for packed in self._known() if packed[0] == State.CREATED}

    def _known(self) -> Iterable[bytes]:
        if self._force:
            return (self._index[scene] for scene in self._begun_anew if scene in self._index)
        return self._index.values()

    # Telling

    def apply(self, record: Record) -> None:
        """Take in what happened next."""
        if isinstance(record, Intent):
            self._intend(record)
        elif isinstance(record, Baseline):
            self._hold(record)
        elif isinstance(record, BegunAnew):
            self._begin_anew(record)
        elif isinstance(record, AttemptBegins):
            self._covers = record.version > _COVERED_BY_UPLOAD
            self._found.clear()
        elif isinstance(record, BaselineTaken):
            self._covers = True
        else:
            self._settle(record)

    def _intend(self, record: Intent) -> None:
        packed = self._index.get(record.scene)
        self._supersede(record.scene, packed)
        if packed is not None and packed[0] in _DOUBT:
            # What has been found of it since may have come of its own POST.
            self._doubted[record.scene] = packed
        else:
            self._look_back(record.scene)
        covered = record.covered and self._covers
        self._index[record.scene] = _PACKED.pack(State.INTENDED, record.digest, b"", record.at, covered, 0)

    def _settle(self, record: Outcome) -> None:
        scene = record.scene
        if isinstance(record, Unsent) and scene in self._doubted:
            self._index[scene] = self._doubted.pop(scene)
            return
        if isinstance(record, (Unsent, Refused)) and scene in self._superseded:
            self._index[scene] = self._superseded.pop(scene)
        else:
            self._index[scene] = _settled(record, self._index.get(scene))
        self._doubted.pop(scene, None)
        if isinstance(record, Created):
            self._superseded.pop(scene, None)
            self._predictions.add(hash(record.prediction))

    def _hold(self, record: Baseline) -> None:
        self._found[record.scene] = self._found.get(record.scene, frozenset()).union(record.predictions)
        self._predictions.update(map(hash, record.predictions))

    def _begin_anew(self, record: BegunAnew) -> None:
        scene = record.scene
        self._supersede(scene, self._index.get(scene))
        for known in (self._index, self._superseded, self._doubted):
            known.pop(scene, None)
        if record.upload == self._upload:
            self._begun_anew.add(scene)

    def _supersede(self, scene: bytes, packed: bytes | None) -> None:
        """Remember what an earlier document of the scene became: it is never what came of the next one."""
        if packed is not None and packed[0] == State.CREATED:
            self._superseded[scene] = packed
            self._made[scene] = self._made.get(scene, frozenset()).union([packed[_PREDICTION]])

    def _look_back(self, scene: bytes) -> None:
        """Take for what was there before what the attempt has found: other attempts may have looked later.

        Parts sort by when their attempts began, and not by when their lines were written.
        """
        before = self._made.get(scene, frozenset()) | self._found.get(scene, frozenset())
        if before:
            self._before[scene] = before
        else:
            self._before.pop(scene, None)


def _settled(record: Outcome, was: bytes | None) -> bytes:
    """Return the packed entry after an outcome; the document is still the one that was intended."""
    digest, covered = (b"", False) if was is None else (was[_DIGEST], bool(was[_COVERED]))
    if isinstance(record, Created):
        return _PACKED.pack(State.CREATED, digest, record.prediction, 0.0, covered, record.resent)
    if isinstance(record, InDoubt):
        return _PACKED.pack(State.IN_DOUBT, digest, b"", record.at, covered, 0)
    state = State.REFUSED if isinstance(record, Refused) else State.UNSENT
    return _PACKED.pack(state, digest, b"", 0.0, covered, 0)


def _unpack(packed: bytes) -> Entry:
    state, digest, prediction, at, covered, resent = _PACKED.unpack(packed)
    known = State(state)
    created = to_text(prediction) if known is State.CREATED else None
    return Entry(known, digest.hex(), created, at, covered, resent)
