"""A function that yields documents, as a source: it runs while they are sent, and once."""

from __future__ import annotations

import contextvars
import json
import logging
import threading
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.masking import presentable
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.base import Named, as_scenes, refusal
from airflow_provider_kognic.core.sources.bounded import check_size
from airflow_provider_kognic.core.sources.yielded.spool import Spool
from airflow_provider_kognic.core.texts import brief, sentence
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_kognic.core.models import Prediction, Result

logger = logging.getLogger(__name__)

# Seconds between two looks whether somebody asked for the end.
_STEP = 0.2


class YieldedSource:
    """What a function yields: `(scene_uuid, document)`, one after the other.

        not begun --first look--> runs, in a thread of its own --returns--> whole
                  --`run_here`--> runs, in the caller's
                                                               --raises---> broke off: `error` is what it raised
                                                               --`stop`---> broke off, at its next document

    It runs ahead of whoever reads: what it yields goes into a temporary file, and is read from there, in each pass.
    A document is a dict, the bytes or text of its JSON, or a model of pydantic (such as kognic-openlabel's).

    Args:
        function: Returns an iterable; it is called in its thread.
        name: What the function is called, for messages.
        key: Names the source from one try to the next: another one may yield other documents.
        max_bytes: Larger documents are refused.

    Attributes:
        error: What the function raised, or None; what it raises when it is asked to end is logged, and not here.
    """

    def __init__(
        self, function: Callable[[], Any], *, name: str, key: str, max_bytes: int = MOST_DOCUMENT_BYTES
    ) -> None:
        self.key = key
        self.name = name
        self.max_bytes = max_bytes
        self.error: BaseException | None = None
        self._function = function
        self._spool = Spool()
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None
        self._over = False
        self._stopped = False

    def __str__(self) -> str:
        return f"what {self.name}() yields"

    @property
    def total(self) -> int | None:
        """Number of documents, once the function has returned."""
        return len(self._spool) if self._over and not self.broke_off else None

    @property
    def broke_off(self) -> bool:
        """Whether the function did not come to its end: nobody knows what else it would have yielded."""
        return self.error is not None or (self._stopped and not self._over)

    @property
    def nothing(self) -> str:
        """What is there where there is no document, as a sentence."""
        return f"{self.name}() yields nothing."

    def __iter__(self) -> Iterator[Prediction | Result]:
        return as_scenes(self.named())

    def named(self) -> Iterator[Named | Result]:
        """Yield each document by what the function names it, from the first one on."""
        self._begin()
        number = 0
        while self._is_there(number):
            yield self._entry(number)
            number += 1

    def run_here(self) -> None:
        """Run the function now and to its end, in the thread of whoever calls this: for who can have no other.

        Raises:
            BaseException: What is no Exception, such as a time-out of the caller's own, which ends the caller, too.
        """
        with self._news:
            if self._thread is not None:
                return
            self._thread = threading.current_thread()
        self._run()
        if self.error is not None and not isinstance(self.error, Exception):
            raise self.error

    def stop(self) -> None:
        """Ask the function to end: nobody takes what it would yield next."""
        with self._news:
            self._stopped = True
            self._news.notify_all()

    def close(self, patience: float = 1.0) -> None:
        """Ask the function to end, and wait a while for that; let the temporary file go.

        Args:
            patience: Seconds that a generator gets to come to its next `yield`, and through its `finally`.
        """
        self.stop()
        thread = self._thread
        if thread not in {None, threading.current_thread()}:
            thread.join(timeout=patience)
            if thread.is_alive():  # it has the file; both go with the process
                logger.warning(
                    "%s() has not come to its end in %g s; nobody waits for it any longer, so what it would do at"
                    " its end may not be done.",
                    self.name,
                    patience,
                )
                return
        self._spool.close()

    def what_it_raised(self) -> str | None:
        """Say what the function raised, as a sentence; None where it raised nothing."""
        if self.error is None:
            return None
        try:
            text = sentence(self.error)
        except Exception:  # noqa: BLE001 - a text is made by the function's own code, too
            text = "(its text cannot be had.)"
        return f"{self.name}() raised {type(self.error).__name__}: {text}"

    def _begin(self) -> None:
        with self._news:
            if self._thread is None:
                # In the context of whoever asks: what a task has set there is there for its function, too.
                run = partial(contextvars.copy_context().run, self._run)
                self._thread = threading.Thread(target=run, name="kognic-yield", daemon=True)
                self._thread.start()

    def _is_there(self, number: int) -> bool:
        """Wait until there is a document of that number; False if there will be none."""
        with self._news:
            while len(self._spool) <= number:
                if self._over or self._stopped:
                    return False
                self._news.wait(_STEP)
        return True

    def _run(self) -> None:
        try:
            self._take_all()
        except BaseException as error:
            if self._stopped:  # what ended the upload came first
                logger.warning(
                    "%s() failed when it was asked to end.", self.name, exc_info=presentable(error)
                )
            else:  # whoever uploads says what it was, and raises it
                self.error = error
        finally:
            with self._news:
                self._over = self.error is not None or not self._stopped
                self._news.notify_all()

    def _take_all(self) -> None:
        yielded = self._function()
        if not isinstance(yielded, Iterable) or isinstance(yielded, (str, bytes, Mapping)):
            raise KognicInputError(
                f"{self.name}() returned {brief(yielded)}; expected a function that yields (scene_uuid, document)."
            )
        documents = iter(yielded)
        try:
            for one in documents:
                name, content = self._record(one)
                with self._news:
                    self._spool.append(name, content)
                    self._news.notify_all()
                if self._stopped:
                    return
        finally:
            close = getattr(documents, "close", None)
            if close is not None:
                close()

    def _record(self, one: Any) -> tuple[bytes, bytes]:
        """Return what the spool keeps: the scene and its document; or no scene, and why it is refused."""
        scene = ""
        try:
            scene, document = self._pair(one)
            content = _encode(document)
            check_size(len(content), self.max_bytes)
        except Refused as why:
            return b"", json.dumps([scene, why.reason.name, why.message]).encode()
        return b"\x00" + scene.encode("utf-8", "surrogatepass"), content

    def _pair(self, one: Any) -> tuple[str, Any]:
        if not isinstance(one, (tuple, list)) or len(one) != 2:  # noqa: PLR2004 - a pair
            raise Refused(
                Reason.BAD_ROW, f"{self.name}() yielded {brief(one)}; expected (scene_uuid, document)."
            )
        scene, document = one
        if not isinstance(scene, (str, UUID)):
            raise Refused(
                Reason.NOT_A_UUID, f"{self.name}() names a scene by {brief(scene)}; expected its uuid."
            )
        return str(scene), document

    def _entry(self, number: int) -> Named | Result:
        where = f"predictions[{number}]"
        name = self._spool.name(number)
        if not name:
            scene, reason, message = json.loads(self._spool.content(number))
            return refusal(scene, where, Refused(Reason[reason], message))
        read = partial(self._spool.content, number)
        scene = name[1:].decode("utf-8", "surrogatepass")
        return Named(scene, where, read, f"what {self.name}() yields", partial(self._spool.size, number))


def _encode(document: Any) -> bytes:
    if isinstance(document, (bytes, bytearray, memoryview)):
        return bytes(document)
    try:
        if isinstance(document, str):
            return document.encode()
        if hasattr(document, "model_dump_json"):
            return str(document.model_dump_json(exclude_none=True)).encode()
        # Not msgspec, which makes null of NaN.
        return json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Refused(Reason.NOT_JSON, f"cannot be written as JSON: {error}") from None
