"""An object store of S3's kind that costs little itself and takes its time for each answer.

`python -m tests.benchmarks.object_store FOLDER SECONDS` prints its port and serves what is in a folder on loopback
until its standard input ends: `s3://any-bucket/a/b.json` is the file `a/b.json`. It lists, and reads objects and
their properties; who asks is not looked at, and nothing is written.
"""

from __future__ import annotations

import asyncio
import sys
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.benchmarks.server import HttpServer, serve_until_stdin_ends

_PAGE = 1_000
_WHEN = "2026-01-31T00:00:00.000Z"
_HEADERS = 'ETag: "0"\r\nLast-Modified: Sat, 31 Jan 2026 00:00:00 GMT\r\n'


class _Store(HttpServer):
    def __init__(self, root: Path, latency: float) -> None:
        self._root = root
        self._latency = latency
        self._listed: dict[str, list[str]] = {}

    async def answer(self, method: bytes, target: bytes, size: int) -> bytes:
        await asyncio.sleep(self._latency)
        url = urlsplit(target.decode())
        _, _, key = unquote(url.path).lstrip("/").partition("/")
        if not key:
            query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
            return _answer(HTTPStatus.OK, self._list(query))
        path = self._root / key
        if not path.is_file():
            return _answer(
                HTTPStatus.NOT_FOUND, b"" if method == b"HEAD" else b"<Error><Code>NoSuchKey</Code></Error>"
            )
        if method == b"HEAD":
            return _answer(HTTPStatus.OK, b"", path.stat().st_size)
        return _answer(HTTPStatus.OK, path.read_bytes())

    def _list(self, query: dict[str, str]) -> bytes:
        """Return a page of the objects right below a prefix that is a folder, or of none."""
        prefix, after = query.get("prefix", ""), query.get("continuation-token", "")
        names = self._names(prefix.rstrip("/")) if prefix.endswith("/") else []
        start = int(after or 0)
        page = names[start : start + min(_PAGE, int(query.get("max-keys", _PAGE)))]
        end = start + len(page)
        rows = "".join(
            f"<Contents><Key>{quote(prefix + name)}</Key><LastModified>{_WHEN}</LastModified>"
            f"<ETag>&quot;0&quot;</ETag><Size>{(self._root / prefix / name).stat().st_size}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for name in page
        )
        more = f"<NextContinuationToken>{end}</NextContinuationToken>" if end < len(names) else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount><EncodingType>url</EncodingType>"
            f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more}{rows}</ListBucketResult>"
        ).encode()

    def _names(self, folder: str) -> list[str]:
        if folder not in self._listed:
            path = self._root / folder
            self._listed[folder] = sorted(one.name for one in path.iterdir()) if path.is_dir() else []
        return self._listed[folder]


def _answer(status: HTTPStatus, body: bytes, length: int | None = None) -> bytes:
    kind = "application/xml" if body.startswith(b"<") else "application/octet-stream"
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n{_HEADERS}Content-Type: {kind}\r\n"
        f"Content-Length: {len(body) if length is None else length}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    asyncio.run(serve_until_stdin_ends(_Store(Path(sys.argv[1]), float(sys.argv[2]))))
