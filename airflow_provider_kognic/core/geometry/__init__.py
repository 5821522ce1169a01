"""Boxes and cuboids to and from the conventions that models and datasets write them in.

In come the numbers of a file, out goes a `Cuboid` or a box, and from there the numbers of Kognic; or the other
way. Nothing here reads a file or knows of frames and scenes. `docs/geometry.md` has every convention in one
table.

    cuboids      a Cuboid: what it is, Kognic's ten numbers, its corners
    conventions  nuScenes, Argoverse 2, OpenPCDet, Waymo
    kitti        KITTI's objects and its calibration files
    mmdet3d      MMDetection3D's three kinds of boxes
    boxes        boxes in images: COCO, corners, YOLO, MOTChallenge, KITTI
    transforms   from one frame of coordinates to another
    checks       what is wrong with a number is said by its name
    masks        masks of instances, images of classes: COCO, panoptic, Cityscapes

What is wrong is a ValueError that names the value (a KognicInputError in `masks`); who reads a file adds where it
stood. Pure Python: no numpy, and some microseconds for a cuboid. All but `masks` import the standard library alone.
"""

from airflow_provider_kognic.core.geometry.boxes import (
    box_from_coco,
    box_from_corners,
    box_from_kitti,
    box_from_mot,
    box_from_yolo,
    box_to_coco,
    box_to_corners,
    box_to_kitti,
    box_to_mot,
    box_to_yolo,
)
from airflow_provider_kognic.core.geometry.conventions import (
    cuboid_from_av2,
    cuboid_from_nuscenes,
    cuboid_from_openpcdet,
    cuboid_from_waymo,
    cuboid_to_av2,
    cuboid_to_nuscenes,
    cuboid_to_openpcdet,
    cuboid_to_waymo,
)
from airflow_provider_kognic.core.geometry.cuboids import Cuboid
from airflow_provider_kognic.core.geometry.kitti import Calibration, cuboid_from_kitti, cuboid_to_kitti
from airflow_provider_kognic.core.geometry.mmdet3d import cuboid_from_mmdet3d, cuboid_to_mmdet3d
from airflow_provider_kognic.core.geometry.transforms import Rigid

__all__ = [
    "Calibration",
    "Cuboid",
    "Rigid",
    "box_from_coco",
    "box_from_corners",
    "box_from_kitti",
    "box_from_mot",
    "box_from_yolo",
    "box_to_coco",
    "box_to_corners",
    "box_to_kitti",
    "box_to_mot",
    "box_to_yolo",
    "cuboid_from_av2",
    "cuboid_from_kitti",
    "cuboid_from_mmdet3d",
    "cuboid_from_nuscenes",
    "cuboid_from_openpcdet",
    "cuboid_from_waymo",
    "cuboid_to_av2",
    "cuboid_to_kitti",
    "cuboid_to_mmdet3d",
    "cuboid_to_nuscenes",
    "cuboid_to_openpcdet",
    "cuboid_to_waymo",
]
