"""What users get from PyPI: the wheel has the package and nothing else, the sdist what it takes to test it."""

import importlib
import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic import __version__

ROOT = Path(__file__).parents[1]
WORKFLOWS = ROOT / ".github" / "workflows"
PACKAGE = ROOT / "airflow_provider_kognic"
NAME = f"airflow_provider_kognic-{__version__}"
SUFFIXES = {".py", ".css", ".html", ".js", ".svg", ".typed", ".json"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    from hatchling.builders.wheel import WheelBuilder

    return zipfile.ZipFile(built(WheelBuilder, tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    from hatchling.builders.sdist import SdistBuilder

    with tarfile.open(built(SdistBuilder, tmp_path_factory.mktemp("sdist"))) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def built(builder: Any, folder: Path) -> Path:
    (made,) = builder(str(ROOT)).build(directory=str(folder))
    return Path(made)


def test_the_wheel_is_the_package(wheel: zipfile.ZipFile) -> None:
    """Each file that is kept here, and no other."""
    files = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    described = {
        f"{NAME}.dist-info/{name}"
        for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }
    assert set(wheel.namelist()) == files | described
    assert {Path(name).suffix for name in files} <= SUFFIXES
    assert "airflow_provider_kognic/py.typed" in files


def test_the_wheel_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    metadata = Parser().parsestr(wheel.read(f"{NAME}.dist-info/METADATA").decode())
    assert (metadata["Name"], metadata["Version"]) == ("airflow-provider-kognic", __version__)
    assert metadata["Metadata-Version"] == "2.4"
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("Project-URL")
    assert not [line for line in metadata.get_all("Requires-Dist", []) if "test" in line]
    points = wheel.read(f"{NAME}.dist-info/entry_points.txt").decode()
    assert "[apache_airflow_provider]\nprovider_info = airflow_provider_kognic:get_provider_info" in points


def test_the_sdist_has_what_it_takes_to_test_it(sdist: set[str]) -> None:
    """And nothing that was made on the way: environments, caches, results."""
    tops = {name.partition("/")[0] for name in sdist if name}
    assert tops == {
        *("airflow_provider_kognic", "docs", "example_dags", "requirements", "scripts", "tests"),
        *(".env.example", ".github", ".gitignore", "docker-compose.yaml", "pyproject.toml", "PKG-INFO"),
        *("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"),
    }
    assert {"docs/conf.py", "docs/index.md", "scripts/test", "tests/conftest.py"} <= sdist
    assert not [name for name in sdist if "__pycache__" in name or "/_build/" in name]


@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_the_workflows_are_what_github_takes(name: str) -> None:
    checks = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    subprocess.run([*checks, str(WORKFLOWS / name)], check=True, timeout=300)


@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_actions_are_named_by_their_commits(name: str) -> None:
    """Each with its version behind it, for people and for what proposes newer ones."""
    text = (WORKFLOWS / name).read_text(encoding="utf-8")
    used = re.findall(r"uses: (.*)", text)
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []


def test_only_what_was_tested_is_published_and_without_a_stored_secret() -> None:
    """The one job that may upload runs nothing of this repository."""
    text = (WORKFLOWS / "release.yml").read_text(encoding="utf-8")
    workflow = importlib.import_module("yaml").safe_load(text)
    jobs = workflow["jobs"]
    assert workflow["permissions"] == {"contents": "read"}
    assert [name for name, job in jobs.items() if "id-token" in job.get("permissions", {})] == ["publish"]
    assert jobs["publish"]["needs"] == ["test", "build"]
    assert [step.get("run") for step in jobs["publish"]["steps"]] == [None, None]
    assert jobs["publish"]["steps"][-1]["with"] == {"attestations": True}
    assert "secrets." not in text
