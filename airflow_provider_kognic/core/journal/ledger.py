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
from itertools import chain
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
from airflow_provider_kognic.core.packed.tables import HashSet, PackedGroups, PackedSet, PackedTable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

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
# State and flags, digest, and what is known besides: the prediction that was created, else when it was.
_PACKED = struct.Struct(">B16s16s")
_WHEN = struct.Struct(">d8x")
_STATE, _COVERED, _RESENT = 0x07, 0x08, 0x10
_DIGEST, _PREDICTION = slice(1, 17), slice(17, 33)
# What stands for a scene of which nothing is known any more.
_NOTHING = bytes(_PACKED.size)


class Ledger:
    """What is known of the scenes of one predictions group, as one upload sees it.

    Args:
        upload: Names the upload: records of its own earlier attempts are told from those of others by it.
        force: Forget what other uploads left about each scene, until this one has begun it anew.
    """

    def __init__(self, upload: str, *, force: bool = False) -> None:
        self._upload = upload
        self._force = force
        self._index = PackedTable(16, _PACKED.size)
        # So many scenes in it are begun anew and not intended yet: nothing is known of them.
        self._forgotten = 0
        # By scene: what was there before it was intended, what earlier documents became, and what the attempt whose
        # lines these are found in the group.
        self._before = PackedGroups()
        self._made = PackedGroups()
        self._found = PackedGroups()
        # What was created before a newer document was intended that is not settled yet.
        self._superseded: dict[bytes, bytes] = {}
        # What was in doubt already when it was intended once more: that intent may be withdrawn, the doubt not.
        self._doubted: dict[bytes, bytes] = {}
        self._begun_anew = PackedSet()
        self._covers = True
        # Of all predictions of which it is known whose they are: their hashes, and the scenes of those asked for.
        self._predictions = HashSet()
        self._scene_of: dict[bytes, bytes] = {}

    # Asking

    @property
    def size(self) -> int:
        """Number of scenes that it knows."""
        return len(self._index) - self._forgotten

    @property
    def begun_anew(self) -> int:
        """Number of scenes that this upload has begun anew."""
        return len(self._begun_anew)

    def forgets(self, scene: bytes) -> bool:
        """Tell whether the scene has to be begun anew before it is intended."""
        return self._force and scene not in self._begun_anew

    def entry(self, scene: bytes) -> Entry | None:
        """Return what is known of a scene, or None; under `force` only what this upload itself did."""
        packed = self._known(scene)
        return None if packed is None or self.forgets(scene) else _unpack(packed)

    def before(self, scene: bytes) -> frozenset[str]:
        """Return the scene's predictions that were there before its first POST, or came of earlier documents."""
        return frozenset(map(to_text, self._before.get(scene)))

    def knows(self, scene: bytes, prediction: bytes) -> bool:
        """Tell whether a prediction is known to be created for a scene, for this document or an earlier one."""
        packed = None if self.forgets(scene) else self._known(scene)
        created = packed is not None and _is_created(packed) and packed[_PREDICTION] == prediction
        return created or prediction in self._made.get(scene)

    def made(self, scene: bytes) -> int:
        """Return how many predictions of a scene are known to be created, from whichever document."""
        packed = self._known(scene)
        last = {packed[_PREDICTION]} if packed is not None and _is_created(packed) else set()
        return len(self._made.get(scene) | last)

    def scene_of(self, prediction: bytes) -> bytes | None:
        """Return the scene that a prediction is known to be of, or None where that is not known."""
        if hash(prediction) not in self._predictions:
            return None
        if (scene := self._scene_of.get(prediction)) is None:
            # Nobody asks but where a server answers with what it answered before: no index is kept for that.
            created = self._index.keys_with(prediction, _PREDICTION.start)
            others = (known.keys_with(prediction) for known in (self._made, self._found, self._before))
            scene = next(chain(filter(self._has_created, created), *others), None)
            if scene is not None:
                self._scene_of[prediction] = scene
        return scene

    @property
    def has_created(self) -> bool:
        """Whether any prediction is known to be created; under `force` by this upload."""
        return next(self._created(), None) is not None

    def created(self) -> AbstractSet[bytes]:
        """Return all predictions that are known to be created; under `force` only those of this upload."""
        return PackedSet(self._created())

    def _created(self) -> Iterator[bytes]:
        known = self._index.items()
        if self._force:
            known = ((scene, self._index.get(scene) or _NOTHING) for scene in self._begun_anew)
        return (packed[_PREDICTION] for _, packed in known if _is_created(packed))

    def _known(self, scene: bytes) -> bytes | None:
        packed = self._index.get(scene)
        return packed if packed is not None and packed[0] else None

    def _has_created(self, scene: bytes) -> bool:
        packed = self._index.get(scene)
        return packed is not None and _is_created(packed)

    def _keep(self, scene: bytes, packed: bytes) -> None:
        """Keep what is known of a scene now."""
        if self._forgotten and self._index.get(scene) == _NOTHING:
            self._forgotten -= 1
        self._index.put(scene, packed)

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
        packed = self._known(record.scene)
        self._supersede(record.scene, packed)
        if packed is not None and packed[0] & _STATE in _DOUBT:
            # What has been found of it since may have come of its own POST.
            self._doubted[record.scene] = packed
        else:
            self._look_back(record.scene)
        covered = record.covered and self._covers
        flags = State.INTENDED | (_COVERED if covered else 0)
        self._keep(record.scene, _PACKED.pack(flags, record.digest, _WHEN.pack(record.at)))

    def _settle(self, record: Outcome) -> None:
        scene = record.scene
        if isinstance(record, Unsent) and scene in self._doubted:
            self._keep(scene, self._doubted.pop(scene))
            return
        if isinstance(record, (Unsent, Refused)) and scene in self._superseded:
            self._keep(scene, self._superseded.pop(scene))
        else:
            self._keep(scene, _settled(record, self._known(scene)))
        self._doubted.pop(scene, None)
        if isinstance(record, Created):
            self._superseded.pop(scene, None)
            self._predictions.add(hash(record.prediction))

    def _hold(self, record: Baseline) -> None:
        self._found.add(record.scene, record.predictions)
        for prediction in record.predictions:
            self._predictions.add(hash(prediction))

    def _begin_anew(self, record: BegunAnew) -> None:
        scene = record.scene
        if (packed := self._known(scene)) is not None:
            self._supersede(scene, packed)
            self._index.put(scene, _NOTHING)
            self._forgotten += 1
        self._superseded.pop(scene, None)
        self._doubted.pop(scene, None)
        if record.upload == self._upload:
            self._begun_anew.add(scene)

    def _supersede(self, scene: bytes, packed: bytes | None) -> None:
        """Remember what an earlier document of the scene became: it is never what came of the next one."""
        if packed is not None and _is_created(packed):
            self._superseded[scene] = packed
            self._made.add(scene, [packed[_PREDICTION]])

    def _look_back(self, scene: bytes) -> None:
        """Take for what was there before what the attempt has found: other attempts may have looked later.

        Parts sort by when their attempts began, and not by when their lines were written.
        """
        self._before.put(scene, self._made.get(scene) | self._found.get(scene))


def _is_created(packed: bytes) -> bool:
    return packed[0] & _STATE == State.CREATED


def _settled(record: Outcome, was: bytes | None) -> bytes:
    """Return the packed entry after an outcome; the document is still the one that was intended."""
    digest, covered = (b"", 0) if was is None else (was[_DIGEST], was[0] & _COVERED)
    if isinstance(record, Created):
        resent = _RESENT if record.resent else 0
        return _PACKED.pack(State.CREATED | covered | resent, digest, record.prediction)
    if isinstance(record, InDoubt):
        return _PACKED.pack(State.IN_DOUBT | covered, digest, _WHEN.pack(record.at))
    state = State.REFUSED if isinstance(record, Refused) else State.UNSENT
    return _PACKED.pack(state | covered, digest, b"")


def _unpack(packed: bytes) -> Entry:
    flags, digest, more = _PACKED.unpack(packed)
    state, covered = State(flags & _STATE), bool(flags & _COVERED)
    if state is State.CREATED:
        return Entry(state, digest.hex(), to_text(more), 0.0, covered, bool(flags & _RESENT))
    (at,) = _WHEN.unpack(more)
    return Entry(state, digest.hex(), None, at, covered)
