"""Scenes of several sensor setups, documents that fit them, and documents that do not, each for one reason."""

import asyncio
import base64
import copy
import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.input_api.waiting import WaitingClient
from airflow_provider_kognic.core.geometry.masks.png import grey_png
from airflow_provider_kognic.core.models import Result
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.reporting.report import Report
from airflow_provider_kognic.core.scenes.cache import SceneCache
from airflow_provider_kognic.core.scenes.known import KnownScenes
from airflow_provider_kognic.core.sources.base import Source
from airflow_provider_kognic.core.sources.rows import RowsSource
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.core.upload import upload
from airflow_provider_kognic.core.validation.scene_check import SceneChecks
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import QUICK, Results, settings_for

LIDAR = "@lidar"
SCENES, CALIBRATIONS = "GET /v2/scenes/{uuid}", "GET /v1/calibrations"

Document = dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """The sensors of a vehicle, and the frames of its scenes."""

    cameras: dict[str, tuple[int, int]]
    lidars: tuple[str, ...] = ()
    times: tuple[int, ...] = (0,)
    more: tuple[str, ...] = ()


SETUPS = (
    Setup({"front": (1920, 1080)}),
    Setup({"front": (640, 480), "left": (320, 240), "right": (320, 240)}, times=(0, 500, 1000)),
    Setup({"cam_front": (1600, 900), "cam_back": (1600, 900)}, ("top",), (0, 100, 200, 300, 400), ("radar",)),
    Setup({"kamera vorn": (64, 48)}, ("dach", "bug"), tuple(range(0, 2000, 250)), ("gps_imu", "other")),
    Setup({"FC": (768, 432), "RC": (1280, 720)}, ("L1",), (0, 33, 67, 100), ("other",)),
)


@dataclass
class World:
    """A dataset in the emulator: scenes with their setups, and a group."""

    emulator: Emulator
    setups: Sequence[Setup]
    scenes: list[str] = field(default_factory=list)
    group: str = ""
    dataset: str = ""

    def __post_init__(self) -> None:
        self.dataset = dataset = str(uuid.uuid4())
        self.scenes = [str(uuid.uuid4()) for _ in self.setups]
        calibrations = {setup: str(uuid.uuid4()) for setup in dict.fromkeys(map(_key, self.setups))}
        by_key = {_key(setup): setup for setup in self.setups}
        self.emulator.seed(
            datasets=[{"name": dataset, "uuid": dataset, "scenes": self.scenes}],
            calibrations=[
                {"id": made, "cameras": by_key[key].cameras, "lidars": list(by_key[key].lidars)}
                for key, made in calibrations.items()
            ],
            scenes=[
                {
                    "uuid": scene,
                    "external_id": f"drive/{scene}",
                    "cameras": sorted(setup.cameras),
                    "lidars": list(setup.lidars) or None,
                    "frame_relative_times": list(setup.times),
                    "calibration": calibrations[_key(setup)],
                }
                for scene, setup in zip(self.scenes, self.setups, strict=True)
            ],
        )
        self.group = self.emulator.create_group(dataset)
        self.emulator.set_faults(input_api=True)
        self.emulator.reset_stats()

    def rows(self, documents: Sequence[Document]) -> RowsSource:
        return RowsSource(
            [
                {"sceneUuid": scene, "openlabelContent": document}
                for scene, document in zip(self.scenes, documents, strict=True)
            ]
        )

    def asked(self, route: str) -> int:
        """How often the emulator was asked for something."""
        return sum(self.emulator.stats()["requests"].get(route, {}).values())


def _key(setup: Setup) -> int:
    return SETUPS.index(setup)


def right(setup: Setup, chance: random.Random) -> Document:
    """A document that fits a scene of the setup, whichever way it makes use of that."""
    cameras = chance.sample(sorted(setup.cameras), chance.randint(1, len(setup.cameras)))
    streams: Document = {name: {"type": "camera"} for name in cameras}
    streams |= {f"{kind} 1": {"type": kind} for kind in setup.more if chance.random() < 0.5}
    objects: Document = {}
    frames: Document = {}
    times = chance.sample(setup.times, chance.randint(1, len(setup.times)))
    for number, time in enumerate(sorted(times)):
        found: Document = {}
        for index in range(chance.randint(0, 4)):
            name = f"{number}{index}"
            objects[name] = {"name": f"box {name}", "type": "Car"}
            found[name] = {"object_data": {"bbox": [_box(chance, cameras, setup)]}}
        if setup.lidars and chance.random() < 0.7:
            streams[LIDAR] = {"type": "lidar"}
            name = f"9{number}"
            objects[name] = {"name": name, "type": "Van"}
            found[name] = {"object_data": {"cuboid": [_cuboid(chance)]}}
        if chance.random() < 0.2:
            objects["7"] = {"name": "mask", "type": "segmentation_bitmap"}
            found["7"] = {"object_data": {"image": [_image(chance.choice(cameras), setup)]}}
        # By Kognic's documentation a timestamp takes precedence over the frame's id.
        frames[str(number * chance.choice((1, 7)))] = _frame(time, found)
    document: Document = {"metadata": {"schema_version": "1.0.0"}, "streams": streams, "frames": frames}
    if objects:
        document["objects"] = objects
    if "7" in objects:
        document["ontologies"] = {"0": {"uri": "", "classifications": {"0": "road"}}}
    return {"openlabel": document}


def full(setup: Setup) -> Document:
    """A document that has one of everything that the setup lets it have, in each frame, to be spoiled."""
    chance = random.Random(0)
    camera = min(setup.cameras)
    objects: Document = {
        "1": {"name": "car", "type": "Car"},
        "7": {"name": "m", "type": "segmentation_bitmap"},
    }
    streams: Document = {name: {"type": "camera"} for name in setup.cameras}
    frames: Document = {}
    for number, time in enumerate(setup.times):
        width, height = setup.cameras[camera]
        data: Document = {"bbox": [_geometry(camera, [width / 2, height / 2, 10, 10])]}
        if setup.lidars:
            streams[LIDAR] = {"type": "lidar"}
            data["cuboid"] = [_cuboid(chance)]
        image = {"object_data": {"image": [_image(camera, setup)]}}
        frames[str(number)] = _frame(time, {"1": {"object_data": data}, "7": image})
    return {
        "openlabel": {
            "metadata": {"schema_version": "1.0.0"},
            "streams": streams,
            "objects": objects,
            "ontologies": {"0": {"uri": "", "classifications": {"0": "road"}}},
            "frames": frames,
        }
    }


def _frame(time: int, objects: Document) -> Document:
    return {"frame_properties": {"timestamp": time, "external_id": "", "streams": {}}, "objects": objects}


def _geometry(stream: str, val: Any, **more: Any) -> Document:
    return {
        "name": "geometry",
        "val": val,
        "attributes": {"text": [{"name": "stream", "val": stream}]},
        **more,
    }


def _box(chance: random.Random, cameras: Sequence[str], setup: Setup) -> Document:
    camera = chance.choice(cameras)
    width, height = setup.cameras[camera]
    size = [chance.uniform(1, 2 * width), chance.uniform(1, 2 * height)]
    # Some part of it lies in the image, and it may be the least.
    centre = [
        chance.choice([-one / 2 + 0.5, whole + one / 2 - 0.5, chance.uniform(0, whole)])
        for one, whole in zip(size, (width, height), strict=True)
    ]
    return _geometry(camera, [*centre, *size])


def _cuboid(chance: random.Random) -> Document:
    position = [chance.uniform(-60, 60), chance.uniform(-60, 60), chance.uniform(-2, 2)]
    return _geometry(LIDAR, [*position, 0, 0, 0, 1, 1.8, 4.5, 1.5])


def _image(camera: str, setup: Setup) -> Document:
    return _geometry(camera, bitmap(*setup.cameras[camera]), mime_type="image/png", encoding="base64")


@lru_cache
def bitmap(width: int, height: int) -> str:
    """A bitmap of one grey level."""
    return base64.b64encode(grey_png([bytes(width)] * height, width, height)).decode()


def first_frame(document: Document) -> Document:
    frames: dict[str, Document] = document["openlabel"]["frames"]
    return frames[min(frames)]


def data_of(document: Document, name: str = "1") -> Document:
    found: Document = first_frame(document)["objects"][name]["object_data"]
    return found


# What is wrong with a document, by the rule that says so.


def unknown_camera(document: Document, setup: Setup) -> None:
    document["openlabel"]["streams"]["nowhere"] = {"type": "camera"}
    data_of(document)["bbox"].append(_geometry("nowhere", [1, 1, 1, 1]))


def misspelled_camera(document: Document, setup: Setup) -> None:
    camera = min(setup.cameras)
    streams = document["openlabel"]["streams"]
    streams[camera.upper() + "_"] = streams.pop(camera)
    for frame in document["openlabel"]["frames"].values():
        for item in frame["objects"].values():
            for kind in ("bbox", "image"):
                for one in item["object_data"].get(kind, ()):
                    one["attributes"]["text"][0]["val"] = camera.upper() + "_"


def lidar_of_no_scene(document: Document, setup: Setup) -> None:
    document["openlabel"]["streams"][LIDAR] = {"type": "lidar"}
    data_of(document)["cuboid"] = [_cuboid(random.Random(1))]


def between_frames(document: Document, setup: Setup) -> None:
    first_frame(document)["frame_properties"]["timestamp"] = setup.times[0] + 7


def after_the_last(document: Document, setup: Setup) -> None:
    first_frame(document)["frame_properties"]["timestamp"] = setup.times[-1] + 1000


def of_today(document: Document, setup: Setup) -> None:
    for number, frame in enumerate(document["openlabel"]["frames"].values()):
        frame["frame_properties"]["timestamp"] = 1_764_300_000_000 + number


def a_frame_more(document: Document, setup: Setup) -> None:
    frames = document["openlabel"]["frames"]
    frames[str(len(frames))] = _frame(setup.times[-1] + 100, {})


def half_a_bitmap(document: Document, setup: Setup) -> None:
    width, height = setup.cameras[min(setup.cameras)]
    data_of(document, "7")["image"][0]["val"] = bitmap(width // 2, height // 2)


def turned_bitmap(document: Document, setup: Setup) -> None:
    width, height = setup.cameras[min(setup.cameras)]
    data_of(document, "7")["image"][0]["val"] = bitmap(height, width)


def box_left_of_it(document: Document, setup: Setup) -> None:
    data_of(document)["bbox"][0]["val"] = [-50, 5, 40, 40]


def box_below_it(document: Document, setup: Setup) -> None:
    width, height = setup.cameras[min(setup.cameras)]
    data_of(document)["bbox"][0]["val"] = [width / 2, height + 500, 40, 40]


def far_cuboid(document: Document, setup: Setup) -> None:
    data_of(document)["cuboid"][0]["val"][:3] = [4000, 300, 1]


Spoil = Callable[[Document, Setup], None]

PLANTED: tuple[tuple[Spoil, str, tuple[int, ...]], ...] = (
    (unknown_camera, "scene_stream", (0, 1, 2, 3, 4)),
    (misspelled_camera, "scene_stream", (0, 2, 4)),
    (lidar_of_no_scene, "scene_stream", (0, 1)),
    (between_frames, "scene_timestamp", (1, 2, 3, 4)),
    (after_the_last, "scene_frame", (0, 1, 4)),
    (of_today, "scene_frame", (2, 3)),
    (a_frame_more, "scene_frame", (0, 3, 4)),
    (half_a_bitmap, "scene_bitmap", (0, 1, 3)),
    (turned_bitmap, "scene_bitmap", (1, 4)),
    (box_left_of_it, "scene_box", (0, 1, 2)),
    (box_below_it, "scene_box", (1, 3)),
    (far_cuboid, "scene_range", (2, 3, 4)),
)
"""How to spoil a document, what it breaks, and the setups for which that is tried."""

STATUSES = ("invalidated:broken-input", "invalidated:duplicate", "invalidated:incorrectly-created")


def planted(spoil: Spoil, setup: Setup) -> Document:
    document = copy.deepcopy(full(setup))
    spoil(document, setup)
    return document


@dataclass
class Checked:
    """An upload that is over: its report, each result by its scene, and what the checks counted."""

    report: Report
    results: dict[str, Result]
    counts: dict[str, Any]


def upload_checked(
    world: World,
    source: Source,
    *,
    mode: str = "error",
    max_range_m: float | None = None,
    folder: Path | None = None,
    patience: float = 10.0,
    **given: Any,
) -> Checked:
    """Upload a source, each document held against its scene."""
    settings = settings_for(world.emulator, input_host=world.emulator.url)
    options = UploadOptions.of(
        scene_check=mode, max_range_m=max_range_m, backoff=QUICK, settle_after=0.2, **given.pop("options", {})
    )
    results = Results()
    waits = Patience(options.outage_timeout, options.backoff)
    cache = SceneCache(folder, "input.example.com")

    async def run() -> tuple[Report, SceneChecks]:
        async with AsyncKognicClient(settings) as client, client.input_api() as api:
            known = KnownScenes(WaitingClient(api, lambda: waits.closed), cache, patience=patience)
            checks = SceneChecks(known, options.scene_check, options.max_range_m)
            report = await upload(
                source,
                client,
                predictions_group_uuid=world.group,
                options=options,
                scene_checks=checks,
                observers=[results],
                patience=waits,
                **given,
            )
            return report, checks

    report, checks = asyncio.run(run())
    checks.flush()
    return Checked(report, {one.scene_uuid: one for one in results.all}, checks.counts())
