"""Making what a test or a person wants there to be, whoever asks for it: an admin endpoint or the command line."""

import sqlite3
from collections.abc import Sequence
from typing import Any
from uuid import uuid4, uuid5

from airflow_provider_kognic.emulator.admin.bodies import NewCalibration, NewDataset, NewScene, Seed
from airflow_provider_kognic.emulator.storage import calibrations, clients, datasets, scenes


def plant(db: sqlite3.Connection, seed: Seed) -> dict[str, list[str]]:
    """Make all that a seed names; returns the ids of ``calibrations``, ``datasets`` and ``scenes``, in its order.

    Raises:
        Refused: 404, a scene is to join a dataset that there is not.
    """
    for client in seed.clients:
        clients.add_client(db, client.client_id, client.client_secret)
    return {
        "calibrations": [_make_calibration(db, given) for given in seed.calibrations],
        "datasets": [_make_dataset_once(db, given) for given in seed.datasets],
        "scenes": _make_scenes(db, seed.scenes),
    }


def make_dataset(db: sqlite3.Connection, given: NewDataset) -> dict[str, Any]:
    """Make a dataset; returns its ``uuid``, its ``name`` and its ``scenes``.

    Raises:
        Refused: 409, there is a dataset with this uuid.
    """
    uuid = given.uuid or uuid4()
    wanted = given.scenes if given.scenes is not None else [uuid5(uuid, str(i)) for i in range(given.count)]
    if isinstance(given.annotated, list):
        annotated = given.annotated
    elif isinstance(given.annotated, bool):
        annotated = wanted if given.annotated else []
    else:
        annotated = wanted[: given.annotated]
    names = [str(scene) for scene in wanted]
    datasets.add_dataset(
        db,
        str(uuid),
        given.name,
        scenes=names,
        annotated=[str(scene) for scene in annotated],
        segmentation=given.segmentation,
    )
    return {"uuid": str(uuid), "name": given.name, "scenes": names}


def _make_dataset_once(db: sqlite3.Connection, given: NewDataset) -> str:
    if given.uuid is not None and datasets.find_dataset(db, str(given.uuid)) is not None:
        return str(given.uuid)
    return str(make_dataset(db, given)["uuid"])


def _make_calibration(db: sqlite3.Connection, given: NewCalibration) -> str:
    made = given.id or str(uuid4())
    calibrations.put_calibration(
        db, made, given.external_id or made, cameras=given.cameras, lidars=given.lidars
    )
    return made


def _make_scenes(db: sqlite3.Connection, wanted: Sequence[NewScene]) -> list[str]:
    made = [_make_scene(db, given) for given in wanted]
    scenes.put_scenes(db, made)
    return [scene.uuid for scene in made]


def _make_scene(db: sqlite3.Connection, given: NewScene) -> scenes.Scene:
    """What is to be said of a scene; its dataset and a calibration of its own are made meanwhile."""
    uuid = given.uuid or uuid4()
    external_id = given.external_id or str(uuid)
    if given.dataset is not None:
        datasets.require_dataset(db, str(given.dataset))
        datasets.add_scenes(db, str(given.dataset), [str(uuid)])
    calibration = given.calibration
    if calibration is None and isinstance(given.cameras, dict):
        calibration = str(uuid5(uuid, "calibration"))
        calibrations.put_calibration(
            db, calibration, external_id, cameras=given.cameras, lidars=given.lidars or []
        )
    poses = given.ego_poses
    return scenes.Scene(
        uuid=str(uuid),
        external_id=external_id,
        status=given.status,
        calibration_id=calibration,
        details=_details(given),
        ego_poses=None if poses is None else {frame: pose.model_dump() for frame, pose in poses.items()},
        annotations=given.annotations,
    )


def _details(given: NewScene) -> dict[str, Any]:
    return scenes.details_of(
        cameras=None if given.cameras is None else list(given.cameras),
        lidars=given.lidars,
        frame_relative_times=given.frame_relative_times,
        said={
            "workspaceId": given.workspace_id,
            "sceneType": given.scene_type,
            "isMultiSensor": given.is_multi_sensor,
            "isMotionCompensated": given.is_motion_compensated,
            "metadata": given.metadata or None,
            "errorMessage": given.error_message,
        },
    )
