"""The compose file is checked without an engine: by its schema, and by what it names being there."""

import importlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yaml"
TEXT = FILE.read_text(encoding="utf-8")
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(:\?|:-)([^}]*)\}")
AIRFLOW_PARTS = ("api-server", "scheduler", "dag-processor", "triggerer", "worker")


def environment_file() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name: value for name, _, value in pairs}


def compose() -> dict[str, Any]:
    """The file with its variables put in, as compose does."""
    given = environment_file()
    text = VARIABLE.sub(lambda match: given.get(match[1], match[3]), TEXT)
    loaded: dict[str, Any] = importlib.import_module("yaml").safe_load(text)
    return loaded


SERVICES: dict[str, Any] = compose()["services"]
ENVIRONMENT: dict[str, str] = compose()["x-airflow"]["environment"]


def commands() -> list[list[str]]:
    """Every `airflow ...` that a service runs, and those of the health checks."""
    found = []
    for service in SERVICES.values():
        command = service.get("command", [])
        if isinstance(command, str):
            found.append(command.split())
        elif command[:2] == ["bash", "-c"]:
            parts = [shlex.split(part) for part in command[2].replace("exec ", "").split("&&")]
            found += [part[1:] for part in parts if part[0] == "airflow"]
        check = service.get("healthcheck", {}).get("test", [])
        if check[1:2] == ["airflow"]:
            found.append(check[2:])
    return found


def newer_airflow() -> bool:
    from airflow import __version__

    return tuple(map(int, __version__.split(".")[:2])) >= (3, 3)


def test_it_fits_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_it_has_the_parts_of_a_distributed_airflow() -> None:
    assert set(SERVICES) == {"init", *AIRFLOW_PARTS, "emulator", "postgres", "redis"}
    assert ENVIRONMENT["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"


def test_every_service_that_stays_has_a_health_check() -> None:
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == {"init"}


def test_ports_are_published_to_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_it_refuses_to_start_without_secrets_and_the_example_has_them_all() -> None:
    needed = {match[1] for match in VARIABLE.finditer(TEXT) if match[2] == ":?"}
    optional = {match[1] for match in VARIABLE.finditer(TEXT) if match[2] == ":-"}

    assert needed == set(environment_file())
    assert optional == {"AIRFLOW_PORT", "EMULATOR_PORT"}
    # Nothing is put in without saying what happens when it is missing.
    assert len(re.findall(r"(?<!\$)\$(?!\$)", TEXT.replace("$$", ""))) == len(list(VARIABLE.finditer(TEXT)))


def test_every_volume_is_declared_or_a_folder_of_the_checkout() -> None:
    declared = set(compose()["volumes"])
    sources = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}

    assert {source for source in sources if not source.startswith(".")} == declared
    assert all((ROOT / source).is_dir() for source in sources if source.startswith("."))


def test_whoever_writes_predictions_and_whoever_reads_them_share_a_volume() -> None:
    folder = ENVIRONMENT["AIRFLOW_VAR_KOGNIC_PREDICTIONS_FOLDER"]

    for part in AIRFLOW_PARTS:
        assert f"predictions:{folder}" in SERVICES[part]["volumes"]
        assert SERVICES[part]["environment"]["AIRFLOW_VAR_KOGNIC_PREDICTIONS_FOLDER"] == folder


def test_the_connection_leads_to_the_emulator_over_the_allowed_http() -> None:
    from airflow.sdk import Connection

    from airflow_provider_kognic.emulator import demo
    from airflow_provider_kognic.hooks.connections import settings_of

    fields = json.loads(ENVIRONMENT["AIRFLOW_CONN_KOGNIC_DEFAULT"])
    extra = json.dumps(fields.pop("extra"))
    settings = settings_of(Connection(conn_id="kognic_default", extra=extra, **fields))

    assert settings.base_url == settings.auth_host == "http://emulator:8080"
    assert settings.credentials == (demo.CLIENT_ID, demo.CLIENT_SECRET)
    assert settings.app_url == "http://localhost:8081"


def test_the_emulators_arguments_are_its_own() -> None:
    from airflow_provider_kognic.emulator.__main__ import _parser

    service = SERVICES["emulator"]
    given = _parser().parse_args(service["command"])

    assert service["entrypoint"] == ["python", "-m", "airflow_provider_kognic.emulator"]
    assert (given.host, given.port, given.seed_demo) == ("0.0.0.0", 8080, True)
    assert given.allow_host == ["emulator"]


def test_the_fernet_key_is_one() -> None:
    from cryptography.fernet import Fernet

    Fernet(environment_file()["AIRFLOW_FERNET_KEY"])


def test_the_jwt_secret_is_long_enough_for_its_algorithm() -> None:
    assert len(environment_file()["AIRFLOW_JWT_SECRET"].encode()) >= 64


def test_airflow_has_every_setting_that_is_named(airflow_database: Path) -> None:
    from airflow.configuration import conf

    if not newer_airflow():
        pytest.skip("the compose file is for Airflow 3.3")
    known = conf.configuration_description
    celery = {("celery", "broker_url"), ("celery", "result_backend")}  # known to the provider for Celery
    named = {
        (parts[1].lower(), parts[2].lower())
        for name in ENVIRONMENT
        if name.startswith("AIRFLOW__") and len(parts := name.split("__", 2)) == 3
    }

    assert len(named) > 10
    missing = {
        (section, key) for section, key in named if key not in known.get(section, {}).get("options", {})
    }
    assert missing <= celery


def test_airflow_has_every_command_that_is_named(airflow_database: Path) -> None:
    if not newer_airflow():
        pytest.skip("the compose file is for Airflow 3.3")
    from airflow.cli.cli_parser import get_parser

    found = commands()
    parser = get_parser()
    for command in found:
        if command[0] != "celery":  # the provider for Celery is in the image, but not here
            parser.parse_args(command)

    starts = {" ".join(command[:2]) for command in found}
    assert {
        "api-server",
        "scheduler",
        "dag-processor",
        "triggerer",
        "celery worker",
        "db migrate",
        "pools set",
        "jobs check",
    } <= starts


def test_the_pool_is_that_of_the_mapped_example() -> None:
    example = (ROOT / "example_dags" / "example_sharded_upload.py").read_text(encoding="utf-8")
    (pool,) = [command for command in commands() if command[:2] == ["pools", "set"]]

    assert f'POOL = "{pool[2]}"' in example
    assert pool[3] == "10"
