"""The command `scenes`: the table of scenes is made of what people have, poses and calibrations included.

Exit code 0: the table was written. 1: it was, and something that should be in it is not. 2: nothing was written.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.texts import many

if TYPE_CHECKING:
    import argparse

    from airflow_provider_kognic.core.sources.scene_tables.table import MadeTable

MADE, INCOMPLETE = 0, 1

HELP = "make the table of scenes that 'convert' and uploads need"
DESCRIPTION = (
    "Make the table of scenes of a data set's own files. Exit code 0: it was written; 1: it was, and"
    " something that should be in it is not; 2: nothing was written."
)
# Of what is left out, so many are named.
_MOST_NAMED = 10
_SCENE_UUIDS = "--scene-uuids"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the commands: one for each kind of data set."""
    from airflow_provider_kognic.core.sources.scene_tables.nuscenes import LIDAR_TOP, Milliseconds

    commands = parser.add_subparsers(required=True, metavar="FROM")
    _add_kitti(commands)
    says = "a row for each sample, with the way from the map to its lidar, of a data set in nuScenes' layout"
    nuscenes = commands.add_parser("from-nuscenes", help=says, description=f"Write {says}.")
    nuscenes.add_argument("root", metavar="DATAROOT", type=Path, help="the folder with VERSION/sample.json")
    nuscenes.add_argument("--version", metavar="VERSION", help="such as v1.0-mini (default: the only one)")
    _add_scene_uuids(nuscenes, "names or tokens of scenes, or tokens of samples")
    nuscenes.add_argument("--lidar", metavar="CHANNEL", default=LIDAR_TOP, help=f"(default: {LIDAR_TOP})")
    nuscenes.add_argument(
        "--milliseconds",
        choices=[choice.value for choice in Milliseconds],
        default=Milliseconds.NEAREST.value,
        help="how timestamps are made of microseconds; they have to be the scene's own (default: nearest)",
    )
    nuscenes.add_argument("--out", metavar="TABLE", required=True, type=Path, help="a .csv or .jsonl file")
    nuscenes.set_defaults(does=_from_nuscenes)


def _add_kitti(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from airflow_provider_kognic.core.sources.scene_tables.kitti import CAMERA

    says = "rows for each frame's camera and lidar, with the way from the rectified camera, of KITTI's calibrations"
    kitti = commands.add_parser("from-kitti", help=says, description=f"Write {says}.")
    kitti.add_argument(
        "calibrations",
        metavar="CALIB_DIR",
        type=Path,
        help="the folder with 000008.txt, or 0001.txt of a sequence",
    )
    _add_scene_uuids(kitti, "frames' keys or names of sequences")
    kitti.add_argument(
        "--images",
        metavar="DIR",
        type=Path,
        help="the camera's images, 000008.png or 0001/000000.png: their sizes, and the frames of sequences",
    )
    kitti.add_argument(
        "--camera", metavar="STREAM", default=CAMERA, help=f"what Kognic calls the camera (default: {CAMERA})"
    )
    kitti.add_argument("--out", metavar="TABLE", required=True, type=Path, help="a .csv or .jsonl file")
    kitti.set_defaults(does=_from_kitti)


def _add_scene_uuids(parser: argparse.ArgumentParser, names: str) -> None:
    parser.add_argument(
        _SCENE_UUIDS,
        metavar="FILE",
        type=Path,
        help=f"a table of name and scene_uuid (CSV, JSON lines, parquet): {names}, and the scenes in Kognic;"
        " without it the column scene_uuid is left empty",
    )


def _scene_names(given: argparse.Namespace) -> dict[str, str] | None:
    from airflow_provider_kognic.core.sources.converting.inputs import InputFile
    from airflow_provider_kognic.core.sources.scene_tables.table import read_scene_names

    return None if given.scene_uuids is None else read_scene_names(InputFile(given.scene_uuids))


def _from_nuscenes(given: argparse.Namespace) -> int:
    from airflow_provider_kognic.core.sources.scene_tables.nuscenes import Milliseconds, table_of_nuscenes

    names = _scene_names(given)
    made = table_of_nuscenes(
        given.root,
        given.version,
        scenes=names,
        channel=given.lidar,
        milliseconds=Milliseconds(given.milliseconds),
    )
    return _write(made, given.out, named=names is not None)


def _from_kitti(given: argparse.Namespace) -> int:
    from airflow_provider_kognic.core.sources.scene_tables.kitti import table_of_kitti

    names = _scene_names(given)
    made = table_of_kitti(given.calibrations, scenes=names, images=given.images, camera=given.camera)
    return _write(made, given.out, named=names is not None)


def _write(made: MadeTable, path: Path, *, named: bool) -> int:
    from airflow_provider_kognic.core.sources.scene_tables.table import write_table

    said = [*made.left[:_MOST_NAMED], *(["..."] if len(made.left) > _MOST_NAMED else [])]
    if not made.rows:
        why = f": {'; '.join(said)}" if said else ""
        raise KognicInputError(f"nothing was written: there is no row to write{why}.")
    write_table(path, made.rows)
    scenes = len({row.scene_uuid or row.scene_name for row in made.rows})
    lines = [f"{many(len(made.rows), 'row')} of {many(scenes, 'scene')} written to {path}"]
    if not named:
        lines.append(
            f"  scene_uuid is empty: fill it in (scene_name says which scene it is), or give {_SCENE_UUIDS}"
        )
    if made.without_uuid:
        lines.append(
            f"  left out, as {_SCENE_UUIDS} does not name them: {many(len(made.without_uuid), 'scene')},"
        )
        lines.append(f"    {', '.join(made.without_uuid[:_MOST_NAMED])}")
    lines += [f"  not in the table: {text}" for text in said]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return INCOMPLETE if made.left else MADE
