"""The documentation names what there is."""

import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel

from airflow_provider_kognic.emulator.__main__ import _parser
from airflow_provider_kognic.emulator.admin.bodies import NewScene
from airflow_provider_kognic.emulator.api import datasets, scenes
from airflow_provider_kognic.emulator.faults.description import Description
from airflow_provider_kognic.emulator.faults.settings import Settings

TEXT = Path(__file__).parents[2].joinpath("docs", "emulator.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table after a heading, without its head."""
    after = TEXT[TEXT.index(f"# {heading}\n") :]
    table = re.search(r"(?:^\|.*\n)+", after, re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines()[2:]]


def named(heading: str, column: int = 0) -> list[str]:
    """What stands between backticks in a column."""
    return [name for row in rows(heading) for name in re.findall("`([^`]+)`", row[column])]


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("Faults and settings", Settings),
        ("A description of itself", Description),
        ("Seeding", NewScene),
    ],
)
def test_every_key_has_its_row(heading: str, model: type[BaseModel]) -> None:
    assert sorted(named(heading)) == sorted(model.model_fields)


def test_every_option_has_its_row() -> None:
    options = {name for action in _parser()._actions for name in action.option_strings} - {"-h", "--help"}
    assert {name.split()[0] for name in named("The emulator") if name.startswith("--")} == options


def test_every_endpoint_has_its_row() -> None:
    """And is described as what it is."""
    documented = [name.split("?")[0] for name in named("The API") + named("The input API") if "/" in name]
    found = [
        f"{next(iter(route.methods))} {re.sub('{[^}]*}', '{uuid}', route.path)}"
        for router in (datasets.router, scenes.router)
        for route in router.routes
        if isinstance(route, APIRoute)
    ]
    assert sorted(set(documented) - set(found)) == [
        "POST /v1/auth/oauth/revoke",
        "POST /v1/auth/oauth/token",
    ]
    assert set(found) <= set(documented)
