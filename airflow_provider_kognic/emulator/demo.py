"""The demo datasets, with uuids that an example can compute for itself."""

import sqlite3
from uuid import UUID, uuid5

from airflow_provider_kognic.emulator.storage import calibrations, clients, datasets, scenes

DATASET_UUID = "0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a01"
"""The dataset that ``--seed-demo`` makes for boxes and cuboids."""

DATASET_NAME = "demo"
SCENE_COUNT = 400
"""How many scenes the demo dataset has, each with one annotation."""

SEGMENTATION_DATASET_UUID = "0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a02"
"""The dataset with segmentation: its groups need a class mapping to take predictions with an image."""

SEGMENTATION_DATASET_NAME = "demo-segmentation"
SEGMENTATION_SCENE_COUNT = 50

CAMERA = "front"
LIDAR = "lidar"
IMAGE_SIZE = (1920, 1080)
FRAME_RELATIVE_TIMES = (0, 100, 200, 300, 400)
"""What the input API, where it is switched on, says of a scene of the demo dataset, beside its one lidar."""

SEGMENTATION_IMAGE_SIZE = (640, 360)
"""The same of the segmentation dataset, whose scenes have one frame and no lidar."""

SCENE_NAMESPACE = UUID("0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1aff")
"""Scene uuids are ``uuid5(SCENE_NAMESPACE, "<dataset name>/<index>")``."""

CLIENT_ID = "emulator-demo-client"
CLIENT_SECRET = "emulator-demo-secret"  # noqa: S105 (documented: it opens nothing but a local emulator)


def scene_uuid(index: int) -> str:
    """The uuid of a scene of the demo dataset.

    Args:
        index: 0 up to, not including, ``SCENE_COUNT``; others give uuids that the dataset does not have.
    """
    return str(uuid5(SCENE_NAMESPACE, f"{DATASET_NAME}/{index}"))


def segmentation_scene_uuid(index: int) -> str:
    """The uuid of a scene of the segmentation dataset, 0 up to, not including, its scene count."""
    return str(uuid5(SCENE_NAMESPACE, f"{SEGMENTATION_DATASET_NAME}/{index}"))


def seed(db: sqlite3.Connection) -> None:
    """Make the client, both datasets and what is said of their scenes where missing; what exists is not changed."""
    if clients.secret_digest(db, CLIENT_ID) is None:
        clients.add_client(db, CLIENT_ID, CLIENT_SECRET)
    for uuid, name, uuids, segmentation in (
        (DATASET_UUID, DATASET_NAME, [scene_uuid(i) for i in range(SCENE_COUNT)], False),
        (
            SEGMENTATION_DATASET_UUID,
            SEGMENTATION_DATASET_NAME,
            [segmentation_scene_uuid(i) for i in range(SEGMENTATION_SCENE_COUNT)],
            True,
        ),
    ):
        if datasets.find_dataset(db, uuid) is None:
            datasets.add_dataset(db, uuid, name, scenes=uuids, annotated=uuids, segmentation=segmentation)
    if not calibrations.find_calibrations(db, calibration_id=SEGMENTATION_DATASET_NAME):
        _describe_scenes(db)


def _describe_scenes(db: sqlite3.Connection) -> None:
    """Say of each scene what it is called, ``demo/<i>``, what recorded it, and when."""
    lidars = [LIDAR]
    for name, count, uuid_of, size, details in (
        (
            DATASET_NAME,
            SCENE_COUNT,
            scene_uuid,
            IMAGE_SIZE,
            scenes.details_of(
                cameras=[CAMERA], lidars=lidars, frame_relative_times=list(FRAME_RELATIVE_TIMES)
            ),
        ),
        (
            SEGMENTATION_DATASET_NAME,
            SEGMENTATION_SCENE_COUNT,
            segmentation_scene_uuid,
            SEGMENTATION_IMAGE_SIZE,
            scenes.details_of(cameras=[CAMERA], frame_relative_times=[0]),
        ),
    ):
        has_lidar = "lidars" in details
        calibrations.put_calibration(
            db, name, name, cameras={CAMERA: size}, lidars=lidars if has_lidar else []
        )
        described = [
            scenes.Scene(uuid=uuid_of(i), external_id=f"{name}/{i}", calibration_id=name, details=details)
            for i in range(count)
        ]
        scenes.put_scenes(db, described)
