"""Which request a fault befalls."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.emulator.faults.fault import Fault
from airflow_provider_kognic.emulator.faults.settings import Settings

if TYPE_CHECKING:
    from airflow_provider_kognic.emulator.faults.answers import Answer


@dataclass
class Plan:
    """What befalls one request.

    Attributes:
        delay: Seconds to wait first.
        revoke: Revoke all tokens first.
        before: What a person does before the request is carried out.
        after: What a person does right after it.
        fault: What to do instead of a plain answer.
        kinds: The kinds of all that befalls it.
    """

    delay: float = 0.0
    revoke: bool = False
    before: list[Fault] = field(default_factory=list)
    after: list[Fault] = field(default_factory=list)
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
        # The answers that are given again in place of others.
        self.kept: dict[Fault, Answer] = {}
        # A simulation wants to be repeated, not to be unpredictable.
        self._random = random.Random(self.settings.seed)  # noqa: S311
        self._script_left = [fault.times or 1 for fault in self.settings.script]
        self._rules_left = [fault.times for fault in self.settings.rules]

    def change(self, settings: Settings) -> None:
        """Replace only the settings that are given; a script or rules not among them go on as they are."""
        left = (self._random, self._script_left, self._rules_left)
        kept_answers = self.kept
        given = settings.model_fields_set
        kept = {name: getattr(self.settings, name) for name in Settings.model_fields}
        self.use(Settings.model_construct(**(kept | {name: getattr(settings, name) for name in given})))
        self.kept = kept_answers
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
            elif fault.by_a_person:
                (plan.before if fault.before else plan.after).append(fault)
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
