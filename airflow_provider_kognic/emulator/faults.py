"""What the emulator is told to do wrong, as data, and which request it befalls."""

import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from airflow_provider_kognic.emulator.documents import scene_of
from airflow_provider_kognic.emulator.store import RepeatedScene

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
            and (self.scene is None or self.scene == scene_of(body))
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


@dataclass
class Plan:
    """What befalls one request.

    Attributes:
        delay: Seconds to wait first.
        revoke: Revoke all tokens first.
        fault: What to do instead of a plain answer.
    """

    delay: float = 0.0
    revoke: bool = False
    fault: Fault | None = None
    kinds: list[str] = field(default_factory=list)


class Faults:
    """The settings in force, and what is left of their script.

    Args:
        base: What to come back to when the settings are cleared.
        settings: What to begin with, ``base`` when None.
    """

    def __init__(self, base: Settings, settings: Settings | None = None) -> None:
        self.base = base
        self.use(base if settings is None else settings)

    def use(self, settings: Settings) -> None:
        """Replace all settings; what is not given in them is taken from ``base``."""
        kept = {name: getattr(self.base, name) for name in Settings.model_fields}
        given = {name: getattr(settings, name) for name in settings.model_fields_set}
        self.settings = Settings.model_construct(**(kept | given))
        # A simulation wants to be repeated, not to be unpredictable.
        self._random = random.Random(self.settings.seed)  # noqa: S311
        self._script_left = [fault.times or 1 for fault in self.settings.script]
        self._rules_left = [fault.times for fault in self.settings.rules]

    def change(self, settings: Settings) -> None:
        """Replace only the settings that are given; a script or rules not among them go on as they are."""
        left = (self._random, self._script_left, self._rules_left)
        given = settings.model_fields_set
        kept = {name: getattr(self.settings, name) for name in Settings.model_fields}
        self.use(Settings.model_construct(**(kept | {name: getattr(settings, name) for name in given})))
        if "seed" not in given:
            self._random = left[0]
        if "script" not in given:
            self._script_left = left[1]
        if "rules" not in given:
            self._rules_left = left[2]

    def clear(self) -> None:
        """Come back to the settings that the emulator was started with, less their faults."""
        self.use(Settings())

    def as_json(self) -> dict[str, Any]:
        """The settings as they would be set, and how many requests the script still waits for."""
        settings = self.settings
        return {
            **settings.model_dump(mode="json", exclude={"rules", "script"}),
            "rules": [fault.model_dump(mode="json", exclude_unset=True) for fault in settings.rules],
            "script": [fault.model_dump(mode="json", exclude_unset=True) for fault in settings.script],
            "script_left": sum(self._script_left),
        }

    def plan(self, method: str, path: str, body: bytes) -> Plan:
        """Decide what befalls a request, and use up what is used up by it."""
        plan = Plan()
        for fault in self._struck(method, path, body):
            plan.kinds.append(fault.kind)
            if fault.kind == "latency":
                plan.delay += fault.seconds + self._random.uniform(0.0, fault.jitter)
            elif fault.kind == "revoke_tokens":
                plan.revoke = True
            else:
                plan.fault = None if fault.kind == "ok" else fault
                break
        return plan

    def _struck(self, method: str, path: str, body: bytes) -> Iterator[Fault]:
        for index, fault in enumerate(self.settings.script):
            if self._script_left[index] and fault.match.fits(method, path, body):
                self._script_left[index] -= 1
                yield fault
                # One request is one step of the script.
                break
        for index, fault in enumerate(self.settings.rules):
            left = self._rules_left[index]
            if left == 0 or not fault.match.fits(method, path, body):
                continue
            if self._random.random() < fault.probability:
                if left is not None:
                    self._rules_left[index] = left - 1
                yield fault
