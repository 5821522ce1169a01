"""A lease keeps overlapping attempts apart: of all that want it, one at a time has the journal.

It is a row of small files beside the journal's parts, numbered, each made only if it is not there yet. Whoever
makes the next number has the lease, and rewrites its file every few seconds as a sign of life. Who comes second
waits, and makes the next number when the holder gave it back, is a dead process of this machine, or showed no
sign of life for `ttl`. No clock of one machine is compared with another's.

A holder that was only asleep must not go on: before and after each line that it writes it looks whether its number
is still the last one. After, because then either it sees that it was superseded, or the other one, which reads
after making its number, sees the line; whatever the clocks, and wherever the holder fell asleep.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import threading
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.errors import KognicJournalError, KognicStoppedError
from airflow_provider_kognic.core.journal import holder
from airflow_provider_kognic.core.journal.store import Store, journal_error
from airflow_provider_kognic.core.stores.troubles import is_outage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_kognic.core.files import StoredPath

logger = logging.getLogger(__name__)

TTL = 30.0
_POLL = 1.0
_STEP = 0.1
_SAY_EVERY = 30.0
# Of the time-out: how often a lease is renewed, how soon again where that failed, and when it counts as lost.
_RENEW, _RENEW_AGAIN, _LOST = 1 / 6, 1 / 30, 2 / 3
# What libraries say of a way of opening files that they do not have.
_UNSUPPORTED = (ValueError, NotImplementedError, TypeError)


def _clock() -> float:
    """Return seconds that also pass while the machine sleeps, where the system tells."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


def key_of(text: str) -> str:
    """Return the key of a lease: what its files' names begin with."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Lease:
    """The right to append to a journal, for one source or one upload.

    Args:
        folder: Where the lease's files are.
        key: Of two attempts with the same one only one holds the lease; see `key_of`, `leases.row_of`.
        facts: Who holds it; see `holder.introduce`.
        ttl: Seconds without a sign of life after which the lease is taken over.
        shared: What two attempts that want it have in common, for people who wait.
        store: How the files are reached; as they are if None.

    Attributes:
        exclusive: Whether attempts are kept apart: not where the store cannot create a file exclusively. Known
            once the lease is acquired.
    """

    def __init__(
        self,
        folder: StoredPath,
        key: str,
        facts: Mapping[str, Any],
        *,
        ttl: float = TTL,
        shared: str = "",
        store: Store | None = None,
    ) -> None:
        self.exclusive = False
        self._folder = folder
        self._store = store or Store(folder)
        self._key = key
        self._names = re.compile(rf"{re.escape(key)}-(\d{{6,}})\.lease")
        self._ttl = ttl
        self._facts = dict(facts)
        self._shared = shared
        self._number = 0
        self._times = 0
        self._renewed_at = 0.0
        self._lost: str | None = None
        self._trouble: Exception | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def acquire(self, stopping: Callable[[], bool], then: Callable[[], None] | None = None) -> None:
        """Wait for the lease and take it.

        Args:
            stopping: Tells whether waiting has become pointless.
            then: Done as soon as it is had, before the files of earlier holders are removed; if that fails, release
                it.

        Raises:
            KognicStoppedError: `stopping` said so.
            KognicJournalError: The store cannot be used.
        """
        seen, since, said = None, _clock(), -_SAY_EVERY
        while True:
            number, content = self._store.again(self._last_file, "read")
            now = _clock()
            if content is not None and not holder.is_free(content):
                if (number, content) != seen:
                    seen, since = (number, content), now
                if now - since < self._ttl:
                    if now - said >= _SAY_EVERY:
                        said = now
                        logger.warning(
                            "Another attempt has the journal; waiting. %s %s",
                            holder.describe(content),
                            self._shared,
                        )
                    self._pause(stopping)
                    continue
                logger.warning(
                    "Another attempt had the journal and gave no sign of life for %g s: taking over. %s",
                    self._ttl,
                    holder.describe(content),
                )
            if stopping():
                raise stopped()
            if self._take(number + 1):
                break
        if self.exclusive:
            if then is not None:
                then()
            self._tidy()

    def overtaken(self) -> list[bytes]:
        """Return the files of earlier holders that neither gave it back nor are certainly dead."""
        found = self._store.again(
            lambda: [self._read(number) for number in self._numbers() if number < self._number], "read"
        )
        return [content for content in found if content is not None and not holder.is_free(content)]

    def oust(self, former: bytes) -> None:
        """Take it from a holder, if that one has it, and give it back.

        Args:
            former: The file of another lease of that holder, which was taken over.

        Raises:
            KognicJournalError: The store cannot be used.
        """
        while True:
            number, content = self._store.again(self._last_file, "read")
            if content is None or holder.is_free(content) or not holder.is_same(content, former):
                return
            if self._take(number + 1):
                self.release()
                return

    @property
    def lost(self) -> str | None:
        """Why it cannot be told to be held any more, as far as is known without asking the store; or None."""
        if not self.exclusive or self._ended.is_set():
            return None
        return self._lost or self._too_old()

    def check(self, *, thoroughly: bool = True) -> None:
        """Check that nobody else has taken the lease.

        Args:
            thoroughly: Ask the store, too, and not only the clock.

        Raises:
            KognicJournalError: Somebody has, or may have, or that cannot be told.
        """

        def look() -> None:
            with self._lock:  # not from one try to the next: meanwhile it has to be renewed
                self._look(thoroughly=thoroughly)

        if self.exclusive:
            self._store.again(look, "read")

    def release(self) -> None:
        """Give the lease back, so that the next one need not wait; never raises."""
        self._ended.set()
        if self.exclusive:
            with contextlib.suppress(Exception):  # then the next attempt waits for the time-out
                self._store.again(self._give_back, "written")

    def _give_back(self) -> None:
        with self._lock:
            self._look()
            self._write(released=True)
            self._lost = "it was given back"

    # Taking it

    def _path(self, number: int) -> Any:
        return self._folder / f"{self._key}-{number:06d}.lease"

    def _numbers(self) -> list[int]:
        found = (self._names.fullmatch(name) for name in self._store.names(self._folder))
        return sorted(int(match[1]) for match in found if match)

    def _is_next(self) -> bool:
        """Tell whether the number that was made follows the one that was looked at, and nobody has gone past it."""
        # Retention removes all that are of no use any more: after that the numbers begin anew.
        numbers = self._numbers()
        return numbers[-1:] == [self._number] and (self._number == 1 or self._number - 1 in numbers)

    def _last_file(self) -> tuple[int, bytes | None]:
        return (number := max(self._numbers(), default=0)), self._read(number)

    def _read(self, number: int) -> bytes | None:
        try:
            return self._store.read_small(self._path(number)) if number else None
        except FileNotFoundError:
            return None

    def _take(self, number: int) -> bool:
        """Try to make a number; tells whether the lease is held then, or cannot be."""
        path = self._path(number)
        began = _clock()
        content = self._content(released=False)
        try:
            if not self._store.again(lambda: _make(self._store, path, content), "written"):
                return False
        except _UNSUPPORTED as error:
            return self._go_without(error)
        except Exception as error:
            raise journal_error(error, self._folder, "written") from error
        self._number, self._renewed_at = number, began
        try:
            return self._judge_what_was_made(path, content)
        except BaseException:
            with contextlib.suppress(Exception):  # then the next attempt waits for the time-out
                self._write(released=True)
            raise

    def _judge_what_was_made(self, path: Any, content: bytes) -> bool:
        """Tell whether a number that was made is a lease, or none is to be had here."""
        if not self._store.again(lambda: _is_exclusive(self._store, path, content), "written"):
            self._store.again(lambda: self._store.remove(path), "written")
            return self._go_without(None)
        if not self._store.again(self._is_next, "read"):
            self._store.again(lambda: self._store.remove(path), "written")
            return False
        # Some stores look whether a file is there, and then make it all the same.
        if self._store.again(lambda: self._store.read(path), "read") != content:
            return False
        if self._too_old():
            # A silent store took all the time. Whoever makes the next number knows that nobody came between.
            return self._take(self._number + 1)
        self.exclusive = True
        threading.Thread(target=self._renew, name="kognic-lease", daemon=True).start()
        return True

    def _go_without(self, error: Exception | None) -> bool:
        why = "" if error is None else f" ({type(error).__name__}: {error})"
        logger.warning(
            "The store of %s cannot create a file only if it is not there%s: attempts that overlap are not kept"
            " apart there. Do not run two uploads of the same predictions at the same time.",
            self._folder,
            why,
        )
        return True

    def _tidy(self) -> None:
        """Remove files that nobody looks at any more; oldest first, or a sleeper may miss its successor."""
        with contextlib.suppress(Exception):  # they do no harm
            for number in self._numbers():
                content = self._read(number)
                if number >= self._number:
                    return
                if content is not None and not (holder.is_free(content) or holder.is_ancient(content)):
                    return
                self._store.remove(self._path(number))

    # Keeping it

    def _content(self, *, released: bool) -> bytes:
        return holder.encode(self._facts, renewed=self._times, released=released)

    def _renew(self) -> None:
        pause = _RENEW
        while not self._ended.wait(self._ttl * pause):
            with self._lock:
                if self._ended.is_set():
                    return
                began = _clock()
                try:
                    self._look()
                    self._write(released=False)
                    self._look_at_the_clock()
                except Exception as error:  # noqa: BLE001 - of any library; what to do about it is the clock's to say
                    if self._lost is not None:
                        return
                    logger.debug("The journal's lease could not be renewed: %r", error)
                    self._trouble, pause = error, _RENEW_AGAIN
                else:
                    self._renewed_at, self._trouble, pause = began, None, _RENEW

    def _write(self, *, released: bool) -> None:
        self._times += 1
        path, content = self._path(self._number), self._content(released=released)
        if not files.is_local(path):
            self._store.write(path, content)
            return
        # In place: a file that somebody removed must not come back.
        with path.open("r+b", buffering=0) as file:
            file.write(content)

    def _look(self, *, thoroughly: bool = True) -> None:
        """Look whether the lease is still held; once lost it stays so."""
        if self._lost is None:
            self._look_at_the_clock()
        if self._lost is None and thoroughly:
            if self._read(self._number + 1) is not None:
                self._lost = "another attempt has taken over"
            else:
                # The successor may be gone by now; but then its predecessor was removed first.
                content = self._read(self._number)
                if content is None or not holder.is_held_by(content, self._facts):
                    self._lost = "its lease is gone: another attempt has taken over, or somebody removed it"
                else:
                    self._look_at_the_clock()  # the store may have taken its time
        if self._lost is not None:
            raise KognicJournalError(not_held(self._folder, self._lost))

    def _look_at_the_clock(self) -> None:
        self._lost = self._too_old()

    def _too_old(self) -> str | None:
        """Say why another attempt may take it by now; None where it was renewed not long ago."""
        silent, error = _clock() - self._renewed_at, self._trouble
        if silent <= self._ttl * _LOST:
            return None
        why = "" if error is None else f" ({type(error).__name__}: {error})"
        return f"its lease could not be renewed for {silent:.0f} s{why}, so that another may take over"

    def _pause(self, stopping: Callable[[], bool]) -> None:
        until = _clock() + min(_POLL, self._ttl / 10)
        while not stopping():
            if _clock() >= until:
                return
            time.sleep(min(_STEP, self._ttl / 10))
        raise stopped()


def _make(store: Store, path: Any, content: bytes) -> bool:
    """Make a lease's file; tells whether it is ours then: also where an earlier try made it and was not told so."""
    try:
        store.create(path, content)
    except _UNSUPPORTED:
        raise
    except Exception as error:
        # FileExistsError, or the same in words of its own.
        try:
            return store.read(path) == content
        except FileNotFoundError:
            if isinstance(error, FileExistsError):
                return False
        raise
    return True


def _is_exclusive(store: Store, path: Any, content: bytes) -> bool:
    """Try out whether the store refuses to make a file that is there; what its library claims counts little."""
    try:
        store.create(path, content)
    except FileExistsError:
        return True
    except Exception as error:
        if is_outage(error):
            raise  # that says nothing of what it can do
        store.read(path)  # in whatever words; unless it is not to be reached, which this says
    return False


def not_held(folder: StoredPath, why: str) -> str:
    """Say that an attempt has lost its lease, and what follows."""
    return (
        f"this attempt may not write to the journal in {folder} any more: {why}. Nothing more is sent; a retry goes"
        " on where the journal ends."
    )


def stopped() -> KognicStoppedError:
    """Return the error of an upload that was asked to stop before it had the journal."""
    return KognicStoppedError(
        "the upload was asked to stop while it waited for the journal; nothing was sent."
    )
