"""What is said about wrong arguments: of the operators and sensors where the DAG file is parsed, and of hooks."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any
from unittest import mock

from tests.golden.kognic import Kognic, ended
from tests.golden.world import DATASET, GROUP, Files, as_json, scene

_GIVEN: dict[str, dict[str, Any]] = {
    "CreatePredictionsGroupOperator": {"dataset": DATASET, "name": "a group"},
    "UploadPredictionsOperator": {"predictions": "/data", "predictions_group_uuid": GROUP},
}
_MAPPINGS: list[Any] = ["text", 3, [3], [{}], [{"a": "b"}], {"a": 3}, {None: None}, {"": "a"}, [], {}]
_MANIFESTS: list[Any] = ["text", [], {"": 1}, {"a": float("nan")}, {"a": {"b": {1}}}, {"a": "x" * 3000}]
_NEITHER = {"predictions": None, "manifest": None}
ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    "CreatePredictionsGroupOperator": [
        {"if_exists": "replace"},
        {"class_mapping": "from_labels"},
        {"predictions": "/data"},
        {"manifest": "/data/m.csv"},
        {"class_mapping_overrides": {"a": "b"}},
        {"class_mapping": "from_predictions"},
        {"class_mapping": "from_predictions", "predictions": "/data", "manifest": "/data/m.csv"},
        *({"run_manifest": value} for value in _MANIFESTS),
    ],
    "UploadPredictionsOperator": [
        _NEITHER,
        {"manifest": "/data/m.csv"},
        *({"max_connections": value} for value in (0, 11, "many", True, 2.5)),
        *({"max_failures": value} for value in (-1, "101%", "some", None, True, 0.5)),
        *({"outage_timeout": value} for value in (-1, "long", None, float("inf"))),
        *({"settle_after": value} for value in (-1, "long", True)),
        *({"journal": value} for value in (True, 3, "", "true")),
        *({"receipts": value} for value in ("/data/r.csv", 3, "")),
        *({"report": value} for value in ("/data/r.md", 3, "")),
        *({"on_ambiguous": value} for value in ("guess", None, 3)),
        *({"on_changed": value} for value in ("replace", None)),
        *({"validation": value} for value in ("none", None)),
        *({"force": value} for value in ("perhaps", 2, None)),
        *({"dry_run": value} for value in ("perhaps", 2, None)),
        *({"max_document_bytes": value} for value in (0, "1", True, 1 << 40)),
        *({"class_mapping": mapping} for mapping in _MAPPINGS),
        *({"run_manifest": value} for value in _MANIFESTS),
    ],
}
# What only shows when the task runs.
RENDERED: dict[str, list[dict[str, Any]]] = {
    "CreatePredictionsGroupOperator": [
        {"name": None},
        {"name": " "},
        {"dataset": None},
        {"dataset": "another"},
        {"class_mapping": "from_predictions"},
        {"class_mapping": [{"predicted": 3}]},
        {"if_exists": "replace"},
    ],
    "UploadPredictionsOperator": [
        {"predictions": None},
        {"predictions": 3},
        {"predictions": ["a.json"]},
        {"predictions_group_uuid": None},
        {"predictions_group_uuid": "a group"},
        {"max_failures": "None"},
        {"max_connections": "None"},
        {"journal": "True"},
        {"receipts": "r.csv"},
        {"report": "r.csv", "dry_run": True},
        {"force": "None"},
        {"dry_run": "None"},
        {"dataset": 3.5},
        {"class_mapping": "text"},
    ],
}
SENSORS: dict[str, list[dict[str, Any]]] = {
    "PredictionsGroupSensor": [
        {"dataset": DATASET},
        {"dataset": DATASET, "name": "a", "predictions_group_uuid": GROUP},
        {"dataset": DATASET, "predictions_group_uuid": "a group"},
        {"dataset": "another", "name": "a"},
        {"dataset": DATASET, "name": "twice"},
        {"dataset": DATASET, "name": "twice", "deferrable": True},
        {"dataset": DATASET, "name": "twice", "deferrable": True, "soft_fail": True},
        {"dataset": DATASET, "name": "a group"},
    ],
    "DatasetScenesSensor": [
        {"dataset": DATASET, "scene_uuids": [scene(0)], "predictions": "/data"},
        {"dataset": DATASET, "scene_uuids": []},
        {"dataset": DATASET, "scene_uuids": "text"},
        {"dataset": DATASET, "scene_uuids": ["no scene"]},
        {"dataset": DATASET, "scene_uuids": [scene(0)], "min_count": 2},
        {"dataset": DATASET, "min_count": 0},
        {"dataset": DATASET, "min_count": "many"},
        {"dataset": DATASET, "predictions": []},
        {"dataset": DATASET, "predictions": "/nowhere"},
        {"dataset": DATASET, "scene_uuids": [scene(0), scene(1)], "min_count": 1},
    ],
}
CONNECTIONS: list[dict[str, Any]] = [
    {"host": "http://dataset.example.com"},
    {"host": "https://a.example?b"},
    {"host": "ftp://a.example"},
    {"host": "https://"},
    {"login": "id", "password": None},
    {"login": None, "password": "no json"},
    {"extra_dejson": {"credentials": "file.json"}},
    {"login": None, "password": None, "extra_dejson": {"credentials": '{"clientId": 1}'}},
    {"extra_dejson": {"scopes": 3}},
    {"extra_dejson": {"max_connections": 11}},
    {"extra_dejson": {"timeout": 0}},
    {"extra_dejson": {"verify": " "}},
    {"extra_dejson": {"proxy": "socks://user:secret@p"}},
    {"extra_dejson": {"auth_host": "http://auth.example.com"}},
    {"extra_dejson": {"app_url": "nowhere"}},
]


def _classes() -> dict[str, Any]:
    from airflow_provider_kognic.operators import predictions as operators
    from airflow_provider_kognic.sensors import predictions as sensors

    names = (*ARGUMENTS, *SENSORS)
    return {name: getattr(operators, name, None) or getattr(sensors, name) for name in names}


def _told(given: dict[str, Any], how: dict[str, Any]) -> dict[str, Any]:
    return {"given": {name: repr(value) for name, value in given.items()}, **how}


def make() -> Files:
    """Write what is said of each."""
    classes = _classes()
    parsed: dict[str, list[Any]] = {}
    for name, cases in ARGUMENTS.items():
        for more in cases:
            given = {"task_id": "t", **_GIVEN[name], **more}
            parsed.setdefault(name, []).append(_told(more, ended(lambda: repr(classes[name](**given)))))  # noqa: B023
    run: dict[str, list[Any]] = {}
    twice = [{"uuid": scene(number), "name": "twice"} for number in range(2)]
    kognic = Kognic(groups=[{"uuid": GROUP, "name": "a group"}, *twice], annotated=(0, 5))
    with kognic.reached():
        for name, cases in RENDERED.items():
            for more in cases:
                # One fault at a time: a path that is not there would be another one.
                there: dict[str, Any] = {"predictions": []} if "predictions" in _GIVEN[name] else {}
                operator = classes[name](task_id="t", **_GIVEN[name] | there)
                vars(operator).update(more)  # as rendering a template does
                run.setdefault(name, []).append(_told(more, ended(lambda: operator.execute({}))))  # noqa: B023
        for name, cases in SENSORS.items():
            for given in cases:
                with mock.patch("time.sleep"):  # what is not there yet is asked for once
                    how = ended(lambda: _ask(classes[name], given))  # noqa: B023
                run.setdefault(name, []).append(_told(given, how))
    return {
        "parsed.json": as_json(parsed),
        "run.json": as_json(run),
        "connections.json": as_json([_told(given, _settings(given)) for given in CONNECTIONS]),
    }


def _ask(sensor: Any, given: dict[str, Any]) -> Any:
    made = sensor(task_id="t", **given)
    if made.deferrable:
        return made.execute({})
    answer = made.poke({})
    return [answer.is_done, answer.xcom]


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    from airflow_provider_kognic.hooks.kognic import KognicHook

    plain: dict[str, Any] = {
        "host": "",
        "port": None,
        "schema": None,
        "login": "id",
        "password": "secret",
        "extra_dejson": {},
    }
    fields = {**plain, **given}
    fields |= {"conn_id": "kognic_default", "extra": json.dumps(fields["extra_dejson"])}
    connection = SimpleNamespace(**fields)
    hook = KognicHook()
    with mock.patch.object(KognicHook, "get_connection", return_value=connection):
        return ended(lambda: repr(hook.settings))
