import httpx
import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator

from .conftest import Post, openlabel

EVIL = "<script>alert('x')</script>\"'&"


def page(emulator: Emulator, path: str, status: int = 200) -> str:
    answer = httpx.get(emulator.url + path)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    return answer.text


def test_the_pages_lead_from_the_datasets_to_a_prediction(emulator: Emulator, post: Post, group: str) -> None:
    uuid = post().json()["data"]
    path = f"/dataset/{demo.DATASET_UUID}"
    assert f'href="{path}"' in page(emulator, "/")
    assert f'href="{path}/predictions/{group}"' in page(emulator, path)
    assert f'href="{path}/predictions/{group}/{uuid}"' in page(emulator, f"{path}/predictions/{group}")
    shown = page(emulator, f"{path}/predictions/{group}/{uuid}")
    assert demo.scene_uuid(0) in shown
    assert f'href="{path}/predictions/{group}/{uuid}/openlabel.json"' in shown
    document = httpx.get(f"{emulator.url}{path}/predictions/{group}/{uuid}/openlabel.json")
    assert document.json() == openlabel()


def test_everything_that_others_wrote_is_escaped(emulator: Emulator, client: httpx.Client) -> None:
    dataset = emulator.create_dataset(EVIL, count=1)
    path = f"/v1/datasets/{dataset['uuid']}/predictions-groups"
    body = {"name": EVIL, "description": EVIL, "classMapping": [{"annotated": EVIL}]}
    group = client.post(path, json=body).json()["data"]
    prediction = {"sceneUuid": dataset["scenes"][0], "openlabelContent": openlabel()}
    uuid = client.post(f"/v1/predictions-groups/{group}/predictions", json=prediction).json()["data"]
    base = f"/dataset/{dataset['uuid']}"
    for path in ("/", base, f"{base}/predictions/{group}", f"{base}/predictions/{group}/{uuid}"):
        text = page(emulator, path)
        assert "alert(" in text
        assert "<script>" not in text
    assert "<script>" not in page(emulator, f"{base}/predictions/{group}?scene=%22%3E%3Cscript%3E")
    assert "<script>" not in page(emulator, "/dataset/%3Cscript%3E", 404)


def test_predictions_are_filtered_by_scene_and_paged(emulator: Emulator, post: Post, group: str) -> None:
    emulator.set_faults(validate_openlabel=False)
    for index in range(103):
        post(demo.scene_uuid(index % 2))
    path = f"/dataset/{demo.DATASET_UUID}/predictions/{group}"
    assert page(emulator, path).count("<tr>") == 101
    assert page(emulator, f"{path}?page=2").count("<tr>") == 4
    filtered = page(emulator, f"{path}?scene={demo.scene_uuid(0)}")
    assert filtered.count("<tr>") == 53
    assert demo.scene_uuid(1) not in filtered
    for odd in ("0", "-3", "x", "99999999999"):
        page(emulator, f"{path}?page={odd}")


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/dataset/unknown",
        f"/dataset/{demo.DATASET_UUID}/predictions/unknown",
        f"/dataset/{demo.DATASET_UUID}/predictions/unknown/unknown",
        "/static/nothing.js",
    ],
)
def test_what_is_not_there_is_a_404_page(emulator: Emulator, path: str) -> None:
    assert "404" in page(emulator, path, 404)


def test_a_prediction_is_shown_only_where_it_belongs(emulator: Emulator, post: Post, group: str) -> None:
    uuid = post().json()["data"]
    other = emulator.create_group()
    page(emulator, f"/dataset/{demo.DATASET_UUID}/predictions/{other}/{uuid}", 404)
    page(emulator, f"/dataset/{demo.SEGMENTATION_DATASET_UUID}/predictions/{group}/{uuid}", 404)


def test_a_prediction_is_drawn_frame_by_frame(emulator: Emulator, post: Post, group: str) -> None:
    """By the server: the page of each frame has its own drawings, and ways to the frames around it."""
    emulator.set_faults(validate_openlabel=False)
    frames = {
        str(number): {
            "frame_properties": {"timestamp": 100 * number},
            "objects": {"1": {"object_data": {"bbox": [{"val": [9, 9, 5, 5]}] * (number + 1)}}},
        }
        for number in range(3)
    }
    document = {"openlabel": {"objects": {"1": {"name": "a", "type": EVIL}}, "frames": frames}}
    uuid = post(content=document).json()["data"]
    path = f"/dataset/{demo.DATASET_UUID}/predictions/{group}/{uuid}"
    for query, boxes, said in (
        ("", 1, "frame 0 (1 of 3), 0 ms"),
        ("?frame=2", 2, "frame 1 (2 of 3), 100 ms"),
        ("?frame=99", 3, "frame 2 (3 of 3), 200 ms"),
        ("?frame=x", 1, "frame 0 (1 of 3), 0 ms"),
    ):
        text = page(emulator, path + query)
        assert text.count('<g class="box">') == boxes
        assert said in text
        assert "<script>" not in text
    assert 'href="?frame=1"' in page(emulator, f"{path}?frame=2")
    assert 'href="?frame=3"' in page(emulator, f"{path}?frame=2")


@pytest.mark.parametrize("document", [{"openlabel": {}}, {"openlabel": {"frames": [1]}}, {"openlabel": 5}])
def test_what_cannot_be_drawn_is_said_to_be(
    emulator: Emulator, post: Post, group: str, document: dict[str, object]
) -> None:
    emulator.set_faults(validate_openlabel=False)
    answer = post(content=document)
    if answer.status_code == 201 or answer.is_success:
        path = f"/dataset/{demo.DATASET_UUID}/predictions/{group}/{answer.json()['data']}"
        assert "This document cannot be drawn" in page(emulator, path)


def test_nothing_is_loaded_from_elsewhere(emulator: Emulator, post: Post, group: str) -> None:
    uuid = post().json()["data"]
    text = page(emulator, f"/dataset/{demo.DATASET_UUID}/predictions/{group}/{uuid}")
    script = httpx.get(f"{emulator.url}/static/viewer.js")
    style = httpx.get(f"{emulator.url}/static/emulator.css")
    drawing = httpx.get(f"{emulator.url}/drawing.css")
    assert drawing.headers["Content-Type"].startswith("text/css")
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert style.headers["Content-Type"].startswith("text/css")
    for content in (text, script.text, style.text, drawing.text):
        assert "http://" not in content
        assert "https://" not in content
        assert "innerHTML" not in content
