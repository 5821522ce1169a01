"""The switches of the emulator, as data: what it does wrong, and how it behaves where Kognic says nothing."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from airflow_provider_kognic.emulator.faults.description import Description, UrlPath
from airflow_provider_kognic.emulator.faults.fault import Fault, HeaderText, checked_pattern
from airflow_provider_kognic.emulator.faults.patterns import compile_pattern
from airflow_provider_kognic.emulator.storage.predictions import RepeatedScene
from airflow_provider_kognic.emulator.storage.rows import Order

Listing = Literal["datasets", "groups", "annotations", "predictions"]
Paging = Literal["offset", "cursor"]
InputEndpoint = Literal["scenes", "query", "ego_poses", "annotations", "calibrations"]

AccessScope = Annotated[str, StringConstraints(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")]
"""A scope as RFC 6749 has them."""

READ_SCOPE = "api:read"
WRITE_SCOPE = "api:write"

CONTENT_PREFIX = "/content/"
"""Below it lies what is linked by signed addresses, and asked for without a token."""


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
        cursor_id: What a cursor is: text, or a number where the listing is not in the order of uuids.
        has_next: Whether a page says whether there is more (``hasNext``).
        page_size: Rows in one page of a listing.
        max_concurrent: Dataset API requests served at the same time; more are answered with 429.
        max_body_bytes: What a body of the dataset API that is larger is refused for (413).
        body_seconds: How long the body of a request may take to come (408).
        sunset_date: The ``sunset-date`` header of all answers, or of those to paths with a pattern; none when None.
        validate_openlabel: Check documents against the OpenLABEL schema.
        input_api: Which endpoints of the input API there are: all, none, or those listed.
        input_envelope: Put the answers of the input API into ``data``, too.
        calibration_names: How the names inside a calibration are written.
        scopes: Which scopes each client has; everything is open to every token when None.
        input_scope: The scope that the input API asks for.
        request_compression: Whether a prediction may be sent compressed (gzip).
        idempotency_key: Whether a prediction that is sent again with the same ``Idempotency-Key`` is the same.
        prefix: A path below which the API is served as well.
        description: What the API says of itself at ``/api``; nothing when False.
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
    cursor_id: Literal["text", "number"] = "text"
    page_size: int = Field(default=500, ge=1)
    max_concurrent: int = Field(default=10, ge=1)
    max_body_bytes: int = Field(default=300_000_000, ge=0)
    body_seconds: float = Field(default=60.0, gt=0.0, allow_inf_nan=False)
    sunset_date: HeaderText | dict[Annotated[str, AfterValidator(checked_pattern)], HeaderText] | None = None
    validate_openlabel: bool = True
    input_api: bool | tuple[InputEndpoint, ...] = False
    input_envelope: bool = False
    calibration_names: Literal["snake_case", "camelCase"] = "snake_case"
    scopes: dict[str, tuple[AccessScope, ...]] | None = None
    input_scope: AccessScope = READ_SCOPE
    request_compression: bool = False
    idempotency_key: bool = False
    prefix: UrlPath | None = None
    description: bool | Description = False

    def paging_of(self, listing: Listing) -> Paging:
        """How a listing goes on."""
        return self.paging if isinstance(self.paging, str) else self.paging.get(listing, "offset")

    def has_input(self, endpoint: InputEndpoint) -> bool:
        """Whether there is this endpoint of the input API."""
        return self.input_api if isinstance(self.input_api, bool) else endpoint in self.input_api

    def sunset_of(self, path: str) -> str | None:
        """What is said of the end of an endpoint with this path."""
        if not isinstance(self.sunset_date, dict):
            return self.sunset_date
        found = (date for pattern, date in self.sunset_date.items() if compile_pattern(pattern).search(path))
        return next(found, None)

    def described(self) -> Description | None:
        """How the API describes itself, None where it does not."""
        if isinstance(self.description, Description):
            return self.description
        return Description() if self.description else None

    def without_prefix(self, path: str) -> str:
        """A path as it is without the prefix of the API."""
        below = self.prefix is not None and path.startswith(f"{self.prefix}/")
        return path.removeprefix(self.prefix or "") if below else path

    def is_open(self, path: str) -> bool:
        """Whether a path is of the API, and may be asked for without a token."""
        described = self.described()
        return path.startswith(("/v1/auth/", CONTENT_PREFIX)) or (
            described is not None and path in described.paths
        )
