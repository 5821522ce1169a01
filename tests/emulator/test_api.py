import asyncio
import gzip
import json
from typing import Any

import httpx
import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.patience import PATIENCE, wait_for

from .conftest import Post, openlabel

UNKNOWN = "99999999-9999-4999-8999-999999999999"


def test_lists_the_demo_datasets_in_an_envelope(client: httpx.Client) -> None:
    rows = {row["uuid"]: row for row in client.get("/v2/datasets").json()["data"]}
    assert rows[demo.DATASET_UUID]["name"] == demo.DATASET_NAME
    assert rows[demo.SEGMENTATION_DATASET_UUID]["hasSegmentation"] is True


def test_annotations_are_paged_until_a_page_is_empty(emulator: Emulator, client: httpx.Client) -> None:
    emulator.set_faults(page_size=150)
    seen: list[str] = []
    pages = []
    while True:
        path = f"/v1/datasets/{demo.DATASET_UUID}/annotations"
        page = client.get(path, params={"offset": len(seen)}).json()["data"]
        pages.append(len(page))
        if not page:
            break
        seen += [row["sceneUuid"] for row in page]
    assert pages == [150, 150, 100, 0]
    assert seen == [demo.scene_uuid(index) for index in range(demo.SCENE_COUNT)]


@pytest.mark.parametrize("offset", ["-1", "x", "1.5", "9" * 30, "\u0661"])
def test_an_offset_that_is_no_number_is_refused(client: httpx.Client, offset: str) -> None:
    answer = client.get(f"/v1/datasets/{demo.DATASET_UUID}/annotations", params={"offset": offset})
    assert answer.status_code == 400
    assert "offset" in answer.json()["message"]


@pytest.mark.parametrize("path", ["annotations", "predictions-groups"])
def test_an_unknown_dataset_is_404_with_a_message(client: httpx.Client, path: str) -> None:
    answer = client.get(f"/v1/datasets/{UNKNOWN}/{path}")
    assert answer.status_code == 404
    assert UNKNOWN in answer.json()["message"]


def test_a_group_is_made_and_listed_with_its_class_mapping(emulator: Emulator, client: httpx.Client) -> None:
    dataset = emulator.create_dataset(count=1)["uuid"]
    mapping = [{"annotated": "Car", "predicted": "car"}, {"annotated": "only_in_annotations"}]
    path = f"/v1/datasets/{dataset}/predictions-groups"
    body = {"name": "detector", "description": "of today", "classMapping": mapping}
    uuid = client.post(path, json=body).json()["data"]
    (row,) = client.get(path).json()["data"]
    assert (row["uuid"], row["name"], row["description"], row["classMapping"]) == (
        uuid,
        "detector",
        "of today",
        mapping,
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"description": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": 1}, "name"),
        ({"name": "a", "colour": "red"}, "colour"),
        ({"name": "a", "classMapping": []}, "empty"),
        ({"name": "a", "classMapping": [{}]}, "annotated, predicted, or both"),
        ({"name": "a", "classMapping": [{"annotated": "x", "guessed": "y"}]}, "guessed"),
        ({"name": "a", "classMapping": [{"annotated": ""}]}, "non-empty"),
        ({"name": "a", "classMapping": [{"predicted": 3}]}, "non-empty"),
        ({"name": "a", "classMapping": {"a": "b"}}, "classMapping"),
        ([], "object"),
    ],
)
def test_a_malformed_group_is_refused(client: httpx.Client, body: Any, message: str) -> None:
    answer = client.post(f"/v1/datasets/{demo.DATASET_UUID}/predictions-groups", json=body)
    assert answer.status_code == 400
    assert message in answer.json()["message"]


def test_a_prediction_is_kept_byte_for_byte(emulator: Emulator, client: httpx.Client, group: str) -> None:
    """Even its whitespace, and a number that no float can hold, arrive unchanged."""
    text = json.dumps(openlabel(), indent=3).replace("10,", "10.000000000000000000001,").encode()
    body = b'{ "openlabelContent" : ' + text + b', "sceneUuid": "' + demo.scene_uuid(7).encode() + b'"}'
    uuid = client.post(f"/v1/predictions-groups/{group}/predictions", content=body).json()["data"]
    assert emulator.document(uuid) == text
    (row,) = emulator.predictions(group)
    assert (row["uuid"], row["predictions_group_uuid"], row["scene_uuid"], row["size"]) == (
        uuid,
        group,
        demo.scene_uuid(7),
        len(text),
    )


def test_a_large_prediction_is_taken_too(emulator: Emulator, post: Post) -> None:
    document = openlabel()
    document["openlabel"]["objects"] |= {str(i): {"name": "x" * 100, "type": "Car"} for i in range(5000)}
    answer = post(content=document)
    assert answer.status_code == 200
    assert json.loads(emulator.document(answer.json()["data"])) == document


def test_a_double_slash_in_the_path_is_understood(client: httpx.Client, group: str) -> None:
    """The snippets in Kognic's documentation produce it."""
    body = {"sceneUuid": demo.scene_uuid(0), "openlabelContent": openlabel()}
    assert client.post(f"/v1//predictions-groups/{group}/predictions", json=body).status_code == 200


def test_an_unknown_group_is_404(post: Post) -> None:
    answer = post(into=UNKNOWN)
    assert answer.status_code == 404
    assert UNKNOWN in answer.json()["message"]


def test_an_unknown_scene_is_400(post: Post) -> None:
    answer = post(scene=UNKNOWN)
    assert answer.status_code == 400
    assert "is not in dataset" in answer.json()["message"]


def test_a_scene_without_annotations_is_400_until_it_is_annotated(emulator: Emulator, post: Post) -> None:
    dataset = emulator.create_dataset(count=2, annotated=1)
    group = emulator.create_group(dataset["uuid"])
    annotated, bare = dataset["scenes"]
    assert post(annotated, into=group).status_code == 200
    answer = post(bare, into=group)
    assert answer.status_code == 400
    assert "no annotations" in answer.json()["message"]
    emulator.annotate(dataset["uuid"], [bare])
    assert post(bare, into=group).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"\xff"',
        b'{"sceneUuid": "a"}',
        b'{"openlabelContent": {"openlabel": {}}}',
        b'{"sceneUuid": 3, "openlabelContent": {"openlabel": {}}}',
        b'{"sceneUuid": "a", "openlabelContent": []}',
        b'{"sceneUuid": "a", "openlabelContent": {"other": 1}}',
    ],
)
@pytest.mark.parametrize("validate", [True, False])
def test_a_malformed_body_is_400(
    emulator: Emulator, client: httpx.Client, group: str, body: bytes, *, validate: bool
) -> None:
    emulator.set_faults(validate_openlabel=validate)
    answer = client.post(f"/v1/predictions-groups/{group}/predictions", content=body)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert emulator.count_predictions(group) == 0


def test_a_document_that_is_no_openlabel_is_400_unless_that_check_is_off(
    emulator: Emulator, post: Post
) -> None:
    wrong = {"openlabel": {"metadata": {"schema_version": "1.0.0"}, "frames": {"0": {"objects": {"a": 1}}}}}
    answer = post(content=wrong)
    assert answer.status_code == 400
    assert "openlabel.frames" in answer.json()["message"]
    emulator.set_faults(validate_openlabel=False)
    assert post(content=wrong).status_code == 200


def test_a_segmentation_needs_a_class_mapping_in_a_dataset_with_segmentation(
    emulator: Emulator, post: Post
) -> None:
    dataset, scene = demo.SEGMENTATION_DATASET_UUID, demo.segmentation_scene_uuid(0)
    picture = openlabel("image", "iVBORw0KGgo=")
    plain = emulator.create_group(dataset)
    mapped = emulator.create_group(dataset, class_mapping=[{"annotated": "_background", "predicted": "x"}])
    answer = post(scene, picture, into=plain)
    assert answer.status_code == 400
    assert "classMapping" in answer.json()["message"]
    assert post(scene, picture, into=mapped).status_code == 200
    assert post(scene, openlabel(), into=plain).status_code == 200


def test_a_class_called_image_is_no_segmentation(emulator: Emulator, post: Post) -> None:
    document = openlabel()
    next(iter(document["openlabel"]["objects"].values()))["type"] = "image"
    plain = emulator.create_group(demo.SEGMENTATION_DATASET_UUID)
    assert post(demo.segmentation_scene_uuid(0), document, into=plain).status_code == 200


def test_a_repeated_scene_stands_beside_the_first(emulator: Emulator, post: Post, group: str) -> None:
    first, second = post().json()["data"], post().json()["data"]
    assert [row["uuid"] for row in emulator.predictions(group, demo.scene_uuid(0))] == [first, second]


def test_a_repeated_scene_replaces_the_first_when_told_so(emulator: Emulator, post: Post, group: str) -> None:
    emulator.set_faults(repeated_scene="replace")
    first, second = post().json()["data"], post().json()["data"]
    assert [row["uuid"] for row in emulator.predictions(group)] == [second]
    with pytest.raises(httpx.HTTPStatusError):
        emulator.document(first)


def test_a_repeated_scene_is_a_conflict_when_told_so(emulator: Emulator, post: Post, group: str) -> None:
    emulator.set_faults(repeated_scene="conflict")
    first = post().json()["data"]
    answer = post()
    assert answer.status_code == 409
    assert demo.scene_uuid(0) in answer.json()["message"]
    assert post(demo.scene_uuid(1)).status_code == 200
    assert emulator.predictions(group)[0]["uuid"] == first


def test_predictions_cannot_be_listed_unless_that_is_switched_on(
    emulator: Emulator, client: httpx.Client, post: Post, group: str
) -> None:
    path = f"/v1/predictions-groups/{group}/predictions"
    uuids = [post(demo.scene_uuid(index)).json()["data"] for index in range(3)]
    assert client.get(path).status_code == 405
    emulator.set_faults(predictions_listing=True, page_size=2)
    pages = [client.get(path, params={"offset": offset}).json()["data"] for offset in (0, 2, 3)]
    assert [[row["uuid"] for row in page] for page in pages] == [uuids[:2], uuids[2:], []]
    assert pages[0][1]["sceneUuid"] == demo.scene_uuid(1)
    assert client.get(f"/v1/predictions-groups/{UNKNOWN}/predictions").status_code == 404


def test_the_listing_lags_behind_when_told_so(
    emulator: Emulator, client: httpx.Client, post: Post, group: str
) -> None:
    path = f"/v1/predictions-groups/{group}/predictions"
    emulator.set_faults(predictions_listing=True, listing_lag=3600)
    post()
    assert client.get(path).json()["data"] == []
    emulator.change_faults(listing_lag=0.5)
    wait_for(lambda: client.get(path).json()["data"])


def test_ten_requests_are_served_at_a_time_and_the_eleventh_is_429(emulator: Emulator, group: str) -> None:
    emulator.set_faults(rules=[{"kind": "latency", "seconds": 2}])
    body = {"sceneUuid": demo.scene_uuid(0), "openlabelContent": openlabel()}
    headers = {"Authorization": f"Bearer {emulator.token()}"}

    async def post_all(number: int) -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=number)
        async with httpx.AsyncClient(
            base_url=emulator.url, headers=headers, limits=limits, trust_env=False, timeout=PATIENCE
        ) as http:
            path = f"/v1/predictions-groups/{group}/predictions"
            return await asyncio.gather(*(http.post(path, json=body) for _ in range(number)))

    assert {answer.status_code for answer in asyncio.run(post_all(10))} == {200}
    answers = asyncio.run(post_all(11))
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [429]
    (refused,) = (answer for answer in answers if answer.status_code == 429)
    assert refused.headers["Retry-After"] == "1"
    assert refused.json()["message"]
    stats = emulator.stats()
    assert (stats["most_in_flight"], stats["rejected_too_many"], stats["predictions_created"]) == (11, 1, 20)


def test_the_sunset_header_is_sent_when_set(emulator: Emulator, client: httpx.Client) -> None:
    assert "sunset-date" not in client.get("/v2/datasets").headers
    emulator.set_faults(sunset_date="2030-01-01T00:00:00Z")
    assert client.get("/v2/datasets").headers["sunset-date"] == "2030-01-01T00:00:00Z"


def test_an_unknown_path_is_404_as_json(client: httpx.Client) -> None:
    answer = client.get("/v1/nothing")
    assert answer.status_code == 404
    assert answer.json() == {"message": "Not Found"}


def test_the_end_of_one_endpoint_is_announced_by_itself(emulator: Emulator, client: httpx.Client) -> None:
    emulator.set_faults(sunset_date={"/annotations$": "2030-01-01", "^/v1/": "2031-01-01"})
    dataset = f"/v1/datasets/{demo.DATASET_UUID}"
    found = {
        path: client.get(path).headers.get("sunset-date")
        for path in ("/v2/datasets", f"{dataset}/annotations", f"{dataset}/predictions-groups")
    }
    assert list(found.values()) == [None, "2030-01-01", "2031-01-01"]


def test_a_prediction_may_be_compressed_where_that_is_switched_on(
    emulator: Emulator, client: httpx.Client, group: str
) -> None:
    body = json.dumps({"sceneUuid": demo.scene_uuid(0), "openlabelContent": openlabel()}).encode()
    path = f"/v1/predictions-groups/{group}/predictions"

    def sent(content: bytes, encoding: str = "gzip") -> httpx.Response:
        return client.post(path, content=content, headers={"Content-Encoding": encoding})

    assert sent(gzip.compress(body)).status_code == 400
    emulator.set_faults(request_compression=True, max_body_bytes=len(body))
    answer = sent(gzip.compress(body))
    assert answer.status_code == 200
    assert json.loads(emulator.document(answer.json()["data"])) == openlabel()
    assert sent(body, "identity").status_code == 200
    assert sent(gzip.compress(body + b" ")).status_code == 413
    assert sent(gzip.compress(body)[:-9]).status_code == 400
    assert sent(body).status_code == 400
    refused = sent(body, "br")
    assert (refused.status_code, refused.headers["Accept-Encoding"]) == (415, "gzip")


def test_a_prediction_sent_again_with_its_key_is_the_same_where_that_is_switched_on(
    emulator: Emulator, post: Post, group: str
) -> None:
    key = {"Idempotency-Key": "one"}
    assert post(headers=key).json() != post(headers=key).json()
    emulator.set_faults(idempotency_key=True)
    first, again = post(headers=key).json()["data"], post(headers=key).json()["data"]
    assert first == again
    assert len({first, post().json()["data"], post(headers={"Idempotency-Key": "two"}).json()["data"]}) == 3
    assert post(into=emulator.create_group(), headers=key).json()["data"] != first
    assert emulator.count_predictions(group) == 5
    assert emulator.stats()["predictions_created"] == 6
