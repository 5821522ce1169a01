"""Calls whose results are gone through one after the other, and which take their time side by side."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

T = TypeVar("T")


def ahead(calls: Iterable[Callable[[], T]], most: int) -> Generator[T, None, None]:
    """Yield what calls return, in their order; the next ones are made meanwhile, in threads.

    Nobody waits for those that are on their way when the iterator is closed, or one of them raises.

    Args:
        calls: They must not mind being made at the same time, nor in vain.
        most: So many are made ahead.

    Raises:
        Exception: As the call does whose turn it is.
    """
    begun: deque[Future[T]] = deque()
    threads = ThreadPoolExecutor(most, thread_name_prefix="kognic-ahead")
    try:
        for call in calls:
            begun.append(threads.submit(call))
            if len(begun) > most:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
