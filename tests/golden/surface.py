"""What users and Airflow name: classes, their parameters, triggers, exceptions, what the provider declares."""

from __future__ import annotations

import base64
import inspect
import pickle
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.task.arguments.model_results import OWN
from tests.golden import access
from tests.golden.world import DATASET, GROUP, HOST, Files, as_json, scene

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = "airflow_provider_kognic"
CLASSES = {
    "sensors.predictions": ["PredictionsGroupSensor", "DatasetScenesSensor"],
    "triggers.predictions": ["PredictionsGroupTrigger", "DatasetScenesTrigger", "DatasetEventTrigger"],
    "hooks.kognic": ["KognicHook"],
    "links.kognic": ["KognicPredictionsGroupLink", "KognicDatasetLink"],
    "emulator.testing": ["Emulator"],
}
FUNCTIONS = {
    "assets.kognic": [
        *("predictions_alias", "sanitize_uri", "create_asset", "convert_asset_to_openlineage"),
        *("announce", "announce_sum"),
    ],
    "core.openlabel": ["check"],
    "emulator.testing": ["running_emulator"],
    "summaries": ["summarise", "summary_of"],
}
ERRORS = ("core.errors", "exceptions")
# What there is only with newer Airflows, or has other defaults with them.
NEWER = {
    "retry_policy": ["KognicRetryPolicy"],
    "operators.predictions": ["CreatePredictionsGroupOperator", "UploadPredictionsOperator"],
    "operators.classes": ["SurveyClassesOperator"],
    "operators.sharding": ["ShardPredictionsOperator"],
}
_OF_A_TASK = ("template_fields", "template_fields_renderers", "ui_color")


def _parameters(function: Any) -> list[list[str]]:
    """Return name, kind and default of each parameter; what a model's formats bring along is theirs."""
    found = inspect.signature(function).parameters.values()
    return [[one.name, one.kind.name, _default(one.default)] for one in found if one.name not in OWN]


def _default(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return "required"
    plain = value is None or isinstance(value, (str, int, float, bool, tuple))
    return repr(value) if plain else f"a {type(value).__module__}.{type(value).__qualname__}"


def _methods(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods that a class of this package adds, with its constructor."""
    for name in sorted(dir(cls)):
        where = next((base for base in cls.__mro__ if name in vars(base)), object)
        if (name == "__init__" or not name.startswith("_")) and where.__module__.startswith(PACKAGE):
            value = getattr(cls, name)
            if inspect.isfunction(value) or inspect.ismethod(value):
                yield name, value


def _class(cls: type) -> dict[str, Any]:
    found: dict[str, Any] = {"methods": {name: _parameters(value) for name, value in _methods(cls)}}
    for name in (*_OF_A_TASK, "conn_name_attr", "default_conn_name", "conn_type", "hook_name"):
        if hasattr(cls, name):
            value = getattr(cls, name)
            found[name] = [one for one in value if one not in OWN] if isinstance(value, tuple) else value
    links = getattr(cls, "operator_extra_links", ())
    if isinstance(links, tuple):
        found["links"] = [_path(type(link)) for link in links]
    return found


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def classes(declared: dict[str, list[str]]) -> dict[str, Any]:
    """Return what is known of classes."""
    found = {}
    for module, names in declared.items():
        for name in names:
            found[f"{module}.{name}"] = _class(getattr(import_module(f"{PACKAGE}.{module}"), name))
    return found


def errors() -> list[type[BaseException]]:
    """Return all classes of errors that users may catch."""
    found = []
    for module in ERRORS:
        of_module = vars(import_module(f"{PACKAGE}.{module}"))
        found += [
            value
            for _, value in sorted(of_module.items())
            if isinstance(value, type)
            and issubclass(value, BaseException)
            and value.__module__.startswith(PACKAGE)
        ]
    return found


def _examples(cls: type[BaseException]) -> list[BaseException]:
    if cls.__module__.endswith(".exceptions"):
        more: dict[str, Any] = {"retry_after": 3.5} if "Transient" in cls.__name__ else {}
        return [cls("a message"), cls("a message", **more)]
    make: Any = cls
    return [
        make("a message"),
        make("a message", status=422, method="POST", url=f"https://{HOST}/v1/predictions", retry_after=3.5),
    ]


def make() -> Files:
    """Write the public surface."""
    functions = {
        f"{module}.{name}": _parameters(getattr(import_module(f"{PACKAGE}.{module}"), name))
        for module, names in FUNCTIONS.items()
        for name in names
    }
    errors_known = {
        _path(cls): {
            "bases": [
                _path(base) for base in cls.__mro__[1:] if base.__module__.startswith((PACKAGE, "builtins"))
            ],
            "parameters": _parameters(cls) if hasattr(cls.__init__, "__code__") else "those of any exception",
            "said": [str(example) for example in _examples(cls)],
            "advice": getattr(cls, "advice", None),
        }
        for cls in errors()
    }
    return {
        "classes.json": as_json(classes(CLASSES)),
        "functions.json": as_json(functions),
        "errors.json": as_json(errors_known),
        "provider_info.json": as_json(import_module(PACKAGE).get_provider_info()),
        "triggers.json": as_json(_triggers()),
        "rules.json": as_json(access.rules()),
    }


def make_newer() -> Files:
    """Write the surface that Airflow before 3.3 does not have."""
    policy = import_module(f"{PACKAGE}.retry_policy").RETRY_POLICY
    return {"classes.json": as_json(classes(NEWER)), "retry_policy.json": as_json(policy.serialize())}


def make_pickles() -> Files:
    """Write pickles of errors."""
    return {
        "errors.json": as_json(
            {
                f"{_path(cls)} {number}": base64.b64encode(pickle.dumps(example, protocol=4)).decode()
                for cls in errors()
                for number, example in enumerate(_examples(cls))
            }
        )
    }


def examples() -> dict[str, BaseException]:
    """Return the errors of which there are pickles, by the names that they have there."""
    return {f"{_path(cls)} {n}": one for cls in errors() for n, one in enumerate(_examples(cls))}


def _triggers() -> list[Any]:
    from airflow_provider_kognic.triggers.predictions import (
        DatasetEventTrigger,
        DatasetScenesTrigger,
        PredictionsGroupTrigger,
    )

    made = [
        PredictionsGroupTrigger(dataset=DATASET, name="a group"),
        PredictionsGroupTrigger(
            dataset="a dataset", predictions_group_uuid=GROUP, poke_interval=5.5, kognic_conn_id="another"
        ),
        DatasetScenesTrigger(dataset=DATASET),
        DatasetScenesTrigger(
            dataset="a dataset",
            scene_uuids=(scene(0), scene(1)),
            min_count=2,
            poke_interval=5.5,
            kognic_conn_id="another",
        ),
        DatasetEventTrigger(dataset="a dataset", event="scenes_annotated"),
    ]
    return [one.serialize() for one in made]
