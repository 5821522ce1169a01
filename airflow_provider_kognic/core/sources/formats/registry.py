"""The formats in which models write their results. The only place that knows which there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_kognic.core.sources.formats.av2 import AV2
from airflow_provider_kognic.core.sources.formats.coco import COCO
from airflow_provider_kognic.core.sources.formats.kitti import KITTI
from airflow_provider_kognic.core.sources.formats.masks import MASKS
from airflow_provider_kognic.core.sources.formats.mmdet3d import MMDET3D
from airflow_provider_kognic.core.sources.formats.mot import MOT
from airflow_provider_kognic.core.sources.formats.nuscenes import NUSCENES
from airflow_provider_kognic.core.sources.formats.panoptic import PANOPTIC
from airflow_provider_kognic.core.sources.formats.yolo import YOLO

if TYPE_CHECKING:
    from airflow_provider_kognic.core.sources.converting.rows import ModelFormat

FORMATS: tuple[ModelFormat, ...] = (
    AV2,
    COCO,
    KITTI,
    MASKS,
    MMDET3D,
    MOT,
    NUSCENES,
    PANOPTIC,
    YOLO,
)

BY_NAME = {known.name: known for known in FORMATS}
