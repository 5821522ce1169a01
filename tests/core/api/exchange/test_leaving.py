"""A request leaves in pieces that are no copies of a large body, and tells when it has begun and when it is out."""

import asyncio
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.api.exchange.requests import Moves, request_of

MB = 1 << 20


@given(st.lists(st.integers(0, 200_000).map(lambda size: b"x" * size), max_size=4), st.binary(max_size=9))
def test_all_of_it_leaves_and_nothing_else(body: list[bytes], head: bytes) -> None:
    request = request_of("POST", body=body)
    pieces = list(request.pieces(head))
    assert b"".join(pieces) == head + b"".join(body)
    assert request.size == sum(map(len, body))
    assert all(pieces) or not (head or request.size)


@pytest.mark.parametrize("size", [0, 100, 1 << 16, (1 << 16) + 1, 130_000, 131_073, 3 * MB, 10 * MB + 3])
def test_pieces_are_of_bounded_size(size: int) -> None:
    """A small document leaves with its head, in one write."""
    document = bytes(range(256)) * (size // 256 + 1)
    body = [b"[", document[:size], b"]"]
    pieces = list(request_of("POST", body=body).pieces(b"head "))
    assert b"".join(pieces) == b"head " + b"".join(body)
    assert max(map(len, pieces)) <= MB
    if size <= 1 << 16:
        assert len(pieces) == 1


def test_a_large_body_is_not_copied() -> None:
    body = [b"x" * (99 * MB)]
    request = request_of("POST", body=body)
    tracemalloc.start()
    try:
        assert sum(map(len, request.pieces(b"head"))) == 4 + 99 * MB
        assert tracemalloc.get_traced_memory()[1] < MB
    finally:
        tracemalloc.stop()


def test_the_time_for_the_answer_begins_when_all_has_left() -> None:
    """Each piece has its own time, and the answer after it."""
    limit = Moves()
    request = request_of("POST", body=[b"x" * (3 * MB)], limit=limit)

    async def leave() -> list[bytes]:
        pieces = []
        async for piece in request:
            assert request.begun
            assert limit.moved[-1] == 5 + 7
            pieces.append(piece)
        return pieces

    assert sum(map(len, asyncio.run(leave()))) == 3 * MB
    assert limit.moved[-1] == 7
