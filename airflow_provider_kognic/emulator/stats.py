"""What has been asked of the emulator so far."""

import re
from dataclasses import dataclass, field
from typing import Any

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

# Who has no token can ask for as many paths as they like.
_MOST_ROUTES = 500

OTHER_ROUTES = "all others"
PREDICTIONS_ROUTE = "/v1/predictions-groups/{uuid}/predictions"


def route_of(path: str) -> str:
    """The path with every uuid in it replaced by ``{uuid}``."""
    return _UUID.sub("{uuid}", path)


@dataclass
class Stats:
    """Counters since the start or the last reset.

    Attributes:
        requests: ``"POST /v1/predictions-groups/{uuid}/predictions"`` to status (``"none"`` where no answer
            was given) to number.
        prediction_posts: POSTs of predictions that arrived, refused and faulty ones included.
        predictions_created: Predictions that were committed.
        most_in_flight: The most dataset API requests open at the same time, refused ones included.
        token_requests: Requests at the token endpoint.
        tokens_issued: Those that were given a token.
        rejected_too_many: Dataset API requests refused because too many were open.
        faults: How often each kind of fault was carried out.
        first_post_at: When the first prediction was posted, in seconds since the epoch.
        last_post_at: When the latest was.
    """

    requests: dict[str, dict[str, int]] = field(default_factory=dict)
    prediction_posts: int = 0
    predictions_created: int = 0
    most_in_flight: int = 0
    token_requests: int = 0
    tokens_issued: int = 0
    rejected_too_many: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    first_post_at: float | None = None
    last_post_at: float | None = None

    def count_request(self, method: str, path: str, status: int | None) -> None:
        """Note a finished request; ``status`` is None when it was never answered."""
        route = f"{method} {route_of(path)}"
        if route not in self.requests and len(self.requests) >= _MOST_ROUTES:
            route = OTHER_ROUTES
        by_status = self.requests.setdefault(route, {})
        key = "none" if status is None else str(status)
        by_status[key] = by_status.get(key, 0) + 1

    def count_fault(self, kind: str) -> None:
        """Note a fault that is carried out."""
        self.faults[kind] = self.faults.get(kind, 0) + 1

    def count_post(self, now: float) -> None:
        """Note that a prediction was posted ``now`` (seconds since the epoch)."""
        self.prediction_posts += 1
        self.last_post_at = now
        if self.first_post_at is None:
            self.first_post_at = now

    def as_json(self) -> dict[str, Any]:
        """The counters as a JSON object, with ``too_many_requests``: all 429s, those of faults included."""
        too_many = sum(by_status.get("429", 0) for by_status in self.requests.values())
        return {**vars(self), "too_many_requests": too_many}

    def reset(self) -> None:
        """Begin again from nothing."""
        vars(self).update(vars(Stats()))
