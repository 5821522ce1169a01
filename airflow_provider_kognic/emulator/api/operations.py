"""What there is to know of an endpoint besides how it is carried out: its switch, its scope, what goes in and out.

Access is decided by it, and the description of the API is made of it; it goes with the route in ``openapi_extra``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from airflow_provider_kognic.emulator.faults.settings import READ_SCOPE, WRITE_SCOPE, Listing, Settings


def _always(_settings: Settings) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An endpoint.

    Attributes:
        api: Whose it is.
        answer: The schema, by its name, of what it answers; inside of ``data`` for the dataset API.
        many: Whether that is a list of them.
        listing: Which listing it gives a page of.
        body: The schema of what it takes.
        query: The schemas of what its query may say.
        writes: Whether it changes anything.
        refusals: What it may be refused with besides what all are.
        is_on: Whether there is it.
    """

    api: Literal["dataset", "input"] = "dataset"
    answer: str
    many: bool = False
    listing: Listing | None = None
    body: str | None = None
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    writes: bool = False
    refusals: tuple[int, ...] = ()
    is_on: Callable[[Settings], bool] = _always

    def scope(self, settings: Settings) -> str:
        """The scope that it asks for: an assumption, made of the names in kognic-auth's examples."""
        if self.api == "input":
            return settings.input_scope
        return WRITE_SCOPE if self.writes else READ_SCOPE

    def extra(self) -> dict[str, Any]:
        """It as a route takes it."""
        return {"operation": self}


def operation_of(route: BaseRoute) -> Operation:
    """The operation of a route of the API."""
    return cast("Operation", (cast("APIRoute", route).openapi_extra or {})["operation"])


class SwitchedRoute(APIRoute):
    """A route that is not there where it is switched off."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for it."""
        settings = scope["app"].state.emulator.faults.settings
        return super().matches(scope) if operation_of(self).is_on(settings) else (Match.NONE, {})
