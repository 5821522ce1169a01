"""A faultless stand-in for Kognic that costs little itself, so that the clients are what is measured.

`python -m tests.benchmarks.server` prints its port and serves on loopback until its standard input ends. It
answers the token endpoint and every GET, and takes predictions without looking into them. `GET
/__reset?latency=0.05` sets the seconds before each answer and the counts to zero; `GET /__stats` tells them. It is
the input API, too: each scene has the sensors and frames of the benchmarks' documents, and one calibration.
"""

from __future__ import annotations

import asyncio
import json
import re
import resource
import sys
import time
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass

_LENGTH = re.compile(rb"(?i)\r\ncontent-length:\s*(\d+)")
_LIMIT = _PIECE = 1 << 20
_PREDICTIONS = b"/predictions"
_SCENES, _CALIBRATIONS = b"/v2/scenes/", b"/v1/calibrations"
_CALIBRATION = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2ac0"


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@dataclass
class _Counts:
    latency: float = 0.0
    posts: int = 0
    scenes: int = 0
    calibrations: int = 0
    received: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    first: float = 0.0
    last: float = 0.0
    cpu_before: float = 0.0


class HttpServer(ABC):
    """Serves HTTP/1.1 on loopback, and looks into no body."""

    connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests, one after the other."""
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                size = left = int(length[1]) if length else 0
                while left:
                    piece = await reader.read(min(left, _PIECE))
                    if not piece:
                        return
                    left -= len(piece)
                method, target, _ = head.split(b" ", 2)
                writer.write(await self.answer(method, target, size))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client is done, or the run is over
        finally:
            writer.close()

    @abstractmethod
    async def answer(self, method: bytes, target: bytes, size: int) -> bytes:
        """Return the whole answer to a request with a body of `size` bytes."""


class _Kognic(HttpServer):
    def __init__(self) -> None:
        self._counts = _Counts()

    async def answer(self, method: bytes, target: bytes, size: int) -> bytes:
        counts = self._counts
        if target.startswith((_SCENES, _CALIBRATIONS)):
            return await self._of_input_api(target)
        if target.startswith(b"/__reset"):
            latency = float(target.partition(b"latency=")[2])
            self.connections = 0
            self._counts = _Counts(latency=latency, cpu_before=_cpu())
            return _ok({})
        if target == b"/__stats":
            cpu = _cpu() - counts.cpu_before
            return _ok(
                {
                    "posts": counts.posts,
                    "scenes": counts.scenes,
                    "calibrations": counts.calibrations,
                    "received": counts.received,
                    "most_in_flight": counts.most_in_flight,
                    "connections": self.connections,
                    "cpu_s": cpu,
                    "answering_s": counts.last - counts.first,
                }
            )
        if target.endswith(_PREDICTIONS) and method == b"POST":
            await self._wait(counts)
            counts.last = time.perf_counter()
            counts.first = counts.first or counts.last
            counts.posts += 1
            counts.received += size
            return _ok({"data": str(uuid.uuid4())})
        if method == b"POST":
            return _ok({"access_token": uuid.uuid4().hex, "token_type": "Bearer", "expires_in": 3600})
        return _ok({"data": []})

    async def _of_input_api(self, target: bytes) -> bytes:
        counts = self._counts
        await self._wait(counts)
        if target.startswith(_CALIBRATIONS):
            counts.calibrations += 1
            return _ok(_calibration())
        counts.scenes += 1
        return _ok(_scene(target.removeprefix(_SCENES).partition(b"?")[0].decode()))

    @staticmethod
    async def _wait(counts: _Counts) -> None:
        counts.in_flight += 1
        counts.most_in_flight = max(counts.most_in_flight, counts.in_flight)
        if counts.latency:
            await asyncio.sleep(counts.latency)
        counts.in_flight -= 1


def _scene(uuid: str) -> dict[str, object]:
    return {
        "sceneUuid": uuid,
        "externalId": f"drive/{uuid}",
        "calibrationId": _CALIBRATION,
        "frameRelativeTimes": [100 * number for number in range(50)],
        "cameras": ["CAM_BACK", "CAM_FRONT"],
        "lidars": ["LIDAR_TOP"],
        "sceneType": "lidars_and_cameras_sequence",
    }


def _calibration() -> dict[str, object]:
    size = {"image_width": 1920, "image_height": 1280}
    sensors = {"CAM_BACK": size, "CAM_FRONT": size, "LIDAR_TOP": {}}
    return {"id": _CALIBRATION, "calibration": sensors}


def _ok(value: object) -> bytes:
    body = json.dumps(value).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + body


async def serve_until_stdin_ends(http: HttpServer) -> None:
    """Print the port and serve until standard input ends: whoever started it is gone, or done."""
    server = await asyncio.start_server(http.serve, "127.0.0.1", 0, limit=_LIMIT)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    end = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), end.set)
    await end.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve_until_stdin_ends(_Kognic()))
