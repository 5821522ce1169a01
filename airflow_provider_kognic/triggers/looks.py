"""What the looks of all triggers have in common: a hook, a thread, and how long to wait before the next one."""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from airflow_provider_kognic.core.errors import KognicError
from airflow_provider_kognic.hooks.kognic import KognicHook

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_T = TypeVar("_T")

# Looks under way at a time, in one triggerer.
_MOST_AT_A_TIME = 32
# After looks in vain it is waited so many times the interval, and so many seconds, at most.
_MOST_TIMES = 10.0
_MOST = 60.0
# Seconds to which a server's `Retry-After` is honoured.
_MOST_ASKED = 600.0
# After so many looks in vain the connection is read again: what is wrong may be its host.
_ANEW_AFTER = 2


def pause(interval: float, in_vain: int, retry_after: float | None) -> float:
    """Return the seconds until the next look.

    Args:
        interval: Those between two looks.
        in_vain: How many looks have been in vain, one after the other.
        retry_after: The seconds that the server asked to wait, or None.
    """
    if not in_vain:
        return interval
    backed_off = min(interval * 2.0 ** min(in_vain - 1, 16), interval * _MOST_TIMES, _MOST)
    return max(interval, backed_off, min(retry_after or 0.0, _MOST_ASKED))


async def hook_for(
    hook: KognicHook | None, kognic_conn_id: str, stopping: Callable[[], bool], *, in_vain: int
) -> KognicHook:
    """Return a connection's hook: one for many looks, so that they share a token.

    Args:
        hook: The one of the look before, or None.
        kognic_conn_id: The connection.
        stopping: Tells whether a look that is under way is to end.
        in_vain: How many looks have been in vain, one after the other.

    Raises:
        KognicError: The connection is unknown or cannot be used.
        Exception: As Airflow does where it cannot be asked, and there is no hook.
    """
    if hook is not None and in_vain < _ANEW_AFTER:
        return hook
    try:
        return await KognicHook.from_connection_id(kognic_conn_id, stopping=stopping, first=False)
    except KognicError:
        raise
    except Exception:
        if hook is None:
            raise
        return hook


async def in_thread(what: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Do something that takes a while in a thread of the looks' own: what a silent server holds up is theirs alone.

    The event loop's own threads are few, and it resolves all names in them.
    """
    call = partial(contextvars.copy_context().run, what, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_threads(), call)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_MOST_AT_A_TIME, thread_name_prefix="kognic-look")
