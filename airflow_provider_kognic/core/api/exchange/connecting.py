"""A socket to a host that may have several addresses: the first of them that answers."""

from __future__ import annotations

import asyncio
import socket
from itertools import chain, zip_longest
from typing import Any

from airflow_provider_kognic.core.api.exchange.background import in_daemon_thread

# Seconds that an address has for itself before the next one is tried beside it, as RFC 8305 advises.
_HEAD_START = 0.25

_Address = tuple[Any, ...]
"""A row of `socket.getaddrinfo`."""


async def connect(host: str, port: int) -> socket.socket:
    """Return a connected socket; whatever else was opened for it is closed, also where this is cancelled.

    Args:
        host: A name or an address.
        port: The port.

    Raises:
        socket.gaierror: The name has no address.
        OSError: No address of it can be reached; the error of the first one.
    """
    addresses = _taking_turns(await _addresses(host, port))
    if len(addresses) == 1:
        return await _connect_to(addresses[0])
    return await _first_of(addresses)


async def _addresses(host: str, port: int) -> list[_Address]:
    try:  # nobody has to be asked
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        # A resolver may hang for longer than anybody waits for it.
        return await in_daemon_thread(
            lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), "kognic-dns"
        )


def _taking_turns(addresses: list[_Address]) -> list[_Address]:
    """Return addresses so that IPv6 and IPv4 take turns; else in their order."""
    first = [address for address in addresses if address[0] == addresses[0][0]]
    others = [address for address in addresses if address[0] != addresses[0][0]]
    return [address for address in chain(*zip_longest(first, others)) if address is not None]


async def _connect_to(address: _Address) -> socket.socket:
    family, kind, protocol, _, where = address
    made = socket.socket(family, kind, protocol)
    try:
        made.setblocking(False)  # noqa: FBT003 - as it is spelled
        await asyncio.get_running_loop().sock_connect(made, where)
    except BaseException:
        made.close()
        raise
    return made


async def _first_of(addresses: list[_Address]) -> socket.socket:
    """Try one after the other, each a moment after the last one or as soon as that has failed."""
    tries: list[asyncio.Task[socket.socket]] = []
    try:
        left = iter(addresses)
        while True:
            running = [one for one in tries if not one.done()]
            if (address := next(left, None)) is not None:
                running.append(asyncio.create_task(_connect_to(address)))
                tries.append(running[-1])
            elif not running:
                return tries[0].result()  # raises: none was reached
            await asyncio.wait(
                running,
                timeout=_HEAD_START if address is not None else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for one in tries:
                if one.done() and one.exception() is None:
                    tries.remove(one)
                    return one.result()
    finally:
        for one in tries:
            one.cancel()
            one.add_done_callback(_close)


def _close(late: asyncio.Task[socket.socket]) -> None:
    if not late.cancelled() and late.exception() is None:
        late.result().close()
