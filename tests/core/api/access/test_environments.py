"""The named environments of Kognic's own tools, as kognic-auth keeps them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.api.access.environments import Environment, environment
from airflow_provider_kognic.core.errors import KognicInputError

AUTH = "https://auth.app.kognic.com"
PRODUCTION = {"host": "app.kognic.com", "auth_server": AUTH}


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, which is not there yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "kognic").mkdir()
    return tmp_path / "kognic" / "environments.json"


def test_what_stands_in_it(written: Path) -> None:
    staging = {"host": "staging.example", "auth_server": "auth.staging.example", "scopes": ["api:read"]}
    found = {"production": {**PRODUCTION, "credentials": "~/kognic.json"}, "staging": staging}
    written.write_text(json.dumps({"default_environment": "production", "environments": found}))
    assert environment("production") == Environment(
        "production", "app.kognic.com", AUTH, str(Path("~/kognic.json").expanduser())
    )
    assert environment("staging") == Environment(
        "staging", "staging.example", "auth.staging.example", None, ("api:read",)
    )


def test_it_is_found_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where XDG_CONFIG_HOME says nothing, or is empty."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".config/kognic").mkdir(parents=True)
    (tmp_path / ".config/kognic/environments.json").write_text(
        json.dumps({"environments": {"x": {**PRODUCTION, "credentials": "keyring://x"}}})
    )
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert environment("x").credentials == "keyring://x"
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    assert environment("x").credentials == "keyring://x"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("app.kognic.com", "dataset.app.kognic.com"),
        ("https://app.kognic.com", "https://dataset.app.kognic.com"),
        ("dataset.app.kognic.com", "dataset.app.kognic.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("localhost:8080", "localhost:8080"),
    ],
)
def test_the_dataset_api(host: str, expected: str) -> None:
    assert Environment("x", host, AUTH).base_url == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://dataset.app.kognic.com", True),
        ("HTTPS://DATASET.APP.KOGNIC.COM.:443/kognic", True),
        ("app.kognic.com", True),
        ("https://app.kognic.com.evil.example", False),
        ("https://evil-app.kognic.com", False),
        ("https://kognic.com", False),
        ("https://user@[", False),
    ],
)
def test_hosts_of_an_environment(url: str, expected: bool) -> None:  # noqa: FBT001
    assert Environment("x", "app.kognic.com", AUTH).has(url) is expected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be used as a file of environments"),
        ("[]", "expected an object whose 'environments' are objects, by their names"),
        ({"environments": None}, "expected an object whose 'environments' are objects, by their names"),
        ("[" * 100_000, "cannot be used as a file of environments"),
        (" " * (1 << 20) + "{}", "is too large for a file of environments"),
        ({}, "knows no environment 'production'. It has: none."),
        ({"environments": {"produktion": PRODUCTION}}, "did you mean 'produktion'? It has: 'produktion'."),
        ({"environments": {"a": PRODUCTION, "b": PRODUCTION}}, "'production'. It has: 'a', 'b'."),
        ({"environments": {"a": {"host": "h"}}}, "an environment lacks 'auth_server'."),
        (
            {"environments": {"production": {**PRODUCTION, "host": 3}}},
            "'host' of the environment 'production'",
        ),
        ({"environments": {"production": {**PRODUCTION, "auth_server": ""}}}, "'auth_server' of the environ"),
        (
            {"environments": {"production": {**PRODUCTION, "credentials": 7}}},
            "cannot be used as a file of envi",
        ),
        ({"environments": {"production": {**PRODUCTION, "scopes": "api:read"}}}, "must be a list of text."),
        ({"environments": {"production": "app.kognic.com"}}, "cannot be used as a file of environments"),
    ],
)
def test_what_cannot_be_used(written: Path, content: Any, said: str) -> None:
    written.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(KognicInputError) as caught:
        environment("production")
    assert said in str(caught.value)
    assert str(written) in str(caught.value)


def test_without_a_file(written: Path) -> None:
    with pytest.raises(KognicInputError, match=r"there is no file of environments: .* on every worker"):
        environment("production")
    os.mkfifo(written)
    with pytest.raises(KognicInputError, match="is no file of environments"):
        environment("production")
