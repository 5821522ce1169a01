"""Dags that what people do in Kognic starts, and that uploads start, with a real scheduler and triggerer."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
from airflow import __version__ as airflow_version

from airflow_provider_kognic.emulator.testing import Emulator, running_emulator

from .real_airflow import Airflow

pytestmark = pytest.mark.system
# Airflow 3.3 and later keep what a watcher tells them.
REMEMBERS = find_spec("airflow.models.asset_state_store") is not None


def looks(kognic: Emulator) -> int:
    requests = kognic.stats()["requests"]
    return sum(sum(answers.values()) for route, answers in requests.items() if route.endswith("annotations"))


def run_of(airflow: Airflow, dag: str) -> str:
    """The path of a Dag's newest run that has succeeded."""

    def done() -> Any:
        runs = airflow.get(f"/api/v2/dags/{dag}/dagRuns?order_by=-start_date")["dag_runs"]
        assert not [run for run in runs if run["state"] == "failed"], (dag, runs)
        return [run for run in runs if run["state"] == "success"]

    return f"/api/v2/dags/{dag}/dagRuns/{airflow.until(done, 120)[0]['dag_run_id']}"


def test_what_people_annotate_is_predicted_uploaded_and_told_of(
    airflow: Airflow, connection_to: Callable[..., dict[str, Any]]
) -> None:
    """Also what they do while no triggerer runs, where Airflow keeps what was seen."""
    with running_emulator() as kognic:
        dataset = kognic.create_dataset("watched", count=5, annotated=2)
        new = dataset["scenes"][2:4]
        airflow.add_connection("watched", {"connection_id": "watched", **connection_to(kognic)})
        airflow.until(lambda: looks(kognic) >= 3, 120)  # the first of these is remembered
        if REMEMBERS:
            airflow.stop_part("triggerer")
        kognic.annotate(dataset["uuid"], new)
        if REMEMBERS:
            airflow.start_part("triggerer")

        run = run_of(airflow, "on_annotated")
        group = airflow.xcom(run, "create")
        assert sorted(row["scene_uuid"] for row in kognic.predictions(group)) == sorted(new)
        page = f"https://app.kognic.com/dataset/{dataset['uuid']}/predictions/{group}"
        links = {"Kognic predictions group": page, "Kognic dataset": page.partition("/predictions/")[0]}
        for task in ("create", "upload"):
            assert airflow.links(run, task) == links

        (told,) = airflow.xcom(run_of(airflow, "on_uploaded"), "seen")
        uri = (
            f"kognic://{kognic.url.partition('://')[2]}/datasets/{dataset['uuid']}/predictions-groups/{group}"
        )
        assert (told["event"], told["asset"], told["uploaded"]) == ("predictions_uploaded", uri, 2)
        assert (told["dag_id"], told["run_id"]) == ("on_annotated", run.rpartition("/")[2])
        started_by, so_far = airflow.xcom(run_of(airflow, "on_the_alias"), "resolved")
        assert set(so_far) == {uri}
        # A run of Airflow 3.0 is not told which events of an alias's new asset have started it.
        assert set(started_by) == (set() if airflow_version.startswith("3.0.") else {uri})
        assert len(airflow.get("/api/v2/dags/on_annotated/dagRuns")["dag_runs"]) == 1
