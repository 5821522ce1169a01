"""One thing that the emulator is told to do wrong, as data."""

import re
import time
from email.utils import formatdate
from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Kind = Literal[
    "ok",
    "429",
    "503_before",
    "503_after",
    "504_before",
    "504_after",
    "drop_before",
    "drop_after",
    "hang",
    "late_commit",
    "html_error",
    "garbage",
    "no_data",
    "revoke_tokens",
    "status",
    "redirect",
    "latency",
]

_RETRY = {"retry_after", "retry_after_as"}

# What each kind can be told, besides when it strikes.
_PARAMETERS: dict[str, set[str]] = {
    "ok": set(),
    "429": _RETRY | {"message"},
    "503_before": _RETRY | {"message"},
    "503_after": _RETRY | {"message"},
    "504_before": _RETRY | {"message"},
    "504_after": _RETRY | {"message"},
    "drop_before": {"reset"},
    "drop_after": {"reset"},
    "hang": {"seconds"},
    "late_commit": {"seconds", "answer"},
    "html_error": {"status", "commit"},
    "garbage": {"status", "body"},
    "no_data": {"status"},
    "revoke_tokens": set(),
    "status": _RETRY | {"status", "message"},
    "redirect": {"status", "location"},
    "latency": {"seconds", "jitter"},
}

_REQUIRED: dict[str, set[str]] = {
    "status": {"status"},
    "redirect": {"location"},
    "latency": {"seconds"},
    "hang": {"seconds"},
    "late_commit": {"seconds"},
}

_DEFAULT_STATUS = {"html_error": 502, "garbage": 200, "no_data": 200, "redirect": 302}


class _PostedPrediction(msgspec.Struct, rename="camel"):
    scene_uuid: str
    openlabel_content: msgspec.Raw


_posted_prediction = msgspec.json.Decoder(_PostedPrediction)


def _scene_of(body: bytes) -> str | None:
    """The scene that a body posted to the predictions endpoint names; None when it names none."""
    try:
        return _posted_prediction.decode(body).scene_uuid
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class Match(BaseModel):
    """Which requests a fault is for; what is left out matches every request of the API.

    Attributes:
        method: The HTTP method.
        path: A regular expression, searched in the path.
        scene: The scene uuid in the posted body.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str | None = None
    path: re.Pattern[str] | None = None
    scene: str | None = None

    def fits(self, method: str, path: str, body: bytes) -> bool:
        """Whether a request is meant."""
        return (
            (self.method is None or self.method.upper() == method)
            and (self.path is None or self.path.search(path) is not None)
            and (self.scene is None or self.scene == _scene_of(body))
        )


PREDICTION_POSTS = Match(method="POST", path=re.compile(r"^/v1/predictions-groups/[^/]+/predictions$"))


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
        seconds: How long to hang, to wait before the commit, or to delay.
        jitter: Up to this many seconds more, at random.
        answer: Answer a late commit once it is done, instead of never.
        commit: Carry the request out before answering.
        body: What to answer with.
        location: Where to redirect to.
        reset: Drop with a TCP reset instead of an orderly close.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Annotated[Kind, BeforeValidator(str)]
    match: Match = PREDICTION_POSTS
    probability: float = Field(default=1.0, ge=0.0, le=1.0)
    times: int | None = Field(default=None, ge=1)
    status: int | None = Field(default=None, ge=200, le=599)
    message: str = "An emulated fault"
    retry_after: float | str | None = None
    retry_after_as: Literal["seconds", "http-date"] = "seconds"
    seconds: float = Field(default=0.0, ge=0.0)
    jitter: float = Field(default=0.0, ge=0.0)
    answer: bool = False
    commit: bool = False
    body: str = "<<this is not JSON>>"
    location: str = ""
    reset: bool = False

    @model_validator(mode="after")
    def _check_parameters(self) -> "Fault":
        given = self.model_fields_set - {"kind", "match", "probability", "times"}
        if strange := sorted(given - _PARAMETERS[self.kind]):
            raise ValueError(f"kind {self.kind!r} does not take {', '.join(strange)}")
        if missing := sorted(_REQUIRED.get(self.kind, set()) - given):
            raise ValueError(f"kind {self.kind!r} needs {', '.join(missing)}")
        return self

    @property
    def answered_status(self) -> int:
        """The HTTP status of the answer that this fault gives."""
        leading = self.kind.partition("_")[0]
        if leading.isdigit():
            return int(leading)
        return self.status if self.status is not None else _DEFAULT_STATUS[self.kind]

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
