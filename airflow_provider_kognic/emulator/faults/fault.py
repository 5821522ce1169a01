"""One thing that the emulator is told to do wrong, as data."""

import time
from email.utils import formatdate
from typing import Annotated, Literal

import msgspec
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from airflow_provider_kognic.emulator.faults.kinds import (
    BY_A_PERSON,
    COMMITTING,
    DEFAULT_STATUS,
    PARAMETERS,
    REQUIRED,
    Kind,
)
from airflow_provider_kognic.emulator.faults.patterns import compile_pattern

# What a header may hold: what it says cannot be sent otherwise.
HeaderText = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]*$")]


class _PostedPrediction(msgspec.Struct, rename="camel"):
    scene_uuid: str
    openlabel_content: msgspec.Raw


_posted_prediction = msgspec.json.Decoder(_PostedPrediction)


def scene_of(body: bytes) -> str | None:
    """The scene that a body posted to the predictions endpoint names; None when it names none."""
    try:
        return _posted_prediction.decode(body).scene_uuid
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def checked_pattern(pattern: str) -> str:
    """A pattern of paths, if it is one."""
    compile_pattern(pattern)
    return pattern


class Match(BaseModel):
    """Which requests a fault is for; what is left out matches every request of the API.

    Attributes:
        method: The HTTP method.
        path: A pattern, as ``patterns`` has them, searched in the path.
        scene: The scene uuid in the posted body.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str | None = None
    path: Annotated[str, AfterValidator(checked_pattern)] | None = None
    scene: str | None = None

    def fits(self, method: str, path: str, body: bytes) -> bool:
        """Whether a request is meant."""
        return (
            (self.method is None or self.method.upper() == method)
            and (self.path is None or compile_pattern(self.path).search(path))
            and (self.scene is None or self.scene == scene_of(body))
        )


PREDICTION_POSTS = Match(method="POST", path="^/v1/predictions-groups/[^/]+/predictions$")


class Fault(BaseModel):
    """One thing to do wrong; which parameters a kind takes is checked.

    Attributes:
        kind: What happens to the request.
        match: Which requests it is for.
        probability: How likely it strikes such a request; for rules.
        times: How often it strikes at most; None for without end in rules, once in a script.
        status: The HTTP status of the answer.
        message: The ``message`` of the answer's JSON.
        retry_after: The ``Retry-After`` header in seconds, or literally when it is text; left out when None.
        retry_after_as: Send those seconds as they are, or as the HTTP date they lead to.
        seconds: How long to hang, to wait before the commit or what is surplus, to delay, or between two bytes.
        jitter: Up to this many seconds more, at random.
        answer: Answer a late commit once it is done, instead of never.
        commit: Carry the request out before answering.
        body: What to answer with, or what comes behind the answer.
        location: Where to redirect to.
        reset: Drop with a TCP reset instead of an orderly close.
        part: Which part of the answer drips.
        size: The bytes of an answer that is too large, decoded.
        empty: Leave all rows out of a listing that says there is more.
        rows: The rows in a page of a listing without end.
        uuid: The uuid that all are answered with, or the prediction that is removed.
        group: The group that a person changes; that of the request when None.
        scene: The scene whose prediction is added or removed, or of all rows of a listing without end.
        which: Which of the predictions that are meant a person removes: all of the scene, or with this uuid, when
            None, else the oldest.
        before: A person does it before the request is carried out, instead of right after.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Annotated[Kind, BeforeValidator(str)]
    match: Match = PREDICTION_POSTS
    probability: float = Field(default=1.0, ge=0.0, le=1.0)
    times: int | None = Field(default=None, ge=1)
    status: int | None = Field(default=None, ge=200, le=599)
    message: str = "An emulated fault"
    retry_after: Annotated[float, Field(allow_inf_nan=False)] | HeaderText | None = None
    retry_after_as: Literal["seconds", "http-date"] = "seconds"
    seconds: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    jitter: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    answer: bool = False
    commit: bool = False
    body: str | None = None
    location: HeaderText = ""
    reset: bool = False
    part: Literal["headers", "body"] = "body"
    size: int = Field(default=1 << 28, ge=0, le=1 << 32)
    empty: bool = False
    rows: int = Field(default=1, ge=1, le=10_000)
    uuid: str | None = None
    group: str | None = None
    scene: str | None = None
    which: Literal["all", "oldest", "newest"] | None = None
    before: bool = False

    @model_validator(mode="after")
    def _check_parameters(self) -> "Fault":
        given = self.model_fields_set - {"kind", "match", "probability", "times"}
        if strange := sorted(given - PARAMETERS[self.kind]):
            raise ValueError(f"kind {self.kind!r} does not take {', '.join(strange)}")
        if missing := sorted(REQUIRED.get(self.kind, set()) - given):
            raise ValueError(f"kind {self.kind!r} needs {', '.join(missing)}")
        return self

    @property
    def commits(self) -> bool:
        """Whether the request is carried out before this fault shows."""
        return self.commit or self.kind in COMMITTING

    @property
    def by_a_person(self) -> bool:
        """Whether it is nothing that goes wrong with a request, but what somebody else does meanwhile."""
        return self.kind in BY_A_PERSON

    @property
    def answered_status(self) -> int:
        """The HTTP status of the answer that this fault gives."""
        leading = self.kind.partition("_")[0]
        if leading.isdigit():
            return int(leading)
        return self.status if self.status is not None else DEFAULT_STATUS[self.kind]

    def headers(self) -> dict[str, str]:
        """The headers of that answer."""
        headers: dict[str, str] = {}
        if isinstance(self.retry_after, str):
            headers["Retry-After"] = self.retry_after
        elif self.retry_after is not None and self.retry_after_as == "http-date":
            headers["Retry-After"] = formatdate(time.time() + self.retry_after, usegmt=True)
        elif self.retry_after is not None:
            headers["Retry-After"] = f"{self.retry_after:g}"
        if self.location:
            headers["Location"] = self.location
        return headers
