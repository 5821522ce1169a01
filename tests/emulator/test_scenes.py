"""The input API, where it is switched on."""

import uuid
from typing import Any

import httpx
import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator

SCENE = demo.scene_uuid(7)
POSE = {"position": {"x": 1.0, "y": 2.0, "z": 3.0}, "rotation": {"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0}}
CALLS = [
    ("GET", f"/v2/scenes/{SCENE}", "scenes"),
    ("POST", "/v2/scenes/query", "query"),
    ("GET", f"/v2/scenes/{SCENE}/ego-poses", "ego_poses"),
    ("GET", f"/v2/scenes/{SCENE}/annotations", "annotations"),
    ("GET", "/v1/calibrations?id=demo", "calibrations"),
]


@pytest.fixture
def switched_on(emulator: Emulator) -> None:
    emulator.set_faults(input_api=True)


def seeded(emulator: Emulator, **scene: Any) -> str:
    """Describe a scene, and return its uuid."""
    (made,) = emulator.seed(scenes=[scene])["scenes"]
    return made


def asked(client: httpx.Client, **query: Any) -> httpx.Response:
    return client.post("/v2/scenes/query", json=query)


@pytest.mark.parametrize(("method", "path", "endpoint"), CALLS)
def test_nothing_of_it_is_there_unless_switched_on(
    emulator: Emulator, client: httpx.Client, method: str, path: str, endpoint: str
) -> None:
    """With a token or without one: as what nobody ever heard of."""
    elsewhere = client.request(method, "/v2/elsewhere")
    without_token: dict[str, str] = {}
    for headers in (dict(client.headers), without_token):
        answer = httpx.request(method, emulator.url + path, headers=headers)
        assert (answer.status_code, answer.json()) == (404, elsewhere.json())
    assert httpx.delete(emulator.url + path).status_code == 404
    emulator.set_faults(input_api=[endpoint])
    others = [other for other in CALLS if other[2] != endpoint]
    assert client.request(method, path).json() != elsewhere.json()
    # Where only the path of another endpoint is known, its method is not.
    assert {client.request(*other[:2]).status_code for other in others} <= {404, 405}


@pytest.mark.parametrize(("method", "path", "endpoint"), CALLS)
@pytest.mark.usefixtures("switched_on")
def test_all_of_it_asks_for_a_token(emulator: Emulator, method: str, path: str, endpoint: str) -> None:
    assert httpx.request(method, emulator.url + path).status_code == 401


@pytest.mark.usefixtures("switched_on")
def test_a_summary_says_what_was_recorded(emulator: Emulator, client: httpx.Client) -> None:
    scene = seeded(
        emulator,
        external_id="drive 1/scene 2",
        cameras={"left": [640, 480], "right": [1280, 720]},
        lidars=["roof"],
        frame_relative_times=[0, 500, 1000],
        is_motion_compensated=False,
        metadata={"weather": "rain", "lanes": 2},
        workspace_id="w",
    )
    summary = client.get(f"/v2/scenes/{scene}").json()
    calibration, created = summary.pop("calibrationId"), summary.pop("created")
    assert created.endswith("+00:00")
    assert summary == {
        "sceneUuid": scene,
        "externalId": "drive 1/scene 2",
        "workspaceId": "w",
        "frameRelativeTimes": [0, 500, 1000],
        "lidars": ["roof"],
        "cameras": ["left", "right"],
        "sceneType": "lidars_and_cameras_sequence",
        "isMultiSensor": True,
        "isMotionCompensated": False,
        "metadata": {"weather": "rain", "lanes": 2},
    }
    sensors = client.get("/v1/calibrations", params={"id": calibration}).json()["calibration"]
    sizes = {name: (one.get("image_width"), one.get("image_height")) for name, one in sensors.items()}
    assert sizes == {"left": (640, 480), "right": (1280, 720), "roof": (None, None)}
    assert emulator.stats()["requests"]["GET /v2/scenes/{uuid}"] == {"200": 1}


@pytest.mark.usefixtures("switched_on")
def test_what_is_not_known_of_a_scene_is_left_out(emulator: Emulator, client: httpx.Client) -> None:
    scene = seeded(emulator)
    summary = client.get(f"/v2/scenes/{scene}").json()
    assert {"calibrationId", "frameRelativeTimes", "lidars", "cameras", "metadata"}.isdisjoint(summary)
    assert summary["externalId"] == scene
    assert client.get(f"/v2/scenes/{uuid.uuid4()}").status_code == 404


@pytest.mark.usefixtures("switched_on")
def test_a_scene_is_described_anew(emulator: Emulator, client: httpx.Client) -> None:
    scene = seeded(emulator, cameras=["a"], annotations=[{"openlabel": {}}, {"openlabel": {}}])
    seeded(emulator, uuid=scene, cameras=["b"], external_id="another", annotations=[{"openlabel": {}}])
    assert client.get(f"/v2/scenes/{scene}").json()["cameras"] == ["b"]
    assert len(client.get(f"/v2/scenes/{scene}/annotations").json()) == 1
    (row,) = asked(client, externalIds=["another"]).json()
    assert row["uuid"] == scene


@pytest.mark.parametrize("status", ["broken-input", "duplicate", "incorrectly-created"])
@pytest.mark.usefixtures("switched_on")
def test_an_invalidated_scene_shows_to_who_asks_for_such(
    emulator: Emulator, client: httpx.Client, status: str
) -> None:
    scene = seeded(emulator)
    emulator.set_scene_status(scene, f"invalidated:{status}")
    answers = {
        asked_for: client.get(f"/v2/scenes/{scene}", params=params).status_code
        for asked_for, params in (
            ("nothing", {}),
            ("false", {"includeInvalidated": "false"}),
            ("true", {"includeInvalidated": "true"}),
            ("True", {"includeInvalidated": "True"}),
        )
    }
    assert answers == {"nothing": 404, "false": 404, "true": 200, "True": 200}
    assert asked(client, sceneUuids=[scene]).json()[0]["status"] == f"invalidated:{status}"


@pytest.mark.usefixtures("switched_on")
def test_scenes_are_found_by_external_ids_which_are_not_unique(
    emulator: Emulator, client: httpx.Client
) -> None:
    name, other = str(uuid.uuid4()), str(uuid.uuid4())
    scenes = emulator.seed(
        scenes=[
            {"external_id": name},
            {"external_id": name, "status": "failed", "error_message": "no points"},
            {"external_id": other},
        ]
    )["scenes"]
    rows = asked(client, externalIds=[other, name, name]).json()
    assert [row["uuid"] for row in rows] == scenes
    assert [row["status"] for row in rows] == ["created", "failed", "created"]
    assert [row.get("errorMessage") for row in rows] == [None, "no points", None]
    assert [row["uuid"] for row in asked(client, sceneUuids=scenes[:1]).json()] == scenes[:1]
    assert asked(client, externalIds=[]).json() == []
    for unknown in ({"externalIds": [name, "nobody"]}, {"sceneUuids": [scenes[0], str(uuid.uuid4())]}):
        answer = asked(client, **unknown)
        assert (answer.status_code, set(answer.json())) == (404, {"message"})


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"externalIds": [], "sceneUuids": []}', b'{"externalIds": "a"}', b'{"ids": []}'],
)
@pytest.mark.usefixtures("switched_on")
def test_a_query_of_something_else_is_refused(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/v2/scenes/query", content=body)
    assert answer.status_code == 400
    assert answer.json()["message"]


@pytest.mark.usefixtures("switched_on")
def test_many_external_ids_are_asked_for_at_once(emulator: Emulator, client: httpx.Client) -> None:
    names = [f"{uuid.uuid4()}/{index}" for index in range(2000)]
    made = emulator.seed(scenes=[{"external_id": name} for name in names])["scenes"]
    assert [row["uuid"] for row in asked(client, externalIds=names).json()] == made


@pytest.mark.usefixtures("switched_on")
def test_ego_poses_are_there_or_not(emulator: Emulator, client: httpx.Client) -> None:
    moving, unknown = seeded(emulator, ego_poses={"0": POSE, "1": POSE}), seeded(emulator)
    assert client.get(f"/v2/scenes/{moving}/ego-poses").json() == {"poses": {"0": POSE, "1": POSE}}
    assert client.get(f"/v2/scenes/{unknown}/ego-poses").status_code == 404


@pytest.mark.usefixtures("switched_on")
def test_annotations_lie_behind_signed_addresses_that_take_no_token(
    emulator: Emulator, client: httpx.Client
) -> None:
    documents = [{"openlabel": {"objects": {"a": {"type": kind}}}} for kind in ("Car", "Van")]
    scene = seeded(emulator, annotations=documents)
    rows = client.get(f"/v2/scenes/{scene}/annotations").json()
    assert {row["sceneUuid"] for row in rows} == {scene}
    assert [httpx.get(row["uri"]).json() for row in rows] == documents
    assert client.get(rows[0]["uri"]).status_code == 400
    address, _, signature = rows[0]["uri"].partition("?signature=")
    assert httpx.get(address).status_code == 403
    assert httpx.get(f"{address}?signature={signature[:-1]}").status_code == 403
    assert httpx.get(f"{rows[1]['uri'].partition('?')[0]}?signature={signature}").status_code == 403
    emulator.change_faults(script=[{"kind": "503_before", "match": {"path": "^/content/"}}])
    assert [httpx.get(row["uri"]).status_code for row in rows] == [503, 200]
    emulator.change_faults(input_api=False)
    assert httpx.get(rows[0]["uri"]).status_code == 404


@pytest.mark.usefixtures("switched_on")
def test_what_a_dataset_has_annotated_is_annotated_in_the_scene(
    emulator: Emulator, client: httpx.Client
) -> None:
    dataset = emulator.create_dataset(annotated=False)["uuid"]
    scene = seeded(emulator, dataset=dataset)
    assert client.get(f"/v2/scenes/{scene}/annotations").json() == []
    emulator.annotate(dataset, [scene])
    (row,) = client.get(f"/v2/scenes/{scene}/annotations").json()
    assert list(httpx.get(row["uri"]).json()) == ["openlabel"]
    assert client.get(f"/v2/scenes/{uuid.uuid4()}/annotations").status_code == 404


@pytest.mark.usefixtures("switched_on")
def test_calibrations_are_found_by_id_and_external_id(emulator: Emulator, client: httpx.Client) -> None:
    name = str(uuid.uuid4())
    wanted = {"external_id": name, "cameras": {"c": [4, 3]}, "lidars": ["l"]}
    first, second = emulator.seed(calibrations=[wanted, wanted])["calibrations"]
    rows = client.get("/v1/calibrations", params={"externalId": name}).json()
    assert [row["id"] for row in rows] == [first, second]
    assert client.get("/v1/calibrations", params={"id": second}).json() == rows[1]
    assert first in [row["id"] for row in client.get("/v1/calibrations").json()]
    assert client.get("/v1/calibrations", params={"id": "nobody's"}).status_code == 404
    assert rows[0]["calibration"]["c"]["image_width"] == 4
    emulator.change_faults(calibration_names="camelCase")
    again = client.get("/v1/calibrations", params={"id": first}).json()
    assert (again["calibration"]["c"]["imageWidth"], again["calibration"]["l"]["calibrationType"]) == (
        4,
        "lidar",
    )


@pytest.mark.parametrize(("method", "path", "endpoint"), CALLS)
def test_its_answers_are_enveloped_where_that_is_switched_on(
    emulator: Emulator, client: httpx.Client, method: str, path: str, endpoint: str
) -> None:
    emulator.set_faults(input_api=True)
    seeded(emulator, uuid=SCENE, external_id="demo/7", ego_poses={"0": POSE}, annotations=[{"openlabel": {}}])
    body = {"externalIds": ["demo/7"]} if method == "POST" else None
    bare = client.request(method, path, json=body).json()
    emulator.change_faults(input_envelope=True)
    assert client.request(method, path, json=body).json() == {"data": bare}


def test_the_scenes_of_the_demo_are_described(emulator: Emulator, client: httpx.Client) -> None:
    """As the example Dags predict them."""
    emulator.set_faults(input_api=True)
    names = {"demo/0": demo.scene_uuid(0), "demo-segmentation/3": demo.segmentation_scene_uuid(3)}
    rows = asked(client, externalIds=list(names)).json()
    assert {row["externalId"]: row["uuid"] for row in rows} == names
    for row, size in zip(rows, (demo.IMAGE_SIZE, demo.SEGMENTATION_IMAGE_SIZE), strict=True):
        found = client.get("/v1/calibrations", params={"id": row["calibrationId"]}).json()["calibration"]
        assert (found[demo.CAMERA]["image_width"], found[demo.CAMERA]["image_height"]) == size
        assert client.get(f"/v2/scenes/{row['uuid']}").json()["cameras"] == [demo.CAMERA]


def test_a_seed_is_planted_whole_or_not_at_all(emulator: Emulator, client: httpx.Client) -> None:
    emulator.set_faults(input_api=True)
    name, dataset = str(uuid.uuid4()), str(uuid.uuid4())
    wanted: dict[str, Any] = {
        "datasets": [{"name": "a", "uuid": dataset, "count": 2}],
        "scenes": [{"external_id": name}],
    }
    lost = {"external_id": name, "dataset": str(uuid.uuid4())}
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        emulator.seed(**{**wanted, "scenes": [*wanted["scenes"], lost]})
    assert asked(client, externalIds=[name]).status_code == 404
    with pytest.raises(httpx.HTTPStatusError, match="422"):
        emulator.seed(scenes=[{"colour": "red"}])
    first, again = emulator.seed(**wanted), emulator.seed(**wanted)
    assert first["datasets"] == again["datasets"] == [dataset]
    assert len(asked(client, externalIds=[name]).json()) == 2
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        emulator.set_scene_status(str(uuid.uuid4()), "failed")
