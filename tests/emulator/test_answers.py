"""Faults of what is answered, and of what others do before it is: seen on the wire where a client would hide it."""

import contextlib
import json
import re
import time
import zlib
from typing import Any

import httpx
import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator

from .conftest import Post
from .wire import posted

LIST = {"method": "GET", "path": "/predictions$"}


def uuids(emulator: Emulator, group: str) -> list[str]:
    return [row["uuid"] for row in emulator.predictions(group)]


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize("commit", [False, True])
def test_a_redirection_was_carried_out_or_not(
    emulator: Emulator, post: Post, group: str, status: int, *, commit: bool
) -> None:
    emulator.set_faults(script=[{"kind": "redirect", "location": "/x", "status": status, "commit": commit}])
    answer = post()
    assert (answer.status_code, answer.headers["Location"]) == (status, "/x")
    assert emulator.count_predictions(group) == int(commit)
    assert post().status_code == 200


@pytest.mark.parametrize("commit", [False, True])
def test_one_uuid_for_all(emulator: Emulator, post: Post, group: str, *, commit: bool) -> None:
    emulator.set_faults(rules=[{"kind": "same_uuid", "commit": commit}])
    answers = {post(demo.scene_uuid(index)).json()["data"] for index in range(4)}
    kept = uuids(emulator, group)
    assert answers == {kept[0]}
    assert len(kept) == (4 if commit else 1)


@pytest.mark.parametrize("commit", [False, True])
def test_one_given_uuid_for_all(emulator: Emulator, post: Post, group: str, *, commit: bool) -> None:
    emulator.set_faults(rules=[{"kind": "same_uuid", "uuid": "of-nobody", "commit": commit}])
    assert {post(demo.scene_uuid(index)).json()["data"] for index in range(3)} == {"of-nobody"}
    assert emulator.count_predictions(group) == (3 if commit else 0)


def test_what_is_kept_is_an_answer_and_no_refusal(emulator: Emulator, post: Post) -> None:
    emulator.set_faults(rules=[{"kind": "same_uuid"}])
    assert post("unknown").status_code == 400
    first = post().json()["data"]
    assert post().json()["data"] == first
    emulator.set_faults(rules=[{"kind": "same_uuid"}])
    assert post().json()["data"] != first


@pytest.mark.parametrize(
    ("fault", "behind"),
    [
        ({}, rb'HTTP/1\.1 400 Bad Request\r\n.*\r\n\r\n\{"message":"[^"]+"\}'),
        ({"status": 200}, rb'HTTP/1\.1 200 OK\r\n.*\r\n\r\n\{"data":"[0-9a-f-]{36}"\}'),
        ({"status": 503, "body": "no"}, rb"HTTP/1\.1 503 Service Unavailable\r\n.*\r\n\r\nno"),
        ({"body": "\r\n"}, rb"\r\n"),
    ],
)
@pytest.mark.parametrize("seconds", [0, 0.3])
def test_something_comes_behind_an_answer(
    emulator: Emulator, group: str, fault: dict[str, Any], behind: bytes, seconds: float
) -> None:
    emulator.set_faults(script=[{"kind": "surplus", "seconds": seconds, **fault}])
    with posted(emulator, group) as connection:
        first = connection.recv(65536)
        (uuid,) = uuids(emulator, group)
        whole = rb'HTTP/1\.1 200 OK\r\n.*\r\n\r\n\{"data":"' + uuid.encode() + rb'"\}'
        if seconds:
            assert re.fullmatch(whole, first, re.DOTALL)
            assert re.fullmatch(behind, connection.recv(65536), re.DOTALL)
        else:
            assert re.fullmatch(whole + behind, first, re.DOTALL)


@pytest.mark.parametrize("part", ["headers", "body"])
def test_an_answer_drips(emulator: Emulator, client: httpx.Client, post: Post, group: str, part: str) -> None:
    emulator.set_faults(script=[{"kind": "drip", "seconds": 0.01, "part": part}])
    begin = time.monotonic()
    answer = post()
    assert time.monotonic() - begin > 0.4
    assert [answer.json()["data"]] == uuids(emulator, group)
    assert client.get("/v2/datasets").status_code == 200


def test_who_leaves_while_an_answer_drips_is_let_go(emulator: Emulator, group: str) -> None:
    emulator.set_faults(script=[{"kind": "drip", "seconds": 20, "part": "headers"}])
    with posted(emulator, group) as connection:
        assert connection.recv(1) == b"H"
    assert emulator.count_predictions(group) == 1
    emulator.stop()  # which raises where something keeps it
    emulator.start()


def test_an_answer_is_larger_than_anyone_wants(emulator: Emulator, post: Post, group: str) -> None:
    emulator.set_faults(script=[{"kind": "huge", "size": 3_000_000}])
    answer = post()
    assert len(answer.content) == 3_000_000
    assert [answer.json()["data"]] == uuids(emulator, group)


def test_a_small_answer_becomes_a_large_one(emulator: Emulator, client: httpx.Client, group: str) -> None:
    """It is real gzip: whoever decodes it to its end finds checksum and size right."""
    size = 50_000_000
    emulator.set_faults(predictions_listing=True, script=[{"kind": "gzip_bomb", "size": size, "match": LIST}])
    emulator.add_prediction(group)
    path = f"/v1/predictions-groups/{group}/predictions"
    with client.stream("GET", path, headers={"Accept-Encoding": "identity"}) as answer:
        packed = b"".join(answer.iter_raw())
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(packed) < size / 500
    unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)
    content = unpacking.decompress(packed)
    assert unpacking.eof
    assert size <= len(content) < size + (1 << 20)
    assert [row["uuid"] for row in json.loads(content)["data"]] == uuids(emulator, group)


@pytest.mark.parametrize("paging", ["offset", "cursor"])
@pytest.mark.parametrize("empty", [False, True])
def test_a_listing_says_that_there_is_more_and_gives_no_way_to_it(
    emulator: Emulator, client: httpx.Client, group: str, paging: str, *, empty: bool
) -> None:
    fault = {"kind": "no_way_on", "match": LIST, "empty": empty}
    emulator.set_faults(predictions_listing=True, paging=paging, page_size=1, script=[fault])
    for _ in range(2):
        emulator.add_prediction(group)
    page = client.get(f"/v1/predictions-groups/{group}/predictions").json()
    assert (set(page), page["hasNext"], len(page["data"])) == ({"data", "hasNext"}, True, 0 if empty else 1)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("paging", ["offset", "cursor"])
def test_a_listing_never_ends(
    emulator: Emulator, client: httpx.Client, group: str, paging: str, rows: int
) -> None:
    fault = {"kind": "endless", "match": LIST, "rows": rows}
    emulator.set_faults(predictions_listing=True, paging=paging, has_next=True, rules=[fault])
    path = f"/v1/predictions-groups/{group}/predictions"
    seen: list[str] = []
    ask: dict[str, Any] = {}
    for _ in range(20):
        page = client.get(path, params=ask).json()
        assert page["hasNext"] is True
        seen += [row["uuid"] for row in page["data"]]
        ask = {"cursorId": page["metadata"]["nextCursorId"]} if paging == "cursor" else {"offset": len(seen)}
    assert len(set(seen)) == len(seen) == 20 * rows
    assert len(client.get(path).json()["data"][0]["sceneUuid"]) == 36
    assert httpx.get(f"{emulator.url}{path}").status_code == 401


def test_a_person_removes_a_prediction_between_two_pages(
    emulator: Emulator, client: httpx.Client, group: str
) -> None:
    """So that the page after it skips a row."""
    all_of_them = [emulator.add_prediction(group, demo.scene_uuid(index)) for index in range(6)]
    script = [{"kind": "ok", "match": LIST}, {"kind": "remove_prediction", "match": LIST}]
    emulator.set_faults(predictions_listing=True, page_size=2, script=script)
    seen: list[str] = []
    while page := client.get(
        f"/v1/predictions-groups/{group}/predictions", params={"offset": len(seen)}
    ).json()["data"]:
        seen += [row["uuid"] for row in page]
    assert seen == [*all_of_them[:4], all_of_them[5]]
    assert uuids(emulator, group) == all_of_them[1:]
    assert emulator.stats()["faults"] == {"ok": 1, "remove_prediction": 1}


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ({}, [1, 2, 3]),
        ({"which": "newest"}, [0, 1, 2]),
        ({"which": "all"}, []),
        ({"scene": demo.scene_uuid(1)}, [0, 2]),
        ({"scene": demo.scene_uuid(1), "which": "newest"}, [0, 1, 2]),
        ({"uuid": 2}, [0, 1, 3]),
        ({"scene": "unknown"}, [0, 1, 2, 3]),
        ({"group": "unknown"}, [0, 1, 2, 3]),
    ],
)
def test_which_prediction_a_person_removes(
    emulator: Emulator, client: httpx.Client, group: str, told: dict[str, Any], left: list[int]
) -> None:
    scenes = [demo.scene_uuid(index) for index in (0, 1, 2, 1)]
    made = [emulator.add_prediction(group, scene) for scene in scenes]
    if "uuid" in told:
        told = {"uuid": made[told["uuid"]]}
    emulator.set_faults(
        script=[{"kind": "remove_prediction", "match": {"path": "^/v2/"}, "group": group} | told]
    )
    assert client.get("/v2/datasets").status_code == 200
    assert uuids(emulator, group) == [made[index] for index in left]


@pytest.mark.parametrize("before", [False, True])
def test_a_person_adds_a_prediction_for_the_scene_that_is_posted(
    emulator: Emulator, post: Post, group: str, *, before: bool
) -> None:
    emulator.set_faults(script=[{"kind": "add_prediction", "before": before}])
    mine = post(demo.scene_uuid(5)).json()["data"]
    rows = emulator.predictions(group)
    assert [row["scene_uuid"] for row in rows] == [demo.scene_uuid(5)] * 2
    assert rows[before]["uuid"] == mine


@pytest.mark.parametrize(("kind", "created"), [("503_before", 1), ("503_after", 2), ("drop_before", 1)])
def test_a_person_adds_one_though_the_request_fails(
    emulator: Emulator, post: Post, group: str, kind: str, created: int
) -> None:
    emulator.set_faults(script=[{"kind": "add_prediction"}], rules=[{"kind": kind}])
    with contextlib.suppress(httpx.RemoteProtocolError):
        assert post().status_code == 503
    assert emulator.count_predictions(group) == created


def test_a_page_is_read_before_a_person_adds_to_it_or_after(
    emulator: Emulator, client: httpx.Client, group: str
) -> None:
    add = {"kind": "add_prediction", "match": LIST}
    emulator.set_faults(
        predictions_listing=True, script=[add, add | {"before": True, "scene": demo.scene_uuid(7)}]
    )
    path = f"/v1/predictions-groups/{group}/predictions"
    first, second = (client.get(path).json()["data"] for _ in range(2))
    assert first == []
    assert [row["sceneUuid"] for row in second] == [demo.scene_uuid(0), demo.scene_uuid(7)]
