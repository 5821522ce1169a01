"""Whole HTTP answers: what the API said, or what a fault says in its place."""

from dataclasses import dataclass, field

import msgspec

from airflow_provider_kognic.emulator.faults.fault import Fault


@dataclass
class Answer:
    """A whole HTTP answer.

    Attributes:
        status: Its status.
        body: Its body.
        headers: Its headers, without the length.
    """

    status: int
    body: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    @classmethod
    def of_json(cls, status: int, content: object, headers: dict[str, str] | None = None) -> "Answer":
        """An answer with JSON in it."""
        return cls.of(status, msgspec.json.encode(content), "application/json", headers)

    @classmethod
    def of(cls, status: int, body: bytes, media_type: str, headers: dict[str, str] | None = None) -> "Answer":
        """An answer with a body of some media type."""
        pairs = {"content-type": media_type} | (headers or {})
        return cls(status, body, [(k.lower().encode(), v.encode()) for k, v in pairs.items()])


def faulty_answer(fault: Fault) -> Answer:
    """The answer that a fault gives."""
    status, headers = fault.answered_status, fault.headers()
    if fault.kind == "html_error":
        page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
        return Answer.of(status, page.encode(), "text/html", headers)
    if fault.kind == "garbage":
        return Answer.of(status, fault.body.encode(), "application/json", headers)
    if fault.kind == "no_data" and status == 204:  # noqa: PLR2004 (No Content: a body would be read as the next answer)
        return Answer.of(status, b"", "application/json", headers)
    if fault.kind == "no_data":
        return Answer.of_json(status, {"result": "ok"}, headers)
    return Answer.of_json(status, {"message": fault.message}, headers)
