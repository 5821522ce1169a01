"""The arguments that formats bring to operators, sensors and the command line: their names are their own."""

import argparse
import inspect
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import BaseOperator, BaseSensorOperator

from airflow_provider_kognic import convert_cli, preview_cli, table_cli
from airflow_provider_kognic.core.sources.formats import registry
from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor
from airflow_provider_kognic.task.arguments.model_results import OWN

if TYPE_CHECKING:
    from airflow_provider_kognic.core.sources.converting.rows import Argument

# What reads a model's results, and so takes the arguments of formats.
TASKS = (CreatePredictionsGroupOperator, UploadPredictionsOperator, DatasetScenesSensor)


class _AnySensor(BaseSensorOperator):
    """A sensor that has nothing of its own."""

    def poke(self, context: Any) -> bool:
        raise NotImplementedError


def taken() -> set[str]:
    """What tasks have already: Airflow's parameters and attributes, and those of the classes here."""
    found: set[str] = set()
    for task in (BaseOperator(task_id="one"), _AnySensor(task_id="other")):
        found |= {*dir(task), *inspect.signature(type(task).__init__).parameters}
    for cls in (BaseOperator, BaseSensorOperator, *TASKS):
        written = inspect.unwrap(
            cls.__init__
        ).__code__  # as opposed to the signature, which has the formats' own
        found |= {*dir(cls), *written.co_varnames[: written.co_argcount + written.co_kwonlyargcount]}
    return found


def clashes(names: Iterable[str]) -> set[str]:
    """Those that cannot be the name of a format's argument."""
    there = taken()
    return {name for name in names if name in there or not name.isidentifier() or name.startswith("_")}


def test_no_argument_of_a_format_is_called_as_something_of_a_task() -> None:
    """It would take the place of a pool, or of the dataset, in every operator."""
    assert not clashes(OWN)


@pytest.mark.parametrize(
    "name",
    [
        "pool",
        "dataset",
        "retries",
        "log",
        "execute",
        "poke_interval",
        "min_count",
        "scenes",
        "hook",
        "lens-file",
    ],
)
def test_a_name_that_is_taken_is_noticed(name: str) -> None:
    assert clashes([*OWN, name]) == {name}


def test_the_same_name_means_the_same_in_every_format() -> None:
    """An operator takes it once, whichever format it is for."""
    said: dict[str, list[tuple[str, Argument]]] = {}
    for known in registry.BY_NAME.values():
        for argument in known.arguments:
            said.setdefault(argument.name, []).append((known.name, argument))
    for name, (first, *others) in said.items():
        for other in others:
            one, two = first[1], other[1]
            what = f"{name} of {first[0]} and of {other[0]}"
            assert (one.choices, one.is_path, one.default) == (two.choices, two.is_path, two.default), what
    assert tuple(said) == OWN


@pytest.mark.parametrize("command", [convert_cli, preview_cli, table_cli])
def test_no_argument_of_a_format_is_another_option_of_a_command(command: Any) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    twice = {name for name, count in Counter(one.dest for one in parser._actions).items() if count > 1}
    assert not twice


def test_importing_an_operator_imports_no_format() -> None:
    """Nor what reads and draws: DAG files are parsed all day. It counts from what an operator needs anyway."""
    code = """
import json, sys
import airflow_provider_kognic.task.arguments
import airflow_provider_kognic.task.arguments.model_results
from airflow_provider_kognic.core.sources.formats.options import FormatOptions
FormatOptions.of()
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
    )
    loaded = set(json.loads(done.stdout))
    sources = "airflow_provider_kognic.core.sources"
    assert f"{sources}.formats.registry" in loaded
    assert not {name for name in loaded if name.startswith(f"{sources}.formats.")} - {
        f"{sources}.formats.options",
        f"{sources}.formats.registry",
    }
    assert not {f"{sources}.converting.{name}" for name in ("inputs", "ingest", "scenes", "tables")} & loaded
    assert not {f"{sources}.base", f"{sources}.listing", f"{sources}.filtering.documents"} & loaded
    assert (
        not {"sqlite3", "PIL", "pyarrow", "numpy", "tempfile", "airflow_provider_kognic.core.geometry"}
        & loaded
    )


def test_a_format_is_imported_when_it_is_asked_for() -> None:
    code = """
import sys
from airflow_provider_kognic.core.sources.formats.registry import BY_NAME
print(len(BY_NAME), *BY_NAME)
print(BY_NAME["mot"].name)
print(*(name.rpartition(".")[2] for name in sys.modules if ".formats." in name))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
    )
    names, mot, loaded = done.stdout.splitlines()
    assert names.split() == [str(len(registry.ARGUMENTS)), *registry.ARGUMENTS]
    assert (mot, sorted(loaded.split())) == ("mot", ["mot", "registry"])


def test_a_format_that_has_other_arguments_than_the_registry_says_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(registry.ARGUMENTS, "av2", ("log_id", "side"))
    with pytest.raises(
        TypeError, match=r"the format 'av2' has the arguments \('log_id',\), and the registry says"
    ):
        registry.BY_NAME["av2"]
