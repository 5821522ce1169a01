"""An S3-compatible server behind a faulty proxy, and what tests do with it."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from tests.stores.proxy import Proxy, running_proxy

BUCKET = "preds"

# botocore tries nothing again, as s3fs, above it, does that already. The time-outs are for a busy machine.
QUICK: Mapping[str, Any] = {"retries": {"max_attempts": 0}, "connect_timeout": 30, "read_timeout": 30}

# The server looks whose request it is, and at no signature.
AS_OWNER = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request,"
    " SignedHeaders=host, Signature=0"
}


@dataclass
class S3:
    """A store with one bucket, `BUCKET`. Its methods go to the server itself; clients go through the proxy."""

    port: int
    proxy: Proxy

    def connection(self, **config: Any) -> str:
        """An Airflow connection to the store through the proxy, as an environment variable holds it.

        Args:
            config: For botocore's `Config`, in place of what is in `QUICK`.
        """
        extra = {
            "endpoint_url": f"http://127.0.0.1:{self.proxy.port}",
            "region_name": "us-east-1",
            "config_kwargs": {**QUICK, **config},
        }
        return json.dumps({"conn_type": "aws", "login": "key", "password": "secret", "extra": extra})

    def create_bucket(self, name: str = BUCKET) -> None:
        self._ask("PUT", f"/{name}")

    def put(self, key: str, content: bytes | str = b"", bucket: str = BUCKET) -> None:
        self.put_all({key: content}, bucket)

    def put_all(self, objects: Mapping[str, bytes | str], bucket: str = BUCKET) -> None:
        connection = HTTPConnection("127.0.0.1", self.port)
        try:
            for key, content in objects.items():
                raw = content.encode() if isinstance(content, str) else content
                connection.request("PUT", f"/{bucket}/{quote(key)}", raw, AS_OWNER)
                answer = connection.getresponse()
                assert answer.status == 200, answer.read()
                answer.read()
        finally:
            connection.close()

    def get(self, key: str, bucket: str = BUCKET) -> bytes:
        return self._ask("GET", f"/{bucket}/{quote(key)}")

    def delete(self, key: str, bucket: str = BUCKET) -> None:
        self._ask("DELETE", f"/{bucket}/{quote(key)}")

    def keys(self, prefix: str = "", bucket: str = BUCKET) -> list[str]:
        """All keys, in the order of the store."""
        found: list[str] = []
        query = {"list-type": "2", "prefix": prefix}
        while True:
            page = ET.fromstring(self._ask("GET", f"/{bucket}?{urlencode(query)}"))
            tag = page.tag.partition("}")[0] + "}"
            found += [str(one.findtext(f"{tag}Key")) for one in page.findall(f"{tag}Contents")]
            more = page.findtext(f"{tag}NextContinuationToken")
            if not more:
                return found
            query["continuation-token"] = more

    def reset(self) -> None:
        """Forget all faults and all that is stored, but for one empty bucket."""
        self.proxy.clear()
        self._ask("POST", "/moto-api/reset")
        self.create_bucket()

    def _ask(self, method: str, target: str) -> bytes:
        connection = HTTPConnection("127.0.0.1", self.port)
        try:
            connection.request(method, target, headers=AS_OWNER)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        assert answer.status < 300, content
        return content


@contextmanager
def running_s3() -> Iterator[S3]:
    """Run the server and the proxy."""
    command = [sys.executable, str(Path(__file__).with_name("s3_server.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            port = int(server.stdout.readline())
            with running_proxy(port) as proxy:
                yield S3(port, proxy)
        finally:
            server.kill()
