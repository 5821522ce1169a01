"""A proxy before an object store that lets everything through but what a test wants to go wrong."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.stores.faults import Breaks, Does, Drips, Fault, Operation, Request, Says, Trouble

_OPERATIONS: dict[str, Operation] = {"GET": "read", "HEAD": "head", "PUT": "write", "DELETE": "delete"}
_NOT_PASSED_ON = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "expect"})


@dataclass
class Proxy:
    """What a test does with it: it adds faults, and looks at what was asked for."""

    port: int
    store_port: int
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)

    def add(
        self,
        trouble: Trouble,
        *on: Operation,
        where: str = "",
        times: int | None = None,
        after: int = 0,
    ) -> Fault:
        """Let something go wrong from now on; the first fault that takes a request has it. See `Fault`."""
        fault = Fault(trouble, on, where, times, after)
        with self._lock:
            self.faults.append(fault)
        return fault

    def clear(self) -> None:
        """Let everything through again, forget what was asked, and end all silences."""
        with self._lock:
            self.faults.clear()
            self.requests.clear()
            over, self._over = self._over, threading.Event()
        over.set()

    def asked(self, *operations: Operation) -> list[str]:
        """The keys and prefixes of requests so far, of these operations or all."""
        with self._lock:
            return [seen.key for seen in self.requests if not operations or seen.operation in operations]

    def _trouble_of(self, request: Request) -> Trouble | None:
        with self._lock:
            self.requests.append(request)
            return next((fault.trouble for fault in self.faults if fault.takes(request)), None)


def _request_of(method: str, target: str) -> Request:
    url = urlsplit(target)
    bucket, _, key = url.path.lstrip("/").partition("/")
    query = parse_qs(url.query, keep_blank_values=True)
    operation = _OPERATIONS.get(method, "other")
    if operation == "read" and not key:
        operation = "list" if {"list-type", "prefix"} & query.keys() else "other"
        key = query.get("prefix", [""])[0]
        return Request(operation, unquote(bucket), key)
    return Request(operation, unquote(bucket), unquote(key))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: Proxy  # given by a subclass
    _over: threading.Event

    def log_message(self, *_args: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        body = self._body()
        self._over = self.proxy._over  # that of now: it may be cleared before somebody falls silent
        trouble = self.proxy._trouble_of(_request_of(self.command, self.path))
        if isinstance(trouble, Does):
            trouble.what()
        if isinstance(trouble, Says):
            self._answer(trouble.status, {"content-type": "application/xml", **trouble.headers}, trouble.body)
        elif isinstance(trouble, Breaks) and trouble.after == "nothing":
            self._break(trouble)
        else:
            self._pass_on(body, trouble if isinstance(trouble, (Breaks, Drips)) else None)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = _serve  # noqa: N815 - http.server's names

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length", "0")))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def _pass_on(self, body: bytes, trouble: Breaks | Drips | None) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_PASSED_ON}
        store = HTTPConnection("127.0.0.1", self.proxy.store_port)
        try:
            store.request(self.command, self.path, body, headers)
            answer = store.getresponse()
            content = answer.read()
        finally:
            store.close()
        told = [(name, value) for name, value in answer.headers.items() if name.lower() not in _NOT_PASSED_ON]
        # To HEAD belongs the length of what GET would answer.
        length = answer.headers.get("content-length") if self.command == "HEAD" else None
        if isinstance(trouble, Drips):
            self._head(answer.status, dict(told), length or str(len(content)))
            self._drip(content, trouble.rate)
            return
        if trouble is not None and trouble.after == "done":
            self._break(trouble)
            return
        if trouble is None:
            self._answer(answer.status, dict(told), content, length)
            return
        self._head(answer.status, dict(told), length or str(len(content)))
        with suppress(OSError):
            self.wfile.write(content[: len(content) // 2])
        self._break(trouble)

    def _answer(self, status: int, headers: dict[str, str], body: bytes, length: str | None = None) -> None:
        with suppress(OSError):  # who asked may be gone
            self._head(status, headers, length or str(len(body)))
            if self.command != "HEAD":
                self.wfile.write(body)

    def _drip(self, content: bytes, rate: int) -> None:
        piece = max(1, rate // 20)
        with suppress(OSError):  # who asked may be gone
            for start in range(0, len(content), piece):
                self.wfile.write(content[start : start + piece])
                time.sleep(0.05)

    def _head(self, status: int, headers: dict[str, str], length: str) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in {204, 304}:
            self.send_header("content-length", length)
        with suppress(OSError):
            self.end_headers()

    def _break(self, trouble: Breaks) -> None:
        self.close_connection = True
        if trouble.how == "silence":
            self._over.wait()
        if trouble.how == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def shutdown_request(self, request: Any) -> None:
        """Close; without a shutdown before, which would make a polite end of a reset."""
        self.close_request(request)

    def handle_error(self, *_args: object) -> None:
        """Say nothing: clients leave when they like."""


@contextmanager
def running_proxy(store_port: int) -> Iterator[Proxy]:
    """Run a proxy before a store on this machine."""
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    proxy = Proxy(server.server_address[1], store_port)
    handler.proxy = proxy  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.clear()
        server.shutdown()
        server.server_close()
        thread.join()
