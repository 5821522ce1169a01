"""The switches of the emulator, as data: what it does wrong, and how it behaves where Kognic says nothing."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_kognic.emulator.faults.fault import Fault, HeaderText
from airflow_provider_kognic.emulator.storage.predictions import RepeatedScene
from airflow_provider_kognic.emulator.storage.rows import Order

Listing = Literal["datasets", "groups", "annotations", "predictions"]
Paging = Literal["offset", "cursor"]


class Settings(BaseModel):
    """The switches of the emulator: faults and ways to behave that the documentation leaves open.

    Attributes:
        seed: Of the random numbers behind probabilities and jitter.
        rules: Faults that strike by chance; the first that strikes decides.
        script: Faults for successive matching requests, in order; they come before the rules.
        repeated_scene: What a second prediction for a scene in the same group does.
        predictions_listing: Whether predictions can be listed.
        listing_lag: Seconds until a new prediction shows in that listing.
        listing_order: What a listing has first: the oldest, the newest, or the least uuid.
        paging: How listings go on: by ``offset``, or by a cursor; for all of them, or for each by its name.
        has_next: Whether a page says whether there is more (``hasNext``).
        page_size: Rows in one page of a listing.
        max_concurrent: Dataset API requests served at the same time; more are answered with 429.
        max_body_bytes: What a body of the dataset API that is larger is refused for (413).
        body_seconds: How long the body of a request may take to come (408).
        sunset_date: The ``sunset-date`` header of dataset API answers; none when None.
        validate_openlabel: Check documents against the OpenLABEL schema.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 0
    rules: tuple[Fault, ...] = ()
    script: tuple[Fault, ...] = ()
    repeated_scene: RepeatedScene = "stand_beside"
    predictions_listing: bool = False
    listing_lag: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    listing_order: Order = "oldest"
    paging: Paging | dict[Listing, Paging] = "offset"
    has_next: bool = False
    page_size: int = Field(default=500, ge=1)
    max_concurrent: int = Field(default=10, ge=1)
    max_body_bytes: int = Field(default=300_000_000, ge=0)
    body_seconds: float = Field(default=60.0, gt=0.0, allow_inf_nan=False)
    sunset_date: HeaderText | None = None
    validate_openlabel: bool = True

    def paging_of(self, listing: Listing) -> Paging:
        """How a listing goes on."""
        return self.paging if isinstance(self.paging, str) else self.paging.get(listing, "offset")
