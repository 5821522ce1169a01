"""Requests on their way out, for tests."""

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_kognic.core.api.exchange.leaving import Leaving


class Moves:
    """Notes how a time limit is moved."""

    def __init__(self) -> None:
        self.moved: list[float] = []

    def move(self, seconds: float) -> None:
        self.moved.append(seconds)


def request_of(
    method: str = "GET",
    url: str = "https://kognic.example/v2/datasets",
    token: str = "token",
    body: Sequence[bytes] = (),
    params: Mapping[str, str] | None = None,
    limit: Any = None,
) -> Leaving:
    """A request; five seconds for each piece, and seven for its answer."""
    given: Any = Moves()
    return Leaving(method, url, token, body, params, limit if limit is not None else given, piece=5, answer=7)
