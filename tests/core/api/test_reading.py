"""An answer is read alike however it is cut, and whether it is read in a hurry or by h11."""

import socket
import time
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_kognic.core.api.exchange.bodies import MOST_BYTES
from airflow_provider_kognic.core.api.reading import BrokenAnswerError, Reader
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import KognicError
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.api.both_clients import Send, either_way
from tests.core.api.hostile_answers import ANSWERS, BODY, LENGTH, OK
from tests.core.support import UUID, Request, http, raw_server, settings_for


class Thorough(Reader):
    """Leaves everything to h11."""

    def _plainly(self, data: bytes) -> bool:
        return False


def outcome(pieces: Iterable[bytes], kind: type[Reader] = Reader) -> Any:
    """What becomes of the pieces and then an end: what was received, and whether the connection may be used."""
    reader = kind("POST")
    try:
        for piece in pieces:
            if reader.complete:  # what is more ends the connection, as it does behind an answer
                return reader.received(), False
            reader.feed(piece)
        if not reader.complete:
            reader.end()
    except BrokenAnswerError:
        return "broken"
    return reader.received(), reader.reusable


@either_way
@pytest.mark.parametrize("name", ANSWERS)
def test_what_becomes_of_an_answer(emulator: Emulator, tokens: TokenProvider, send: Send, name: str) -> None:
    """Straight or past a proxy, by ours or by httpx: the same."""
    raw, error = ANSWERS[name]

    def answer(connection: socket.socket, _request: Request) -> None:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_RDWR)

    with raw_server(answer) as server:
        settings = settings_for(emulator, base_url=server.url, timeout=60)
        if error is None:
            assert send(settings, tokens) == UUID
        else:
            with pytest.raises(KognicError) as caught:
                send(settings, tokens)
            assert type(caught.value) is error
        assert len(server.requests) == 1


@pytest.mark.parametrize("name", ANSWERS)
def test_it_does_not_matter_where_an_answer_is_cut(name: str) -> None:
    """Anywhere, or everywhere."""
    raw, _ = ANSWERS[name]
    expected = outcome([raw] if raw else [])
    step = max(1, len(raw) // 600)  # a long head at some hundred places
    for at in range(step, len(raw), step):
        assert outcome([raw[:at], raw[at:]]) == expected, (raw[:at], raw[at:])
    if len(raw) < 10_000:
        assert outcome([raw[at : at + 1] for at in range(len(raw))]) == expected


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_read_in_a_hurry_is_read_right(name: str) -> None:
    raw, _ = ANSWERS[name]
    assert outcome([raw]) == outcome([raw], Thorough)


NAMES = st.sampled_from(
    ["content-length", "Content-Length", "x", "connection", "transfer-encoding", "upgrade", "a b", "", "vary"]
)
VALUES = st.sampled_from(
    ["", str(len(BODY)), " 5", "0", "close", "chunked", "a\tb", "ä", "\x7f", "x\0", " ", "+5", "\u0665"]
)
LINES = st.lists(st.builds("{}:{}{}\r\n".format, NAMES, st.sampled_from(["", " ", "\t"]), VALUES), max_size=4)
STARTS = st.sampled_from(
    [
        *("HTTP/1.1 200 OK\r\n", "HTTP/1.1 200\r\n", "HTTP/1.1 200 \r\n", "HTTP/1.0 200 OK\r\n"),
        *("HTTP/1.1 404 \t \r\n", "HTTP/1.1 204 X\r\n", "HTTP/1.1 199 X\r\n", "HTTP/1.1 600 X\r\n"),
        *("HTTP/1.1 304 X\r\n", "HTTP/1.1 200 ä\r\n"),
    ]
)


@example("HTTP/1.1 200 OK\r\n", [LENGTH.decode()], BODY)
@given(STARTS, LINES, st.sampled_from([BODY, b"", b"12345", BODY + BODY]))
def test_hurry_takes_nothing_that_h11_would_not(start: str, lines: list[str], body: bytes) -> None:
    """Whatever the head."""
    raw = (start + "".join(lines) + "\r\n").encode() + body
    assert outcome([raw]) == outcome([raw], Thorough)


@given(st.data())
def test_hurry_takes_nothing_that_was_changed_anywhere(data: st.DataObject) -> None:
    """A byte that is another one, one more or one less."""
    raw = bytearray(ANSWERS[data.draw(st.sampled_from(["plain", "as nginx writes it", "refused"]))][0])
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at : at + data.draw(st.integers(0, 1))] = data.draw(st.binary(max_size=2))
    assert outcome([bytes(raw)]) == outcome([bytes(raw)], Thorough)


def test_plain_answers_are_read_in_a_hurry() -> None:
    """Or it would all be in vain."""
    for raw in (http(), http(422, b"{}"), OK + b"Server: nginx\r\nX-Id: a b\r\n" + LENGTH + b"\r\n" + BODY):
        reader = Reader("POST")
        assert reader._plainly(raw)
        assert reader.complete
        assert reader.reusable


@pytest.mark.parametrize("end", [b"", b"\0", b"x\0", b"\r\n"])
def test_a_line_of_spaces_is_looked_at_once(end: bytes) -> None:
    """And not from each of them on: the whole upload would stand still meanwhile."""
    began = time.process_time()
    assert not Reader("POST")._plainly(OK + b"x:" + b" \t" * 100_000 + end)
    assert time.process_time() - began < 10


@pytest.mark.parametrize("cuts", [1, 3])
def test_a_body_is_read_up_to_its_bound(cuts: int) -> None:
    """Of the rest nothing is kept, and the connection is of no use."""
    for more in (0, 1):
        raw = http(200, b"x" * (MOST_BYTES + more))
        size = -(-len(raw) // cuts)
        received, reusable = outcome([raw[at : at + size] for at in range(0, len(raw), size)])
        assert len(received.body) == MOST_BYTES
        assert (received.unreadable is None) == (more == 0) == reusable
