"""What the Test button says of the input API, without failing for it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.hooks.kognic import KognicHook
from tests.core.support import free_port

OF_SCENES = {"path": "^/v2/scenes/"}


@pytest.fixture
def tested(
    monkeypatch: pytest.MonkeyPatch,
    airflow_database: Path,
    server: Emulator,
    connection_to: Callable[..., dict[str, Any]],
) -> Callable[..., str]:
    """Press the button of a connection with this in its extra; it says that it connected, and what else it says."""

    def press(**extra: Any) -> str:
        monkeypatch.setenv("AIRFLOW_CONN_KOGNIC_DEFAULT", json.dumps(connection_to(server, **extra)))
        done, said = KognicHook().test_connection()
        assert done
        before, _, after = said.partition("which scopes the token has.")
        assert before.startswith(f"Connected to {server.url}: ")
        return after.strip()

    return press


def test_without_a_host_nothing_is_asked_or_said(tested: Callable[..., str], server: Emulator) -> None:
    assert tested() == ""
    assert not [route for route in server.stats()["requests"] if "scenes" in route]


@pytest.mark.parametrize(
    ("fault", "said", "times"),
    [
        (None, "answers, with 404 for a scene that nobody has.", 1),
        ({"kind": "status", "status": 401}, "does not take the token: HTTP 401", 2),
        ({"kind": "status", "status": 403}, "is not for these credentials: HTTP 403", 1),
        ({"kind": "status", "status": 400}, "answers as nobody expects: HTTP 400", 1),
        ({"kind": "redirect", "location": "/login"}, "does not answer: HTTP 302", 1),
        ({"kind": "503_before"}, "does not answer: HTTP 503", 1),
    ],
)
def test_it_says_what_became_of_one_harmless_get(
    tested: Callable[..., str], server: Emulator, fault: dict[str, Any] | None, said: str, times: int
) -> None:
    """Of a 401 another one, with a new token."""
    server.set_faults(input_api=True, rules=[{**fault, "match": OF_SCENES}] if fault else [])
    found = tested(input_host=server.url)
    assert found.startswith(f"The input API at {server.url} {said}")
    assert ("Scenes are not checked then" in found) == (fault is not None)
    asked = {route: sum(by.values()) for route, by in server.stats()["requests"].items() if "scenes" in route}
    assert asked == {"GET /v2/scenes/{uuid}": times}


def test_one_that_is_not_there_cannot_be_reached(tested: Callable[..., str]) -> None:
    assert "cannot be reached" in tested(input_host=f"http://127.0.0.1:{free_port()}")
