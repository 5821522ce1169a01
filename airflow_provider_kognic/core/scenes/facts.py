"""What is known of a scene: its sensors, its frames, the sizes of its images, and whether it is still one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_kognic.core.models import is_uuid
from airflow_provider_kognic.core.values import is_number

UNKNOWN = "unknown"
_INVALIDATED = "invalidated"
_WRONG = frozenset({UNKNOWN, "failed"})


@dataclass(frozen=True)
class Scene:
    """A scene. What is None is not known, and nothing is held against it.

    Attributes:
        uuid: Its uuid; lower case.
        cameras: Names of its cameras.
        lidars: Names of its lidars.
        times: When its frames are, from its start, as documents have it in their timestamps (ms).
        calibration_id: Its calibration; None without one.
        image_sizes: Width and height of its cameras' images (pixels), of those that are known.
        status: Its status where that is known; `unknown` where there is no such scene.
    """

    uuid: str
    cameras: frozenset[str] | None = None
    lidars: frozenset[str] | None = None
    times: tuple[float, ...] | None = None
    calibration_id: str | None = None
    image_sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    status: str | None = None

    @property
    def is_unknown(self) -> bool:
        """Whether there is no such scene."""
        return self.status == UNKNOWN

    @property
    def is_wrong(self) -> bool:
        """Whether nothing can be predicted of it: it is invalidated, failed, or not there."""
        return self.status is not None and is_wrong_status(self.status)

    def to_row(self) -> dict[str, Any]:
        """Return it as JSON has it, without the sizes of images, which are its calibration's."""
        row: dict[str, Any] = {"scene": self.uuid, "calibration": self.calibration_id, "status": self.status}
        for name in ("cameras", "lidars"):
            value = getattr(self, name)
            row[name] = None if value is None else sorted(value)
        row["times"] = None if self.times is None else list(self.times)
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Scene:
        """Read what `to_row` made; raises ValueError where it is anything else."""
        uuid, calibration, status = row["scene"], row["calibration"], row["status"]
        times = row["times"]
        if not is_uuid(uuid) or not all(one is None or isinstance(one, str) for one in (calibration, status)):
            raise ValueError("no scene")
        if times is not None and not (isinstance(times, list) and all(map(is_number, times))):
            raise ValueError("no times")
        return cls(
            uuid,
            cameras=_names(row["cameras"]),
            lidars=_names(row["lidars"]),
            times=None if times is None else tuple(times),
            calibration_id=calibration,
            status=status,
        )


def is_wrong_status(status: str) -> bool:
    """Tell whether a scene of this status can take no prediction.

    The words are those of kognic-io 2.19.0, `model/scene/scene_entry.py`.
    """
    return status in _WRONG or is_invalidated(status)


def is_invalidated(status: str | None) -> bool:
    """Tell whether a status is `invalidated:<why>`."""
    return status is not None and status.partition(":")[0] == _INVALIDATED


def sizes_of(row: Any) -> dict[str, tuple[int, int]]:
    """Read sizes of images as JSON has them; raises ValueError where they are none."""
    if not isinstance(row, Mapping):
        raise ValueError("no sizes")  # noqa: TRY004 - what was read is wrong, not how this was called
    sizes = {}
    for name, size in row.items():
        if not isinstance(size, Sequence) or [type(one) for one in size] != [int, int] or min(size) <= 0:
            raise ValueError("no size")
        sizes[str(name)] = (int(size[0]), int(size[1]))
    return sizes


def _names(value: Any) -> frozenset[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("no names")
    return frozenset(value)
