"""A table of scenes of KITTI's calibrations: for each frame a row of the camera, and one of the lidar.

KITTI's objects are in the rectified camera's frame. The lidar's row has the way from there: the inverse of
`R0_rect * Tr_velo_to_cam`. The object benchmark has a calibration for each frame; tracking has one for each
sequence, whose frames are known by its images or by the names of the scenes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry import Calibration
from airflow_provider_kognic.core.sources.converting.tables import LIDAR
from airflow_provider_kognic.core.sources.scene_tables.table import MadeRow, MadeTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

# The left colour camera, in whose image the boxes of KITTI are.
CAMERA = "image_2"
# KITTI's sensors turn and take pictures ten times a second.
PERIOD_MS = 100
_IMAGES = (".png", ".jpg", ".jpeg")
_OF_SEQUENCES = ("R_rect", "Tr_velo_cam")
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class _Frame:
    """A frame that a calibration is for.

    Attributes:
        key: As in the table.
        scene: What KITTI calls that of which it is a frame: a sequence, or the frame itself.
        number: Of the frame in its sequence; None for one that is in none.
        image: None where it is not there.
    """

    key: str
    scene: str
    number: int | None = None
    image: Path | None = None


def table_of_kitti(
    folder: Path,
    *,
    scenes: Mapping[str, str] | None = None,
    images: Path | None = None,
    camera: str = CAMERA,
) -> MadeTable:
    """Return two rows for each frame.

    Args:
        folder: The calibrations: `000008.txt` of a frame, or `0001.txt` of a sequence.
        scenes: Uuids in Kognic by a frame's key, or by a sequence's name: frames that have the same are those of
            one scene, in the order of their numbers. None leaves the column empty.
        images: The images of the camera, `000008.png`, or `0001/000000.png` of a sequence; gives their sizes, and
            the frames of sequences.
        camera: The name of the camera's stream in Kognic.

    Raises:
        KognicInputError: There are no calibrations, or the folder of images is not there.
    """
    if images is not None and not images.is_dir():
        raise KognicInputError(f"the images {images} are no folder.")
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".txt")
    except OSError as error:
        raise KognicInputError(f"the calibrations cannot be listed: {error}") from error
    if not files:
        raise KognicInputError(f"{folder} has no calibrations: files that end with .txt.")
    made, used = MadeTable(), set[str]()
    counts: dict[str, int] = {}
    last: dict[str, int] = {}
    without: dict[str, None] = {}
    for file in files:
        try:
            text = _text_of(file)
            to_velodyne = Calibration.parse(text).to_velodyne.to_matrix()
        except (OSError, ValueError) as error:
            made.left.append(f"{file}: {error}")
            continue
        frames = list(_frames(file.stem, text, scenes or {}, images))
        if not frames:
            made.left.append(
                f"{file}: it is a sequence's, whose frames are not known: give the folder of images, with the"
                f" folder {file.stem} in it"
            )
        for frame in frames:
            names = [name for name in (frame.key, frame.scene) if scenes is None or name in scenes]
            if not names:
                without[frame.scene] = None
                continue
            used.update(names)
            uuid = "" if scenes is None else scenes[names[0]]
            width, height = _size_of(frame, images, made)
            group = uuid or frame.scene
            at = counts[group] = counts.get(group, -1) + 1
            # Frames that are in no sequence follow one another; frames of a sequence have their own time.
            time = at * PERIOD_MS if frame.number is None else frame.number * PERIOD_MS
            time = last[group] = max(time, last.get(group, -PERIOD_MS) + PERIOD_MS)
            for stream in (camera, LIDAR):
                is_camera = stream == camera
                made.rows.append(
                    MadeRow(
                        frame.key,
                        uuid,
                        at,
                        time,
                        stream,
                        None if is_camera else to_velodyne,
                        frame.scene,
                        width if is_camera else None,
                        height if is_camera else None,
                    )
                )
    made.without_uuid = list(without)
    made.left += [f"{name!r}: no frame or sequence is called so" for name in scenes or () if name not in used]
    return made


def _text_of(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(_MOST_BYTES).decode()


def _frames(stem: str, text: str, names: Iterable[str], images: Path | None) -> Iterator[_Frame]:
    """Yield the frames that a calibration is for; none where it is a sequence's and nobody knows them."""
    if images is not None and (images / stem).is_dir():
        numbered = [
            (int(path.stem), path)
            for path in (images / stem).iterdir()
            if path.suffix.lower() in _IMAGES and path.stem.isdecimal()
        ]
        yield from (_Frame(f"{stem}/{number}", stem, number, path) for number, path in sorted(numbered))
        return
    tails = [name.removeprefix(f"{stem}/") for name in names if name.startswith(f"{stem}/")]
    if numbers := sorted(int(tail) for tail in tails if tail.isdecimal()):
        yield from (_Frame(f"{stem}/{number}", stem, number) for number in numbers)
    elif not any(name in text for name in _OF_SEQUENCES):
        found = [images / f"{stem}{ending}" for ending in _IMAGES] if images is not None else []
        yield _Frame(stem, stem, None, next((path for path in found if path.is_file()), None))


def _size_of(frame: _Frame, images: Path | None, made: MadeTable) -> tuple[int | None, int | None]:
    """Return width and height of a frame's image; where images were given, and it has none, say so."""
    if frame.image is None:
        if images is not None:
            made.left.append(f"the size of {frame.key}'s image: {images} has none of it")
        return None, None
    from PIL import Image

    try:
        with Image.open(frame.image) as opened:
            width, height = opened.size
            return width, height
    except (OSError, ValueError) as error:
        made.left.append(f"{frame.image}: no image: {error}")
        return None, None
