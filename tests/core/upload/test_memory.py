"""How much memory large documents take: that of an upload in a process of its own."""

import json
import random
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_kognic
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import UUID, Request, another_created, content, http, raw_server

ROOT = Path(str(airflow_provider_kognic.__file__)).parents[1]
COUNT, SIZE = 6, 40 << 20

CHILD = """
import asyncio, json, sys
from pathlib import Path
from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.switches import Switches
from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.upload import upload

url, name, secret, group, given, most, validation, *packed = sys.argv[1:]

def most_resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) << 10

async def run():
    settings = Settings(base_url=url, auth_host=url, credentials=(name, secret), timeout=60)
    options = UploadOptions.of(max_memory_bytes=int(most), validation=validation)
    switches = Switches(compression=bool(packed))
    async with AsyncKognicClient(settings, switches=switches) as client:
        before = most_resident()
        source = open_source(Path(given), None, resolve=Path)
        report = await upload(
            source, client, predictions_group_uuid=group, options=options, switches=switches
        )
        return {"uploaded": report.summary.uploaded, "more": most_resident() - before}

print(json.dumps(asyncio.run(run())))
"""


def uploaded(*arguments: object) -> dict[str, Any]:
    """What an upload in a process of its own says: how many were uploaded, and how much memory it took for that."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def large(number: int) -> bytes:
    return json.dumps(
        {"openlabel": {"metadata": {"schema_version": "1.0.0", "comment": f"{number}" * SIZE}}}
    ).encode()


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="it is read there how much memory was taken"
)
@pytest.mark.parametrize("kind", ["files", "rows.jsonl"])
def test_large_documents_are_in_memory_one_after_the_other(
    emulator: Emulator, group: str, tmp_path: Path, kind: str
) -> None:
    """Ten connections could send them all at once; each is larger than what is allowed, and so goes alone."""
    if kind == "files":
        (tmp_path / kind).mkdir()
        for number in range(COUNT):
            (tmp_path / kind / f"{demo.scene_uuid(number)}.json").write_bytes(large(number))
    else:
        with (tmp_path / kind).open("wb") as file:
            for number in range(COUNT):
                scene = demo.scene_uuid(number).encode()
                file.write(b'{"sceneUuid": "%s", "openlabelContent": %s}\n' % (scene, large(number)))
    account = [emulator.url, emulator.client_id, emulator.client_secret]
    found = uploaded(*account, group, tmp_path / kind, SIZE, "off")
    assert found["uploaded"] == COUNT
    # The document, the request's body, and what of it the connection has not taken yet, twice.
    assert found["more"] < 7 * SIZE


def many_values() -> bytes:
    """A valid document of 11 MB that takes many times as much while it is checked: it has a million lists."""
    document = content()
    frame = document["openlabel"]["frames"]["0"]
    frame["objects"]["1"]["object_data"]["vec"] = "VALUES"
    document["openlabel"]["frames"]["1"] = frame | {"frame_properties": {"timestamp": 100}}
    values = b"[%s]" % b",".join([b'{"val":[]}'] * 490_000)
    return json.dumps(document).encode().replace(b'"VALUES"', values)


def answers(connection: socket.socket, request: Request) -> None:
    """A server that takes everything, and remembers nothing."""
    if request.path.endswith("/token"):
        said = {"access_token": "t", "token_type": "Bearer", "expires_in": 3600}
        connection.sendall(http(body=json.dumps(said)))
    elif request.method == "GET":
        connection.sendall(http(body=json.dumps({"data": []})))
    else:
        connection.sendall(another_created())


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="it is read there how much memory was taken"
)
def test_large_documents_are_checked_one_after_the_other(tmp_path: Path) -> None:
    """All of them may be in memory; what they are decoded into, and takes much more, may not."""
    document = many_values()
    for number in range(COUNT):
        (tmp_path / f"{demo.scene_uuid(number)}.json").write_bytes(document)
    with raw_server(answers) as server:
        found = uploaded(server.url, "id", "secret", UUID, tmp_path, 1 << 30, "strict")
        server.requests.clear()
    assert found["uploaded"] == COUNT
    # Each as it is and as the request's body; and one that is checked.
    assert found["more"] < (2 * COUNT + 12) * len(document)


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="it is read there how much memory was taken"
)
@pytest.mark.parametrize("refused", [False, True])
def test_what_is_compressed_takes_the_place_of_what_it_was(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refused: bool,  # noqa: FBT001
) -> None:
    """Also where a server does not take it so, and it is made plain again."""
    size = SIZE // 4
    # What is freed is given back at once: else it is seen how an allocator keeps it.
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", str(1 << 20))
    for number in range(COUNT):
        digits = random.Random(number).randbytes(size // 2).hex()
        document = {"openlabel": {"metadata": {"schema_version": "1.0.0", "comment": digits}}}
        (tmp_path / f"{demo.scene_uuid(number)}.json").write_text(json.dumps(document))
    packed: list[int] = []

    def answer(connection: socket.socket, request: Request) -> None:
        if request.headers.get("content-encoding") == "gzip":
            packed.append(len(request.body))
            if refused:
                connection.sendall(http(415, "{}"))
                return
        answers(connection, Request(request.method, request.path, request.headers, b""))

    with raw_server(answer) as server:
        found = uploaded(server.url, "id", "secret", UUID, tmp_path, size, "off", "packed")
        server.requests.clear()
    assert found["uploaded"] == COUNT
    assert len(packed) == (1 if refused else COUNT)
    assert max(packed) < 0.6 * size
    # The same documents take four times their size where they are sent as they are.
    assert found["more"] < 7 * size
