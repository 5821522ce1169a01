"""Requests as bytes, for what no client sends."""

import contextlib
import json
import re
import socket
from collections.abc import Iterator

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.patience import PATIENCE, wait_for

from .conftest import openlabel


@contextlib.contextmanager
def connected(emulator: Emulator, timeout: float = PATIENCE) -> Iterator[socket.socket]:
    """A connection to the emulator."""
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=timeout) as connection:
        yield connection


def head(request: str, *headers: str, host: str | None = "localhost") -> bytes:
    """The head of a request."""
    lines = [f"{request} HTTP/1.1", *([] if host is None else [f"Host: {host}"]), *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


@contextlib.contextmanager
def posted(emulator: Emulator, group: str, fault: str | None = None) -> Iterator[socket.socket]:
    """A connection on which a prediction was just posted, and has met a fault if one is named.

    Whoever leaves the block leaves the connection: after the emulator has taken the request, never before.
    """
    body = json.dumps({"sceneUuid": demo.scene_uuid(0), "openlabelContent": openlabel()}).encode()
    path = f"POST /v1/predictions-groups/{group}/predictions"
    token = f"Authorization: Bearer {emulator.token()}"
    before = 0 if fault is None else emulator.stats()["faults"].get(fault, 0)
    with connected(emulator) as connection:
        connection.sendall(head(path, token, f"Content-Length: {len(body)}") + body)
        if fault is not None:
            wait_for(lambda: emulator.stats()["faults"].get(fault, 0) > before)
        yield connection


def answer_on(connection: socket.socket) -> tuple[int, bytes]:
    """The status and the body of the answer that comes on a connection."""
    reading = connection.makefile("rb")
    status = int(reading.readline().split()[1])
    length = 0
    while line := reading.readline().strip():
        if found := re.fullmatch(rb"content-length: (\d+)", line, re.IGNORECASE):
            length = int(found[1])
    return status, reading.read(length)


def asked(emulator: Emulator, request: bytes) -> tuple[int, bytes]:
    """The answer to a request on a connection of its own."""
    with connected(emulator) as connection:
        connection.sendall(request)
        return answer_on(connection)
