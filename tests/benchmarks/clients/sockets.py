"""The limit: ten bare sockets that send the files' bytes and look for no more than the end of each answer."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

_CONNECTIONS = 10


async def run(url: str, group: str, path: Path) -> int:
    """Upload a folder and return the number of answers."""
    request = urllib.request.Request(f"{url}/v1/auth/oauth/token", data=b"x")
    with urllib.request.urlopen(request) as answer:  # noqa: ASYNC210 - nothing else runs yet
        token = json.load(answer)["access_token"]
    files = iter(sorted(path.glob("*.json")))  # noqa: ASYNC240 - as above
    parts = urlsplit(url)
    start = f"POST /v1/predictions-groups/{group}/predictions HTTP/1.1\r\nHost: {parts.netloc}\r\n"

    async def send() -> int:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        count = 0
        for file in files:
            body = b'{"sceneUuid":"%s","openlabelContent":' % file.stem.encode() + file.read_bytes() + b"}"
            head = f"{start}Content-Length: {len(body)}\r\nAuthorization: Bearer {token}\r\n\r\n"
            writer.write(head.encode() + body)
            head_of_answer = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head_of_answer.split(b"Content-Length: ")[1].split(b"\r")[0]))
            count += 1
        writer.close()
        return count

    return sum(await asyncio.gather(*(send() for _ in range(_CONNECTIONS))))
