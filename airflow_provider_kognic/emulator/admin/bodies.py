"""The bodies that the admin endpoints take."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


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
