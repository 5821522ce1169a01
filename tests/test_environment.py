"""What is locked in requirements/ is what pyproject.toml asks for, for every Python; looked at as text, offline."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NEWEST_PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
PYTHONS = {
    "newest": NEWEST_PYTHONS,
    "demo": NEWEST_PYTHONS,
    "lineage": NEWEST_PYTHONS,
    "browser": NEWEST_PYTHONS,
    "airflow31": ("3.10", "3.11", "3.12", "3.13"),
    "airflow32": NEWEST_PYTHONS,
    "oldest": ("3.10", "3.11", "3.12"),
}
PLATFORMS = {"linux": "Linux", "darwin": "Darwin"}

Machine = dict[str, str]


def machines(*names: str) -> list[Any]:
    """Parameters: each of these locks, with each machine that it is for."""
    return [
        pytest.param(
            name,
            {
                "python_version": python,
                "python_full_version": f"{python}.9",
                "sys_platform": platform,
                "platform_system": system,
                "os_name": "posix",
            },
            id=f"{name}-{python}-{platform}",
        )
        for name in names
        for python in PYTHONS[name]
        for platform, system in PLATFORMS.items()
    ]


def lines(name: str) -> list[str]:
    """The requirements of a lock, each with its hashes in one line."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    joined = text.replace("\\\n", " ").splitlines()
    return [line for line in joined if line and not line.startswith("#")]


def locked(name: str, machine: Machine) -> dict[str, Version]:
    """The versions that a machine gets."""
    found: dict[str, Version] = {}
    for line in lines(name):
        requirement = Requirement(line.partition(" --hash=")[0])
        if requirement.marker is None or requirement.marker.evaluate(machine):
            assert requirement.name not in found, f"{requirement.name} is locked twice"
            (pin,) = requirement.specifier
            assert pin.operator == "=="
            found[requirement.name] = Version(pin.version)
    return found


def group(name: str) -> Iterator[Requirement]:
    """The requirements of a dependency group and of those it includes."""
    for entry in PROJECT["dependency-groups"][name]:
        if isinstance(entry, str):
            yield Requirement(entry)
        else:
            yield from group(entry["include-group"])


def wanted(name: str) -> list[Requirement]:
    """What pyproject.toml asks for in an environment of scripts/."""
    project = PROJECT["project"]
    own = [
        *project["dependencies"],
        *project["optional-dependencies"]["emulator"],
        *PROJECT["build-system"]["requires"],
    ]
    return [*map(Requirement, own), *group(name)]


@pytest.mark.parametrize(("name", "machine"), machines(*PYTHONS))
def test_the_lock_is_what_the_project_asks_for(name: str, machine: Machine) -> None:
    """After a change in pyproject.toml: scripts/lock."""
    versions = locked(name, machine)
    for requirement in wanted(name):
        if requirement.marker is None or requirement.marker.evaluate(machine):
            version = versions.get(canonicalize_name(requirement.name))
            assert version is not None, f"{requirement} is not locked"
            assert requirement.specifier.contains(version, prereleases=True), f"{version} is no {requirement}"


def test_every_group_is_in_a_lock() -> None:
    def included(name: str) -> Iterator[str]:
        yield name
        for entry in PROJECT["dependency-groups"][name]:
            if not isinstance(entry, str):
                yield from included(entry["include-group"])

    assert {part for name in PYTHONS for part in included(name)} == set(PROJECT["dependency-groups"])
    assert {path.stem for path in (ROOT / "requirements").glob("*")} == set(PYTHONS)


@pytest.mark.parametrize("name", PYTHONS)
def test_a_lock_names_hashes_and_no_place(name: str) -> None:
    for line in lines(name):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", line), line
        assert "://" not in line
        assert "@" not in line
        assert "--index" not in line


@pytest.mark.parametrize(("name", "machine"), machines("demo"))
def test_the_demo_has_the_versions_of_the_tests(name: str, machine: Machine) -> None:
    assert locked(name, machine).items() <= locked("newest", machine).items()


def test_the_project_names_the_pythons_that_are_locked() -> None:
    prefix = "Programming Language :: Python :: 3."
    named = [line for line in PROJECT["project"]["classifiers"] if line.startswith(prefix)]
    assert named == [f"{prefix}{python.removeprefix('3.')}" for python in NEWEST_PYTHONS]
    assert PROJECT["project"]["requires-python"] == f">={NEWEST_PYTHONS[0]}"
    assert f"--python-version {NEWEST_PYTHONS[0]} " in (ROOT / "scripts" / "lock").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "machine"), machines("newest"))
def test_the_compose_file_has_the_airflow_of_the_tests(name: str, machine: Machine) -> None:
    image = f"FROM apache/airflow:{locked(name, machine)['apache-airflow']}\n"
    assert image in (ROOT / "docker-compose.yaml").read_text(encoding="utf-8")
