"""The switches of the emulator, as data: what it does wrong, and how it behaves where Kognic says nothing."""

from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_kognic.emulator.faults.fault import Fault
from airflow_provider_kognic.emulator.storage.predictions import RepeatedScene


class Settings(BaseModel):
    """The switches of the emulator: faults and ways to behave that the documentation leaves open.

    Attributes:
        seed: Of the random numbers behind probabilities and jitter.
        rules: Faults that strike by chance; the first that strikes decides.
        script: Faults for successive matching requests, in order; they come before the rules.
        repeated_scene: What a second prediction for a scene in the same group does.
        predictions_listing: Whether predictions can be listed.
        listing_lag: Seconds until a new prediction shows in that listing.
        page_size: Rows in one page of a listing.
        max_concurrent: Dataset API requests served at the same time; more are answered with 429.
        sunset_date: The ``sunset-date`` header of dataset API answers; none when None.
        validate_openlabel: Check documents against the OpenLABEL schema.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 0
    rules: tuple[Fault, ...] = ()
    script: tuple[Fault, ...] = ()
    repeated_scene: RepeatedScene = "stand_beside"
    predictions_listing: bool = False
    listing_lag: float = Field(default=0.0, ge=0.0)
    page_size: int = Field(default=500, ge=1)
    max_concurrent: int = Field(default=10, ge=1)
    sunset_date: str | None = None
    validate_openlabel: bool = True
