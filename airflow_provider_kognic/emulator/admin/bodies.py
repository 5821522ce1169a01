"""The bodies that the admin endpoints take."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_kognic.emulator.storage.scenes import WORKSPACE, SceneStatus

ImageSize = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
"""Width and height."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewDataset(_Body):
    """A dataset to make.

    Attributes:
        name: Its name.
        uuid: Its uuid; a new one when left out.
        scenes: The uuids of its scenes.
        count: Or how many scenes to make: ``uuid5(<dataset uuid>, "<index>")``.
        annotated: Which scenes have an annotation: all, none, the first so many, or those listed.
        segmentation: Whether it is a dataset with segmentation.
    """

    name: str = Field(min_length=1)
    uuid: UUID | None = None
    scenes: list[UUID] | None = None
    count: int = Field(default=0, ge=0, le=1_000_000)
    annotated: bool | int | list[UUID] = True
    segmentation: bool = False


class NewAnnotations(_Body):
    """Scenes to annotate; those the dataset lacks are added to it.

    Attributes:
        scenes: Their uuids.
    """

    scenes: list[UUID]


class NewPrediction(_Body):
    """A prediction that somebody else adds.

    Attributes:
        group: The group.
        scene: The scene; the first annotated one of the dataset when left out.
    """

    group: str
    scene: str | None = None


class NewClient(_Body):
    """A client to let in.

    Attributes:
        client_id: Its id.
        client_secret: Its secret.
    """

    client_id: str = Field(min_length=1)
    client_secret: str = Field(min_length=1)


class NewCalibration(_Body):
    """A calibration to make, or to make anew.

    Attributes:
        id: Its id; a new uuid when left out.
        external_id: What whoever made it calls it; its id when left out.
        cameras: Its cameras, each with the width and the height of its images.
        lidars: Its lidars.
    """

    id: str | None = Field(default=None, min_length=1)
    external_id: str | None = None
    cameras: dict[str, ImageSize] = {}
    lidars: list[str] = []


class _Position(_Body):
    x: float
    y: float
    z: float


class _Rotation(_Position):
    w: float


class EgoPose(_Body):
    """Where the vehicle was in one frame.

    Attributes:
        position: In metres.
        rotation: As a quaternion.
    """

    position: _Position
    rotation: _Rotation


class NewScene(_Body):
    """A scene to describe, or to describe anew, for the input API.

    Attributes:
        uuid: Its uuid; a new one when left out.
        external_id: What whoever recorded it calls it, which others may be called as well; its uuid when left out.
        dataset: The dataset that it joins.
        cameras: Its cameras; with the width and the height of its images each, it gets a calibration of its own.
        lidars: Its lidars.
        frame_relative_times: When its frames are, counted from its start.
        calibration: The id of its calibration, whether there is one or not.
        status: Its status.
        scene_type: Its type; by its sensors and frames when left out.
        is_multi_sensor: Whether it has several sensors; counted when left out.
        is_motion_compensated: Whether its points are moved to one time.
        metadata: What else is noted of it.
        workspace_id: Its workspace.
        error_message: What went wrong with it.
        ego_poses: A pose for each frame by its id; none when left out.
        annotations: The documents of its annotations.
    """

    uuid: UUID | None = None
    external_id: str | None = None
    dataset: UUID | None = None
    cameras: list[str] | dict[str, ImageSize] | None = None
    lidars: list[str] | None = None
    frame_relative_times: list[int] | None = None
    calibration: str | None = None
    status: SceneStatus = "created"
    scene_type: str | None = None
    is_multi_sensor: bool | None = None
    is_motion_compensated: bool = True
    metadata: dict[str, str | bool | int | float] = {}
    workspace_id: str = WORKSPACE
    error_message: str | None = None
    ego_poses: dict[str, EgoPose] | None = None
    annotations: list[dict[str, Any]] = []


class Seed(_Body):
    """What there is to be, all at once.

    Attributes:
        clients: Clients to let in.
        calibrations: Calibrations.
        datasets: Datasets; one that is there already is left as it is.
        scenes: Scenes.
    """

    clients: list[NewClient] = []
    calibrations: list[NewCalibration] = []
    datasets: list[NewDataset] = []
    scenes: list[NewScene] = []


class NewStatus(_Body):
    """Another status of a scene.

    Attributes:
        status: What it is now.
    """

    status: SceneStatus
