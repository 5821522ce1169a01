"""Calibrations of sensors, as the input API has them."""

import sqlite3
import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from airflow_provider_kognic.emulator.storage.rows import all_rows

ImageSize = tuple[int, int]


def put_calibration(
    db: sqlite3.Connection,
    calibration_id: str,
    external_id: str,
    *,
    cameras: Mapping[str, ImageSize],
    lidars: Iterable[str],
) -> None:
    """Make a calibration, or make it anew.

    Args:
        db: The connection.
        calibration_id: Its id.
        external_id: What whoever made it calls it.
        cameras: The width and the height of the images of each camera.
        lidars: The lidars.
    """
    sensors = {name: _pinhole(*size) for name, size in cameras.items()} | {name: _lidar() for name in lidars}
    db.execute(
        """INSERT INTO calibrations (id, external_id, sensors, created_at) VALUES (?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET external_id = excluded.external_id, sensors = excluded.sensors""",
        (calibration_id, external_id, msgspec.json.encode(sensors).decode(), time.time()),
    )


def find_calibrations(
    db: sqlite3.Connection, *, calibration_id: str | None = None, external_id: str | None = None
) -> list[dict[str, Any]]:
    """All calibrations, or those with this id or external id."""
    return all_rows(
        db.execute(
            """SELECT id, external_id, sensors, created_at FROM calibrations
            WHERE (:id IS NULL OR id = :id) AND (:external IS NULL OR external_id = :external) ORDER BY seq""",
            {"id": calibration_id, "external": external_id},
        )
    )


# Names as kognic-io reads and writes them inside a calibration (`model/calibration`).


def _placed(kind: str) -> dict[str, Any]:
    return {
        "calibration_type": kind,
        "position": {"x": 0.0, "y": 0.0, "z": 0.0},
        "rotation_quaternion": {"w": 1.0, "x": 0.0, "y": 0.0, "z": 0.0},
    }


def _pinhole(width: int, height: int) -> dict[str, Any]:
    return {
        **_placed("pinhole"),
        "image_width": width,
        "image_height": height,
        "camera_matrix": {"fx": 1000.0, "fy": 1000.0, "cx": width / 2, "cy": height / 2},
        "distortion_coefficients": {"k1": 0.0, "k2": 0.0, "p1": 0.0, "p2": 0.0, "k3": 0.0},
    }


def _lidar() -> dict[str, Any]:
    return _placed("lidar")
