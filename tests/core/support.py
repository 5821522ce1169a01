"""What the tests of the core share: documents, an upload from beginning to end, and a server without manners."""

import asyncio
import json
import socket
import ssl
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from typing import Any

from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.api.switches import Switches
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.models import Outcome, Prediction, Result
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.reporting.events import Event, Observer, Settled
from airflow_provider_kognic.core.reporting.report import Report
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.sources.base import Source
from airflow_provider_kognic.core.sources.rows import RowsSource
from airflow_provider_kognic.core.upload import upload
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator

QUICK = Backoff(first=0.01, most=0.02)
UUID = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"


def content(number: int = 0) -> dict[str, Any]:
    """A small document without a fault, different for each number."""
    stream = {"text": [{"name": "stream", "val": "CAM"}]}
    box = {"name": "box", "val": [10, 20, 30, 40], "attributes": stream}
    frame = {"frame_properties": {"timestamp": 0}, "objects": {"1": {"object_data": {"bbox": [box]}}}}
    return {
        "openlabel": {
            "metadata": {"schema_version": "1.0.0", "comment": f"number {number}"},
            "streams": {"CAM": {"type": "camera"}},
            "objects": {"1": {"name": "car", "type": "Car"}},
            "frames": {"0": frame},
        }
    }


def rows(count: int, first: int = 0) -> RowsSource:
    """Predictions for as many scenes of the demo dataset."""
    return RowsSource(
        [
            {"sceneUuid": demo.scene_uuid(i), "openlabelContent": content(i)}
            for i in range(first, first + count)
        ]
    )


def settings_for(emulator: Emulator, **more: Any) -> Settings:
    given: dict[str, Any] = {
        "base_url": emulator.url,
        "auth_host": emulator.url,
        "credentials": (emulator.client_id, emulator.client_secret),
        "timeout": 5,
    }
    return Settings(**(given | more))


class MemoryLog:
    """A journal's log in memory, which outlives those who use it."""

    def __init__(self, lines: Sequence[bytes] = ()) -> None:
        self.lines = list(lines)
        self.opened = 0

    def open(self, stopping: Callable[[], bool]) -> None:
        self.opened += 1

    def read(self) -> list[bytes]:
        return list(self.lines)

    def append(self, lines: Sequence[bytes]) -> None:
        self.lines += lines

    def close(self) -> None:
        self.opened -= 1

    def reopened(self) -> "MemoryLog":
        """The same lines for another attempt, as a disk would have them."""
        return MemoryLog(self.lines)


class Results:
    """Gathers the results of an upload; an observer.

    Args:
        wanted: Tells whether one is wanted.
    """

    def __init__(self, wanted: Callable[[Result], bool] = lambda _: True) -> None:
        self.all: list[Result] = []
        self._wanted = wanted

    def notice(self, event: Event) -> None:
        if isinstance(event, Settled) and self._wanted(event.result):
            self.all.append(event.result)


@dataclass
class Run:
    """An upload that is over: its report, and each result by its scene."""

    report: Report
    results: list[Result]

    @property
    def outcomes(self) -> dict[str, Outcome]:
        return {result.scene_uuid: result.outcome for result in self.results}

    def scenes(self, outcome: Outcome) -> set[str]:
        return {result.scene_uuid for result in self.results if result.outcome is outcome}

    def only(self) -> Result:
        (result,) = self.results
        return result

    def counts(self) -> tuple[int, int, int, int]:
        """Created, refused, in doubt, unsent."""
        summary = self.report.summary
        return summary.uploaded, summary.refused, summary.in_doubt, summary.unsent


def upload_all(
    source: Source,
    settings: Settings,
    group: str,
    *,
    tokens: TokenProvider | None = None,
    alongside: Callable[[], None] | None = None,
    observers: Sequence[Observer] = (),
    switches: Switches | None = None,
    **given: Any,
) -> Run:
    """Upload a source, and check what holds for every upload: each entry has one result, counts add up.

    What is given besides are options, or arguments of `upload`.
    """
    results = Results()
    told = {"max_connections": settings.max_connections, "backoff": QUICK, "settle_after": 0.2}
    names = {field.name for field in fields(UploadOptions)}
    told |= {name: given.pop(name) for name in names & set(given)}

    async def run() -> Report:
        async with AsyncKognicClient(settings, tokens=tokens, switches=switches) as client:
            sending = upload(
                source,
                client,
                predictions_group_uuid=group,
                options=UploadOptions.of(**told),
                observers=[results, *observers],
                switches=switches,
                **given,
            )
            if alongside is None:
                return await sending
            report, _ = await asyncio.gather(sending, asyncio.to_thread(alongside))
            return report

    report = asyncio.run(run())
    summary = report.summary
    tally = Counter(result.outcome for result in results.all)
    assert summary.uploaded == tally[Outcome.CREATED]
    assert summary.refused == tally[Outcome.REFUSED]
    assert summary.in_doubt == tally[Outcome.IN_DOUBT]
    assert summary.total == sum(report.summary.to_dict()[name] for name in COUNTS)
    if source.total is not None:
        assert summary.total == source.total
    return Run(report, results.all)


COUNTS = ("uploaded", "skipped", "refused", "in_doubt", "unsent")


def check_truth(run: Run, emulator: Emulator, group: str) -> None:
    """What the upload says is what the server has: nothing twice, nothing unknown."""
    stored = Counter(row["scene_uuid"] for row in emulator.predictions(group))
    created, doubtful = run.scenes(Outcome.CREATED), run.scenes(Outcome.IN_DOUBT)
    assert not [scene for scene, times in stored.items() if times > 1]
    assert created <= set(stored) <= created | doubtful
    uuids = {row["uuid"] for row in emulator.predictions(group)}
    assert {r.prediction_uuid for r in run.results if r.outcome is Outcome.CREATED} <= uuids


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class RawServer:
    """A server that does whatever its `answer` does with the socket, once a request has been read."""

    port: int
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


Answer = Callable[[socket.socket, Request], None]


def http(
    status: int = 200, body: bytes | str | None = None, headers: Sequence[str] = (), *, close: bool = False
) -> bytes:
    """The bytes of an answer; a created prediction unless told otherwise."""
    if body is None:
        body = json.dumps({"data": UUID})
    raw = body.encode() if isinstance(body, str) else body
    head = [f"HTTP/1.1 {status} X", f"content-length: {len(raw)}", *headers]
    return "\r\n".join([*head, *(["connection: close"] if close else []), "", ""]).encode() + raw


def another_created() -> bytes:
    """The bytes of an answer that names a prediction that no answer has named before."""
    return http(body=json.dumps({"data": str(uuid.uuid4())}))


def always(raw: bytes) -> Answer:
    """Answer every request with these bytes."""
    return lambda connection, _request: connection.sendall(raw)


def reset(connection: socket.socket) -> None:
    """Close with a TCP reset."""
    import struct

    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_request(connection: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    method, path, _ = first.split(" ")
    return Request(method, path, headers, body)


@contextmanager
def raw_server(
    answer: Answer, *, tls: ssl.SSLContext | None = None, hello: Callable[[socket.socket], None] | None = None
) -> Iterator[RawServer]:
    """Run a raw server; `hello` gets each new connection instead of anything being read from it."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = RawServer(listening.getsockname()[1], scheme="https" if tls else "http")
    open_sockets: set[socket.socket] = set()

    def serve(connection: socket.socket) -> None:
        with suppress(OSError, ValueError), connection:
            if hello is not None:
                hello(connection)
                return
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True)
                open_sockets.add(connection)
            while (request := read_request(connection)) is not None:
                server.requests.append(request)
                answer(connection, request)
        with suppress(OSError):
            connection.close()

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            server.connections += 1
            open_sockets.add(connection)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)
        for connection in open_sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Listed:
    """A source of predictions that a test makes itself."""

    entries: Sequence[Prediction | Result]
    total: int | None = None

    def __iter__(self) -> Iterator[Prediction | Result]:
        return iter(self.entries)
