"""The contracts of import-linter in pyproject.toml are about the whole package; scripts/lint holds it to them."""

import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "airflow_provider_kognic"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = {one["name"]: one for one in PROJECT["tool"]["importlinter"]["contracts"]}


def modules_in(folder: Path) -> set[str]:
    """The modules and packages directly in a folder, by their whole names."""
    found = {
        path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    prefix = ".".join(folder.relative_to(ROOT).parts)
    return {f"{prefix}.{name}" for name in found - {"__init__"}}


def test_no_module_is_left_out_of_who_may_not_know_http_libraries() -> None:
    """A new one is either named there or lies in the client's folder."""
    contract = CONTRACTS["Only the client's folder knows which HTTP libraries speak"]
    everybody = modules_in(PACKAGE) | modules_in(PACKAGE / "core")
    excepted = {
        "airflow_provider_kognic.core",
        "airflow_provider_kognic.core.api",
        "airflow_provider_kognic.emulator",
    }
    assert set(contract["source_modules"]) == everybody - excepted


def test_no_contract_lets_anything_through() -> None:
    """None has a list of imports that it ignores."""
    assert not [name for name, one in CONTRACTS.items() if "ignore_imports" in one]
