"""Scenes by their external ids: what whoever made them calls them, found in batches and never guessed.

An external id need not be unique. One that is of no scene, or of several that are not invalidated, is refused. What
was found is kept before anything is sent, so that a retry finds the same scene, whatever the API says by then:

    kept    the journal knows the scene    then
    ----    --------------------------    ----
    no      -                              asked for, and kept
    yes     yes                            that scene, however long ago: what was sent belongs to it
    yes     no                             that scene for `MOST_AGE`; after that asked for anew
"""

from __future__ import annotations

import hashlib
import logging
import struct
import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import (
    KognicAnswerError,
    KognicError,
    KognicInputError,
    KognicNotFoundError,
    KognicOutageError,
    KognicRowError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.models import Refused, is_uuid
from airflow_provider_kognic.core.packed.tables import PackedTable
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.retries import Backoff, Verdict, may_repeat, verdict
from airflow_provider_kognic.core.scenes.asking import ClosedError
from airflow_provider_kognic.core.scenes.cache import MOST_AGE
from airflow_provider_kognic.core.scenes.facts import is_invalidated
from airflow_provider_kognic.core.scenes.parts import Parts, numbered
from airflow_provider_kognic.core.stores.troubles import error_of
from airflow_provider_kognic.core.texts import brief, sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_kognic.core.files import StoredPath
    from airflow_provider_kognic.core.scenes.asking import AsksScenes, Found

logger = logging.getLogger(__name__)

MOST_NAMES = 200
"""External ids that are asked for in one request."""

# So many names that are of no scene, before any is found: then these are no external ids.
_LEADING = 100
_VALUE = struct.Struct("<16sd")
_BACKOFF = Backoff(first=0.5, most=10.0, most_asked=60.0)
_SHOWN = 3
# Seconds between two looks at whether anybody still waits.
_STEP = 0.2


class ExternalIds:
    """Finds scenes by their external ids; safe in threads, of which one at a time asks.

    Args:
        folder: Where what is found is kept across tries; None to keep it in memory only.
        host: The input API.
        patience: Seconds without an answer after which the API is given up.
        anew: Ask anew for all of which nothing was sent, whatever is kept.
        writes: Whether what is found is written; a dry run only looks.
        clock: Tells the time (s since the epoch).
    """

    def __init__(
        self,
        folder: StoredPath | None,
        host: str,
        *,
        patience: float,
        anew: bool = False,
        writes: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._parts = None if folder is None else Parts(folder, "names", host)
        self._writes = writes
        self._patience = patience
        self._anew = anew
        self._began_at = clock()
        self._clock = clock
        self._asks: AsksScenes | None = None
        self._is_sent: Callable[[str], bool] = lambda _: False
        self._ended: Callable[[], bool] = lambda: False
        # The digest of a name; its scene, and when that was found.
        self._known = PackedTable(16, _VALUE.size)
        self._is_read = folder is None
        self._ever_found = False
        self._lock = threading.Lock()
        self._leading = 0

    def begin(
        self, asks: AsksScenes, is_sent: Callable[[str], bool], ended: Callable[[], bool] = lambda: False
    ) -> None:
        """Say who is to be asked.

        Args:
            asks: Asks the API.
            is_sent: Tells whether something was sent of a scene, as the journal knows it.
            ended: Tells whether nobody waits for an answer any more.
        """
        self._asks, self._is_sent, self._ended = asks, is_sent, ended

    def resolve(self, names: Sequence[str]) -> list[str | Refused | None]:
        """Return the scene of each name, or why there is none; None for those that nobody asks for any more.

        Args:
            names: The external ids.

        Raises:
            KognicInputError: None of the first names is known: they are no external ids, or of another host.
            KognicOutageError: The API does not answer.
            KognicError: It says no; or what was found cannot be kept.
        """
        with self._lock:
            return self._resolved(names)

    def _resolved(self, names: Sequence[str]) -> list[str | Refused | None]:
        self._read_all()
        found: dict[str, str | Refused | None] = {name: self._kept(name) for name in names}
        missing = [name for name, scene in found.items() if scene is None]
        self._ever_found = self._ever_found or len(missing) < len(found)
        try:
            for start in range(0, len(missing), MOST_NAMES):
                batch = missing[start : start + MOST_NAMES]
                scenes = self._asked(batch)
                found.update(scenes)
                self._keep({name: one for name, one in scenes.items() if isinstance(one, str)})
        except ClosedError:
            pass
        return [found[name] for name in names]

    def _kept(self, name: str) -> str | None:
        if (value := self._known.get(_key(name))) is None:
            return None
        packed, at = _VALUE.unpack(value)
        scene = _scene_of(packed)
        if self._ended() or self._is_sent(scene):
            return scene
        if self._anew and at < self._began_at:
            return None
        return scene if self._clock() - at <= MOST_AGE else None

    def _keep(self, scenes: dict[str, str]) -> None:
        now = self._clock()
        if self._parts is not None and self._writes:
            try:
                rows = [{"name": n, "scene_of_name": s, "at": now} for n, s in scenes.items()]
                self._parts.write(rows, durably=True)
            except Exception as error:
                raise error_of(
                    error, f"which scenes the external ids are of cannot be kept in {self._parts.folder}"
                ) from error
        for name, scene in scenes.items():
            self._known.put(_key(name), _VALUE.pack(bytes.fromhex(scene.replace("-", "")), now))

    def _read_all(self) -> None:
        parts = self._parts
        if self._is_read or parts is None:
            return
        try:
            for name in parts.names():
                for _, row in numbered(parts.lines(name)):
                    self._note(row)
        except Exception as error:
            raise error_of(
                error, f"which scenes the external ids are of cannot be read in {parts.folder}"
            ) from error
        self._is_read = True

    def _note(self, row: dict[str, Any]) -> None:
        name, scene, at = row.get("name"), row.get("scene_of_name"), row.get("at")
        if isinstance(name, str) and is_uuid(scene) and isinstance(at, (int, float)):
            key, packed = _key(name), bytes.fromhex(str(scene).replace("-", ""))
            if (before := self._known.get(key)) is not None:
                earlier, earlier_at = _VALUE.unpack(before)
                # Of the earlier one something was sent, or it is the later one.
                if earlier != packed and (earlier_at > at or self._is_sent(_scene_of(earlier))):
                    return
            self._known.put(key, _VALUE.pack(packed, float(at)))

    def _asked(self, names: list[str]) -> dict[str, str | Refused | None]:
        """Ask for names, and for each half of them where one is of no scene: then none of them is answered.

        So it is where an answer has no scene of some: it may have been cut short, and there may be more of others.
        """
        if self._asks is None:
            raise RuntimeError("nobody was said to ask the API.")
        asks = self._asks
        try:
            rows = self._again(lambda: asks.query(names))
        except KognicNotFoundError as error:
            if len(names) == 1:
                return {names[0]: self._unknown(names[0], error)}
        except KognicAnswerError as error:
            # A long answer: of fewer it is shorter.
            if len(names) == 1:
                raise
            logger.debug("%s: asked for fewer", error)
        else:
            self._ever_found = self._ever_found or bool(rows)
            by_name = self._by_name(names, rows)
            if len(names) == 1 or all(by_name.values()):
                return {name: _decided(name, scenes) for name, scenes in by_name.items()}
        half = len(names) // 2
        return {**self._asked(names[:half]), **self._asked(names[half:])}

    @staticmethod
    def _by_name(names: list[str], rows: Sequence[Found]) -> dict[str, dict[str, str | None]]:
        """Return the scenes of each name, with their statuses."""
        by_name: dict[str, dict[str, str | None]] = {name: {} for name in names}
        for row in rows:
            if row.external_id is None:
                raise KognicRowError(
                    "a scene was found by an external id, and the answer does not say by which. Look for a newer"
                    " version of this provider; nothing was sent of it."
                )
            if row.external_id in by_name:
                by_name[row.external_id][row.uuid] = row.status
        return by_name

    def _unknown(self, name: str, error: KognicError) -> Refused:
        if not self._ever_found:
            self._leading += 1
            if self._leading >= _LEADING:
                raise KognicInputError(
                    f"none of the first {self._leading} names is an external id of a scene that these credentials"
                    f" may see, such as {brief(name)}, or the API looks up none: {error}. Check scene_names,"
                    " and 'input_host' of the connection; nothing was sent."
                ) from error
        return Refused(
            Reason.UNKNOWN_SCENE,
            f"{brief(name)} is no external id of any scene that these credentials may see. Check its spelling, or"
            " name the prediction by its scene's uuid.",
        )

    def _again(self, call: Callable[[], Sequence[Found]]) -> Sequence[Found]:
        """Call until there is an answer; it only reads.

        Raises:
            ClosedError: The run ends.
            KognicOutageError: There is none in time.
            KognicError: What it says no with.
        """
        began, attempt, renewed = time.monotonic(), 1, False
        while not self._ended():
            try:
                return call()
            except KognicAnswerError:
                raise
            except KognicStoppedError as error:
                raise ClosedError from error
            except KognicError as error:
                if verdict(error) is Verdict.AGAIN_WITH_NEW_TOKEN and not renewed:
                    renewed = True
                    continue
                if not may_repeat(error, idempotent=True):
                    raise self._said_no(error) from error
                if time.monotonic() - began >= self._patience:
                    raise KognicOutageError(
                        f"the input API was not to be asked for external ids for {self._patience:.0f} s:"
                        f" {sentence(error)}",
                        status=error.status,
                    ) from error
                self._pause(_BACKOFF.delay(attempt, error.retry_after))
                attempt += 1
        raise ClosedError

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._ended():
            time.sleep(min(left, _STEP))

    @staticmethod
    def _said_no(error: KognicError) -> KognicError:
        if isinstance(error, KognicNotFoundError):
            return error
        if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
            return KognicInputError(
                f"'input_host' of the connection does not look up scenes by external ids: {error}"
            )
        return error.with_message(
            f"{sentence(error.message)} Scenes are named by external ids, which need it."
        )


def _decided(name: str, scenes: dict[str, str | None]) -> str | Refused:
    """Return the one scene of a name, or why there is none to be sent to; nothing is guessed."""
    left = [uuid for uuid, status in scenes.items() if not is_invalidated(status)]
    if len(left) == 1:
        return left[0]
    if not left:
        why = "every scene of it is invalidated" if scenes else "the answer has no scene of it"
        return Refused(Reason.UNKNOWN_SCENE, f"{brief(name)} is no external id of a scene to be used: {why}.")
    shown = ", ".join(sorted(left)[:_SHOWN]) + (", …" if len(left) > _SHOWN else "")
    return Refused(
        Reason.AMBIGUOUS_SCENE,
        f"{brief(name)} is the external id of {len(left)} scenes: {shown}. Name the prediction by the uuid of the"
        " one that is meant.",
    )


def _key(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:16]


def _scene_of(packed: bytes) -> str:
    digits = packed.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
