"""What was intended and what came of it, remembered from one attempt to the next.

A prediction is a POST without a key, so only a memory of our own can tell whether it was sent. The rule: the intent
is durable before the POST leaves, the outcome follows soon after the answer. Whoever comes next finds

    intended                the attempt died between the two: in doubt
    created, refused        known
    in doubt                the answer was lost: in doubt
    unsent                  the intent was withdrawn: certainly not executed

`Journal` is that memory for one predictions group of one host: a ledger in memory, and a `Log` that keeps its
lines. Where they are kept is the log's matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicError, KognicJournalError, KognicJournalFormatError
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_provider_kognic.core.journal.log import Log
    from airflow_provider_kognic.core.models import Result

FORMAT_VERSION = 1
# So many predictions may be intended and not yet have a durable outcome: a kill leaves no more than these in doubt.
MOST_OPEN_INTENTS = 64
# Characters of a digest that are kept: half of a SHA-256 still tells two documents apart.
DIGEST_KEPT = 32
_LONGEST_MESSAGE = 300
_KEY_LENGTH = 16
# Fields of the line of a created prediction that was sent once.
_WITHOUT_RESENT = 3


@dataclass(frozen=True)
class Header:
    """The first thing in every part of a log: which journal it belongs to.

    Attributes:
        host: The dataset API, as `Settings.host` names it.
        predictions_group_uuid: The group.
        writer: Who wrote it, for people: a task's try, a machine.
    """

    host: str
    predictions_group_uuid: str
    writer: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as the JSON object that starts a part."""
        return {
            "format": "kognic-journal",
            "version": FORMAT_VERSION,
            "host": self.host,
            "predictions_group_uuid": self.predictions_group_uuid,
            "writer": self.writer,
        }

    def check(self, found: object, where: str) -> None:
        """Check the header of a part that was found.

        Args:
            found: The parsed JSON.
            where: The part, for the message.

        Raises:
            KognicJournalFormatError: It is none, of an unknown version, or of another host or group.
        """
        if not isinstance(found, dict) or found.get("format") != "kognic-journal":
            raise KognicJournalFormatError(
                f"{where} is no part of a journal of this provider. Give the journal a place of its own; nothing"
                " was sent."
            )
        if found.get("version") != FORMAT_VERSION:
            raise KognicJournalFormatError(
                f"{where} has the format version {found.get('version')!r}, and this version of the provider knows"
                f" {FORMAT_VERSION}. Use the version that wrote it, or newer; nothing was sent."
            )
        for name in ("host", "predictions_group_uuid"):
            if found.get(name) != getattr(self, name):
                raise KognicJournalFormatError(
                    f"{where} is of another {'host' if name == 'host' else 'predictions group'}:"
                    f" {found.get(name)!r}, not {getattr(self, name)!r}. Somebody moved it; nothing was sent."
                )


class State(Enum):
    """What the journal knows of a prediction."""

    INTENDED = b"i"
    CREATED = b"c"
    REFUSED = b"r"
    IN_DOUBT = b"d"
    UNSENT = b"u"


@dataclass(frozen=True)
class Entry:
    """What the journal knows of one scene.

    Attributes:
        state: Its state.
        digest: First 32 hexadecimal digits of the SHA-256 of the document that was intended last.
        prediction_uuid: The uuid, for `CREATED`.
        at: When it was intended, or for `IN_DOUBT` when its answer was given up (s since the epoch).
        covered: Whether a baseline had been taken when it was intended: then `Journal.before` is complete.
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
        return self.state in {State.INTENDED, State.IN_DOUBT}


@dataclass
class _Batch:
    """Lines that wait to be written, with whoever waits for them."""

    lines: list[bytes] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)


class Journal:
    """The memory of uploads into one predictions group of one host.

    Used from one event loop, but `entry` may be called in any thread.

    Args:
        log: Keeps the lines; None for a memory that ends with the process.
        upload: Names this upload across its attempts (a task of a run, say); None if each attempt is its own.
        force: Forget what earlier uploads left about each scene that this one comes across. What an earlier attempt
            of the same `upload` did under `force` is not forgotten, or a retry would send it twice.

    Attributes:
        enough: So many intents that wait do not wait for the log's `pace`.
    """

    def __init__(self, log: Log | None = None, *, upload: str | None = None, force: bool = False) -> None:
        self.remembers = log is not None
        self._log = log
        self._upload = (upload or uuid.uuid4().hex) + (" forced" if force else "")
        self._force = force
        # scene -> packed entry; 16 and 43 bytes instead of objects, as there may be many.
        self._index: dict[bytes, bytes] = {}
        self._before: dict[bytes, frozenset[str]] = {}
        # What baselines held of scenes in doubt: by upload, as it counts for one that begins the scene anew.
        self._held: dict[bytes, tuple[str, frozenset[str]]] = {}
        # What was created before a newer document was intended that is not settled yet.
        self._superseded: dict[bytes, bytes] = {}
        # What was in doubt already when it was intended once more: that intent may be withdrawn, the doubt not.
        self._doubted: dict[bytes, bytes] = {}
        self._begun_anew: set[bytes] = set()
        self._baseline_taken = False
        # Scenes that were intended and have no durable outcome yet, each with the number of its last intent.
        self._open: dict[bytes, int] = {}
        self._intents = 0
        self._room = asyncio.Semaphore(MOST_OPEN_INTENTS)
        self._pending = _Batch()
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._waiting_intents = 0
        self.enough = 1
        self._writer: asyncio.Task[None] | None = None
        self._failed: KognicError | None = None
        self._closed = False
        self._thread: ThreadPoolExecutor | None = None
        self.on_failure: Callable[[KognicError], None] | None = None

    async def open(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Take possession of the log and read it.

        Args:
            stopping: See `Log.open`.

        Raises:
            KognicJournalError: It cannot be read, which never means that nothing was sent.
            KognicStoppedError: `stopping` said so.
        """
        if self._log is None:
            return
        # A thread of its own, which nobody has to wait for: a store may hang.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kognic-journal")
        given_up = threading.Event()
        try:
            await self._call(self._open_and_read, self._log, lambda: given_up.is_set() or stopping())
        except BaseException:
            # When cancelled, the thread goes on for a moment: what it may still open is closed after that.
            given_up.set()
            self._thread.submit(self._log.close)
            self._thread.shutdown(wait=False)
            self._thread = None
            raise
        self._writer = asyncio.create_task(self._write())

    def _open_and_read(self, log: Log, stopping: Callable[[], bool]) -> None:
        log.open(stopping)
        try:
            for number, line in enumerate(log.read(), start=1):
                try:
                    self._apply(_decode(line))
                except (TypeError, ValueError, IndexError, KeyError, RecursionError) as error:
                    where = getattr(log, "where", None)
                    place = f"line {number} of the journal" if where is None else where()
                    raise KognicJournalFormatError(
                        f"{place} cannot be understood ({error}): {line[:80]!r}. Restore the journal, or move it"
                        " away and settle by hand what it knew; nothing was sent."
                    ) from error
        except BaseException:
            with contextlib.suppress(Exception):
                log.close()
            raise

    async def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
        except KognicError:
            raise
        except Exception as error:  # stores raise errors of many libraries
            raise KognicJournalError(
                f"the journal cannot be used: {type(error).__name__}: {error}"
            ) from error

    # Asking

    @property
    def begun_anew(self) -> int:
        """Number of scenes that this upload has begun anew under `force`."""
        return len(self._begun_anew)

    @property
    def size(self) -> int:
        """Number of scenes that it knows."""
        return len(self._index)

    def entry(self, scene_uuid: str) -> Entry | None:
        """Return what is known of a scene, or None; under `force` only what this upload itself did."""
        key = _key(scene_uuid)
        packed = self._index.get(key)
        if packed is None or (self._force and key not in self._begun_anew):
            return None
        return _unpack(packed)

    def before(self, scene_uuid: str) -> frozenset[str]:
        """Return the scene's predictions that were there before its first POST, or came of earlier documents."""
        return self._before.get(_key(scene_uuid), frozenset())

    def created(self) -> set[bytes]:
        """Return the uuids (16 bytes each) of all predictions that are known to be created.

        Under `force` only of those that this upload created: the others may have been removed by hand.
        """
        return {packed[_UUID] for packed in self._known() if packed[:1] == State.CREATED.value}

    def _known(self) -> Iterable[bytes]:
        if self._force:
            return (self._index[key] for key in self._begun_anew if key in self._index)
        return self._index.values()

    @property
    def baseline_taken(self) -> bool:
        """Whether this upload has noted what the group held before its first POST."""
        return self._baseline_taken

    # Telling

    async def take_baseline(self, found: Mapping[str, Sequence[str]]) -> None:
        """Note what the group holds before this upload's first POST; durable when it returns.

        Args:
            found: Uuids of predictions, by scene: of the scenes of this upload only.
        """
        rows: list[list[Any]] = [
            ["b", _hex(scene), [_hex(one) for one in uuids], self._upload] for scene, uuids in found.items()
        ]
        await self._note([*rows, ["B", self._upload]])

    async def intend(self, scene_uuid: str, digest: str) -> None:
        """Note that a prediction is about to be sent; durable when it returns.

        Args:
            scene_uuid: Its scene.
            digest: SHA-256 of its document, in hexadecimal digits.

        Raises:
            KognicJournalError: It could not be noted: it must not be sent.
            asyncio.CancelledError: Likewise; the intent is withdrawn.
        """
        key = _key(scene_uuid)
        if self._log is not None and key not in self._open:
            await self._room.acquire()
        self._intents += 1
        number = self._intents
        if self._log is not None:
            self._open[key] = number
        rows: list[list[Any]] = []
        if self._force and key not in self._begun_anew:
            rows.append(["f", _hex(scene_uuid), self._upload])
        self._waiting_intents += 1
        if self._waiting_intents >= self.enough:
            self._hurry.set()
        covered = int(self._baseline_taken)
        rows.append(["i", _hex(scene_uuid), digest[:DIGEST_KEPT], round(time.time(), 3), covered])
        try:
            await self._note(rows)
        except asyncio.CancelledError:
            withdrawn = self._note([["u", _hex(scene_uuid)]])
            withdrawn.add_done_callback(lambda _: self._release(key, number))
            raise
        except KognicError:
            self._apply(["u", _hex(scene_uuid)])  # whatever the log has of it: it is not sent
            self._release(key, number)  # or others would wait for its place for ever
            raise

    def record(self, result: Result) -> None:
        """Note what became of a prediction that was intended; durable soon, and when `flush` has returned.

        A failure is told to `on_failure`: what the server answered stays true all the same.
        """
        key = _key(result.scene_uuid)
        number = self._open.get(key)
        durable = self._note([_outcome(result)])
        if number is not None:
            durable.add_done_callback(lambda _: self._release(key, number))

    async def flush(self) -> None:
        """Wait until everything that was noted is durable; raises KognicJournalError if it cannot be."""
        if self._log is not None:
            self._hurry.set()
            await self._append([])

    async def close(self) -> None:
        """Give the log back; what was noted before is durable then, unless writing has failed."""
        if self._thread is None or self._log is None:
            return
        self._closed = True
        self._hurry.set()
        self._wake.set()
        if self._writer is not None:
            await self._writer
            self._writer = None
        try:
            await self._call(self._log.close)
        finally:
            if self._thread is not None:  # unless it was abandoned meanwhile
                self._thread.shutdown(wait=False, cancel_futures=True)
                self._thread = None

    def abandon(self) -> None:
        """Give the log back without waiting for anything, if it was not closed."""
        if self._writer is not None:
            self._writer.cancel()
            self._writer = None
        if self._thread is not None and self._log is not None:
            self._thread.submit(self._log.close)
            self._thread.shutdown(wait=False)
            self._thread = None

    def _release(self, key: bytes, number: int) -> None:
        """Give an intent's place back, unless its scene has been intended again meanwhile."""
        if self._open.get(key) == number:
            del self._open[key]
            self._room.release()

    def _note(self, rows: list[list[Any]]) -> asyncio.Future[None]:
        lines = [_encode(row) for row in rows]
        for row in rows:
            self._apply(row)
        return self._append(lines)

    def _append(self, lines: list[bytes]) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_retrieve)
        if self._failed is not None:
            future.set_exception(self._failed)
        elif self._log is None:
            future.set_result(None)
        elif self._writer is None or self._closed:
            future.set_exception(KognicJournalError("the journal is not open."))
        else:
            self._pending.lines += lines
            self._pending.waiting.append(future)
            self._wake.set()
        return future

    async def _write(self) -> None:
        """Write what waits, all of it at a time: while one batch is on its way the next one gathers."""
        log: Any = self._log
        pace = float(getattr(log, "pace", 0.0))
        while True:
            await self._wake.wait()
            began = time.monotonic()
            self._wake.clear()
            self._hurry.clear()
            self._waiting_intents = 0
            batch, self._pending = self._pending, _Batch()
            try:
                if batch.lines:
                    await self._call(log.append, batch.lines)
            except KognicError as error:
                self._fail(error, batch)
                return
            for future in batch.waiting:
                if not future.done():
                    future.set_result(None)
            if self._closed and not self._pending.waiting:
                return
            if (rest := began + pace - time.monotonic()) > 0 and not self._closed:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._hurry.wait(), rest)

    def _fail(self, error: KognicError, batch: _Batch) -> None:
        self._failed = error
        for future in (*batch.waiting, *self._pending.waiting):
            if not future.done():
                future.set_exception(error)
        self._pending = _Batch()
        if self.on_failure is not None:
            self.on_failure(error)

    # The meaning of lines

    def _apply(self, row: Sequence[Any]) -> None:
        """Bring the index up to a line."""
        kind = row[0]
        if kind == "B":
            self._baseline_taken = self._baseline_taken or row[1] == self._upload
            return
        key = _digits(row[1])
        packed = self._index.get(key)
        if kind == "b":
            self._apply_baseline(key, packed, row)
        elif kind == "f":
            self._apply_force(key, packed, row[2])
        elif kind == "i":
            self._supersede(key, packed)
            if packed is not None and _unpack(packed).in_doubt:
                self._doubted[key] = packed
            self._index[key] = _pack(State.INTENDED, row[2], None, float(row[3]), covered=bool(row[4]))
        elif kind == "u" and key in self._doubted:
            self._index[key] = self._doubted.pop(key)
        elif kind in {"u", "r"} and key in self._superseded:
            # The newer document was not executed, and the older one still is.
            self._index[key] = self._superseded.pop(key)
            self._doubted.pop(key, None)
        else:
            before = None if packed is None else _unpack(packed)
            state = State(kind.encode("ascii"))
            made = _digits(row[2]).hex() if state is State.CREATED else None
            at = float(row[2]) if state is State.IN_DOUBT else 0.0
            digest, covered = ("", False) if before is None else (before.digest, before.covered)
            resent = state is State.CREATED and len(row) > _WITHOUT_RESENT and bool(row[_WITHOUT_RESENT])
            self._index[key] = _pack(state, digest, made, at, covered=covered, resent=resent)
            self._doubted.pop(key, None)
            if state is State.CREATED:
                self._superseded.pop(key, None)

    def _apply_baseline(self, key: bytes, packed: bytes | None, row: Sequence[Any]) -> None:
        found = frozenset(_dashed(_digits(one).hex()) for one in row[2])
        # What a scene in doubt has by now may have come of its own POST; for an upload that begins the scene anew
        # that POST is forgotten.
        if packed is None or not _unpack(packed).in_doubt:
            self._add_before(key, found)
        else:
            self._held[key] = (row[3], found)

    def _apply_force(self, key: bytes, packed: bytes | None, upload: str) -> None:
        self._supersede(key, packed)
        holder, found = self._held.pop(key, ("", frozenset()))
        if holder == upload:
            self._add_before(key, found)
        self._index.pop(key, None)
        self._superseded.pop(key, None)
        self._doubted.pop(key, None)
        if upload == self._upload:
            self._begun_anew.add(key)

    def _supersede(self, key: bytes, packed: bytes | None) -> None:
        """Remember what an earlier document of the scene became: it is never what came of the next one."""
        if packed is not None and packed[:1] == State.CREATED.value:
            self._superseded[key] = packed
            self._add_before(key, [str(_unpack(packed).prediction_uuid)])

    def _add_before(self, key: bytes, uuids: Iterable[str]) -> None:
        self._before[key] = self._before.get(key, frozenset()) | frozenset(uuids)


_PACKED = struct.Struct(">c16s16sd??")
_UUID = slice(17, 33)


def _pack(
    state: State,
    digest: str,
    prediction_uuid: str | None,
    at: float,
    *,
    covered: bool,
    resent: bool = False,
) -> bytes:
    made = bytes(16) if prediction_uuid is None else _digits(prediction_uuid)
    return _PACKED.pack(state.value, _digits(digest) if digest else bytes(16), made, at, covered, resent)


def _unpack(packed: bytes) -> Entry:
    state, digest, made, at, covered, resent = _PACKED.unpack(packed)
    known = State(state)
    created = _dashed(made.hex()) if known is State.CREATED else None
    return Entry(known, digest.hex(), created, at, covered, resent)


def _outcome(result: Result) -> list[Any]:
    scene, said = _hex(result.scene_uuid), (result.message or "")[:_LONGEST_MESSAGE]
    if result.outcome in {Outcome.CREATED, Outcome.SKIPPED}:
        created = ["c", scene, _hex(str(result.prediction_uuid))]
        return [*created, 1] if result.reason == Reason.RESENT else created
    if result.outcome is Outcome.REFUSED:
        return ["r", scene, result.status, said]
    if result.outcome is Outcome.UNSENT:
        return ["u", scene]
    return ["d", scene, round(time.time(), 3), result.status, said]


def _encode(row: list[Any]) -> bytes:
    return json.dumps(row, separators=(",", ":")).encode("ascii")


def _decode(line: bytes) -> list[Any]:
    row = json.loads(line)
    if not isinstance(row, list) or not row or not isinstance(row[0], str):
        raise TypeError("not a row")
    return row


def _hex(text: str) -> str:
    return text.replace("-", "")


def _key(scene_uuid: str) -> bytes:
    return bytes.fromhex(_hex(scene_uuid))


def _digits(text: str) -> bytes:
    """Return the 16 bytes of a uuid or of half a SHA-256."""
    found = bytes.fromhex(text)
    if len(found) != _KEY_LENGTH:
        raise ValueError(f"{text!r} is not {2 * _KEY_LENGTH} hexadecimal digits")
    return found


def _dashed(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _retrieve(future: asyncio.Future[None]) -> None:
    """Look at the exception, so that asyncio does not complain where nobody awaits the future."""
    if not future.cancelled():
        future.exception()
