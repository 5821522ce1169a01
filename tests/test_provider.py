"""What Airflow learns of the provider without running anything."""

import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic import __version__, get_provider_info

NAME = "airflow-provider-kognic"
FORM = ["environment", "auth_host", "credentials", "scopes", "max_connections", "timeout", "verify", "proxy"]
FORM += ["app_url", "input_host", "allow_http", "contract", "assumptions"]


def test_the_information_fits_airflows_schema() -> None:
    import airflow

    schemas = list(Path(airflow.__path__[0]).glob("provider_info.schema.json"))
    assert schemas, "this Airflow ships no schema"
    schema = json.loads(schemas[0].read_text(encoding="utf-8"))
    info = get_provider_info()
    # Airflow 3.0 and 3.1 do not know the form as data yet, and their ProvidersManager does not mind.
    known = schema["properties"]["connection-types"]["items"]["properties"]
    for connection in info["connection-types"]:
        for key in {"conn-fields", "ui-field-behaviour"} - set(known):
            del connection[key]
    import_module("jsonschema").validate(info, schema)


def test_every_declared_path_can_be_imported() -> None:
    info = get_provider_info()
    for kind in ("hooks", "operators", "sensors", "triggers"):
        for entry in info[kind]:
            for module in entry["python-modules"]:
                import_module(module)
    classes = [connection["hook-class-name"] for connection in info["connection-types"]]
    for path in (*classes, *info["extra-links"]):
        module, _, name = path.rpartition(".")
        assert isinstance(getattr(import_module(module), name), type)
    (assets,) = info["asset-uris"]
    assert assets["schemes"] == ["kognic"]
    for path in (assets["handler"], assets["factory"], assets["to_openlineage_converter"]):
        module, _, name = path.rpartition(".")
        assert callable(getattr(import_module(module), name))
    for path in info["cli"]:
        module, _, name = path.rpartition(".")
        assert [command.name for command in getattr(import_module(module), name)()] == ["kognic"]


def test_airflow_finds_the_provider_without_importing_airflow_for_it() -> None:
    points = [p for p in entry_points(group="apache_airflow_provider") if p.dist and p.dist.name == NAME]
    assert [p.load()()["package-name"] for p in points] == [NAME]
    code = "import sys, airflow_provider_kognic as k; k.get_provider_info(); print('airflow' in sys.modules)"
    assert _python(code).strip() == "False"


def test_airflow_lists_the_provider(airflow_database: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "airflow", "providers", "get", NAME, "--full", "--output", "json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    (found,) = json.loads(shown.stdout[shown.stdout.index("[{") :].strip().splitlines()[0] or "[]") or [{}]
    assert __version__ in json.dumps(found)


def test_the_connection_form_has_every_field_named_and_described(
    airflow_database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    form = connection_form(caplog)
    if form["standard_fields"] is None:
        # Airflow 3.0 and 3.1 import the form's fields from wtforms, which comes with the FAB provider only.
        assert find_spec("wtforms") is None
        pytest.skip("this Airflow shows no provider's own fields without wtforms")

    standard = form["standard_fields"]
    assert standard["host"]["title"] == "Dataset API"
    assert standard["login"]["title"] == "Client id"
    assert standard["password"]["title"] == "Client secret"
    assert standard["url_schema"]["hidden"] is True
    assert list(form["extra_fields"]) == FORM
    for field in form["extra_fields"].values():
        assert field["schema"]["title"]
        assert len(field["description"]) > 20
    kinds = {name: field["schema"]["type"] for name, field in form["extra_fields"].items()}
    assert kinds["max_connections"] == ["integer", "null"]
    assert kinds["allow_http"] == ["boolean", "null"]
    assert form["extra_fields"]["proxy"]["schema"]["format"] == "password"
    assert form["extra_fields"]["max_connections"]["value"] == 10


def connection_form(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """The form as the UI gets it, from the api-server's own service; warnings that name us fail the test."""
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    with caplog.at_level(logging.WARNING), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow 3.2 warns of its own imports
        forms = HookMetaService.hook_meta_data()
    assert "kognic" not in caplog.text.lower()
    (form,) = [form.model_dump() for form in forms if form.connection_type == "kognic"]
    return form


def test_the_form_of_older_airflows_has_the_same_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow 3.0 and 3.1 ask the hook, with their own stand-ins for wtforms."""
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    from airflow_provider_kognic.hooks.kognic import KognicHook

    class Forms:
        StringField = HookMetaService.MockStringField
        IntegerField = HookMetaService.MockIntegerField
        BooleanField = HookMetaService.MockBooleanField
        PasswordField = HookMetaService.MockPasswordField

    monkeypatch.setitem(sys.modules, "wtforms", Forms)
    widgets = KognicHook.get_connection_form_widgets()
    declared = get_provider_info()["connection-types"][0]["conn-fields"]

    assert list(widgets) == list(declared) == FORM
    for name, spec in declared.items():
        shown = widgets[name].param.dump()
        assert shown["schema"]["title"] == spec["label"]
        assert shown["description"] == spec["description"]
        default = spec["schema"].get("default")
        assert shown["value"] == (str(default) if name == "timeout" else default)
        assert shown["schema"].get("format") == spec["schema"].get("format")
    behaviour = KognicHook.get_ui_field_behaviour()
    named = get_provider_info()["connection-types"][0]["ui-field-behaviour"]
    assert {key.replace("_", "-"): value for key, value in behaviour.items()} == named


def test_importing_operators_and_sensors_imports_no_http_library_and_nothing_of_kognics(
    record_property: Callable[[str, object], None],
) -> None:
    code = """
import sys, time
import airflow.sdk
before, started = set(sys.modules), time.perf_counter()
import airflow_provider_kognic.operators.predictions
import airflow_provider_kognic.sensors.predictions
took = time.perf_counter() - started
import json
print(json.dumps([round(took * 1000), sorted(set(sys.modules) - before)]))
"""
    took, added = json.loads(_python(code).strip().splitlines()[-1])
    record_property("import_ms_beyond_airflow_sdk", took)
    heavy = {"h11", "httpx", "requests", "kognic", "authlib", "pydantic", "msgspec", "fsspec", "upath"}
    assert not {name for name in added if name.split(".")[0] in heavy}
    formats = {name.rpartition(".")[2] for name in added if ".core.sources.formats." in name}
    assert formats == {"options", "registry"}  # what there is, and none of them
    assert not {name for name in added if ".core.geometry" in name}


def _python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    ).stdout
