"""Answers as servers, gateways and strangers write them, each with what becomes of a prediction that gets it."""

import json

from airflow_provider_kognic.core.errors import (
    KognicAnswerError,
    KognicError,
    KognicNoAnswerError,
    KognicRateLimitError,
    KognicRequestError,
    KognicServerError,
    KognicUnclearRedirectError,
)
from tests.core.support import UUID, http

BODY = json.dumps({"data": UUID}).encode()
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
CHUNKS = b"5\r\n" + BODY[:5] + b"\r\n%x;x=y\r\n" % len(BODY[5:]) + BODY[5:] + b"\r\n0\r\n"
LENGTH = b"content-length: %d\r\n" % len(BODY)
OK = b"HTTP/1.1 200 OK\r\n"

CREATED = None
"""What an answer says that names the prediction."""

ANSWERS: dict[str, tuple[bytes, type[KognicError] | None]] = {
    "plain": (http(), CREATED),
    "as nginx writes it": (
        OK
        + b"Server: nginx/1.25\r\nDate: Mon, 23 Nov 2026 04:15:00 GMT\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\nConnection: keep-alive\r\nVary: Origin\r\nVary: Accept\r\n\r\n"
        % len(BODY)
        + BODY,
        CREATED,
    ),
    "close": (http(close=True), CREATED),
    "201 without a reason": (b"HTTP/1.1 201\r\n" + LENGTH + b"\r\n" + BODY, CREATED),
    "chunked": (CHUNKED + b"\r\n" + CHUNKS + b"\r\n", CREATED),
    "trailers": (CHUNKED + b"\r\n" + CHUNKS + b"x: y\r\nz: \r\n\r\n", CREATED),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n" + LENGTH + b"\r\n" + BODY, CREATED),
    "until it hangs up": (OK + b"\r\n" + BODY, CREATED),
    "HTTP/1.0 until it hangs up": (b"HTTP/1.0 200 OK\r\n\r\n" + BODY, CREATED),
    "bare line feeds": (http().replace(b"\r\n", b"\n"), CREATED),
    "folded line": (OK + LENGTH + b"x: a\r\n  b\r\n\r\n" + BODY, CREATED),
    "bytes beyond ASCII": (OK + LENGTH + b"x: \xff\xc3\xa4\r\n\r\n" + BODY, CREATED),
    "continue": (b"HTTP/1.1 100 Continue\r\n\r\n" + http(), CREATED),
    "hints": (b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" * 3 + http(), CREATED),
    "length and chunks": (CHUNKED + b"content-length: 3\r\n\r\n" + CHUNKS + b"\r\n", CREATED),
    "the same length twice": (OK + LENGTH + LENGTH + b"\r\n" + BODY, CREATED),
    "long head": (OK + LENGTH + b"x: y\r\n" * 3_000 + b"\r\n" + BODY, CREATED),
    "two lengths": (OK + LENGTH + b"content-length: 3\r\n\r\n" + BODY, KognicNoAnswerError),
    "negative length": (OK + b"content-length: -3\r\n\r\n" + BODY, KognicNoAnswerError),
    "length that is none": (OK + b"content-length: many\r\n\r\n" + BODY, KognicNoAnswerError),
    "huge length": (OK + b"content-length: " + b"9" * 30 + b"\r\n\r\n" + BODY, KognicNoAnswerError),
    "longer than it is": (OK + b"content-length: 500\r\n\r\n" + BODY, KognicNoAnswerError),
    "shorter than it is": (OK + b"content-length: 9\r\n\r\n" + BODY, KognicAnswerError),
    "unknown encoding": (OK + b"transfer-encoding: gzip\r\n\r\n" + BODY, KognicNoAnswerError),
    "no number of a chunk": (CHUNKED + b"\r\nfive\r\n" + BODY, KognicNoAnswerError),
    "huge chunk": (CHUNKED + b"\r\n" + b"f" * 30 + b"\r\n" + BODY, KognicNoAnswerError),
    "chunk without an end": (CHUNKED + b"\r\n5\r\n" + BODY[:5] + b"xx", KognicNoAnswerError),
    "no last chunk": (CHUNKED + b"\r\n" + CHUNKS[:-3], KognicNoAnswerError),
    "endless line": (OK + b"x: " + b"y" * 120_000 + b"\r\n", KognicNoAnswerError),
    "endless head": (OK + b"x: y\r\n" * 30_000, KognicNoAnswerError),
    "half a head": (OK + b"content-le", KognicNoAnswerError),
    "a line without a colon": (OK + b"hello\r\n" + LENGTH + b"\r\n" + BODY, KognicNoAnswerError),
    "a name with a space": (OK + b"x y: z\r\n" + LENGTH + b"\r\n" + BODY, KognicNoAnswerError),
    "a value with a NUL": (OK + b"x: \0\r\n" + LENGTH + b"\r\n" + BODY, KognicNoAnswerError),
    "a value with a return": (OK + b"x: a\rb\r\n" + LENGTH + b"\r\n" + BODY, KognicNoAnswerError),
    "nothing": (b"", KognicNoAnswerError),
    "garbage": (bytes(range(256)) * 3, KognicNoAnswerError),
    "text": (b"-ERR unknown command\r\n", KognicNoAnswerError),
    "HTTP/2": (
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00\x03\x00\x00\x00\x80" * 3,
        KognicNoAnswerError,
    ),
    "a status line of HTTP/2": (b"HTTP/2 200\r\n" + LENGTH + b"\r\n" + BODY, KognicNoAnswerError),
    "HTTP/0.9": (BODY, KognicNoAnswerError),
    "status of two digits": (b"HTTP/1.1 20 OK\r\n" + LENGTH + b"\r\n" + BODY, KognicNoAnswerError),
    "other protocols": (b"HTTP/1.1 101 X\r\nupgrade: h2c\r\n\r\n", KognicNoAnswerError),
    "continue, and no more": (b"HTTP/1.1 100 Continue\r\n\r\n", KognicNoAnswerError),
    "no content": (b"HTTP/1.1 204 X\r\n\r\n", KognicAnswerError),
    "no content with a length": (b"HTTP/1.1 204 X\r\n" + LENGTH + b"\r\n", KognicAnswerError),
    "not modified": (b"HTTP/1.1 304 X\r\n" + LENGTH + b"\r\n", KognicUnclearRedirectError),
    "status of the future": (b"HTTP/1.1 700 X\r\n" + LENGTH + b"\r\n" + BODY, KognicServerError),
    "refused": (http(422, b'{"message": "no such scene"}'), KognicRequestError),
    "too many": (http(429, b"", ["retry-after: 1"]), KognicRateLimitError),
    "refused, cut": (http(422, b'{"message": "no such scene"}')[:-3], KognicNoAnswerError),
}
