"""One real Airflow for all tests: a temporary AIRFLOW_HOME, a SQLite database, Dags run with `dag.test()`."""

import atexit
import gc
import json
import logging
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator, running_emulator

if TYPE_CHECKING:
    from airflow.sdk import DAG

# Airflow reads these when it is first imported, so they are set before any test module is. Other processes that
# a test starts (schedulers, commands) get them too.
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="kognic-airflow-home-"))
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)
for _name in [name for name in os.environ if name.startswith(("AIRFLOW", "KOGNIC_"))]:
    del os.environ[_name]
os.environ.update(
    AIRFLOW_HOME=str(AIRFLOW_HOME),
    AIRFLOW__CORE__DAGS_FOLDER=str(AIRFLOW_HOME / "dags"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION="False",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{AIRFLOW_HOME}/airflow.db",
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
    NO_PROXY="127.0.0.1,localhost",
)


# Its tests count together how often doubt stayed, and compare that in the end.
PROMISE = "tests/core/proofs/test_promise.py"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `-n`, the tests of a file stay in one process, and so do all system tests, which share an Airflow.

    The other proofs share nothing and take minutes: each may run anywhere.
    """
    scheduling = import_module("xdist.scheduler").LoadScopeScheduling

    class ByFile(scheduling):  # type: ignore[misc, valid-type]
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            if file.startswith("tests/core/proofs/") and file != PROMISE:
                return nodeid
            return "system" if file.startswith("tests/system/") else file

    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `-n`, what takes longest begins first."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not item.nodeid.startswith("tests/operators/"))
        items.sort(key=lambda item: not item.get_closest_marker("proof"))
        items.sort(key=lambda item: not item.nodeid.startswith(PROMISE))
        items.sort(key=lambda item: not item.get_closest_marker("system"))


@pytest.fixture(scope="module", autouse=True)
def no_file_leaves_its_errors_to_the_next() -> Iterator[None]:
    """An error that a test has looked at keeps alive what it came through, with the files that were open there.

    Beside all of Airflow, the collector looks too rarely for cycles as old as that: there would be a thousand.
    """
    yield
    gc.collect()


Connection = Emulator | Mapping[str, Any] | str


def connection_json(connection: Connection) -> str:
    """A connection as an environment variable holds it."""
    if isinstance(connection, str):
        return connection
    if isinstance(connection, Emulator):
        connection = emulator_connection(connection)
    return json.dumps({"conn_type": "kognic", **connection})


def emulator_connection(emulator: Emulator, **extra: Any) -> dict[str, Any]:
    """The connection to an emulator; keywords go into its extra."""
    return {
        "conn_type": "kognic",
        "host": emulator.url,
        "login": emulator.client_id,
        "password": emulator.client_secret,
        "extra": {"auth_host": emulator.url, **extra},
    }


@dataclass(frozen=True)
class DagResult:
    """What a person sees of a Dag run."""

    dag_id: str
    run_id: str
    state: str
    output: str
    tasks: Mapping[tuple[str, int], Any]

    def task_state(self, task_id: str, map_index: int = -1) -> str:
        return str(self.tasks[task_id, map_index].state)

    def tries(self, task_id: str, map_index: int = -1) -> int:
        return int(self.tasks[task_id, map_index].try_number)

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """The value of an XCom, or None."""
        return self.xcoms(task_id, map_index).get(key)

    def xcoms(self, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """All XComs of a task."""
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            rows = session.scalars(
                select(XComModel).where(
                    XComModel.dag_id == self.dag_id,
                    XComModel.run_id == self.run_id,
                    XComModel.task_id == task_id,
                    XComModel.map_index == map_index,
                )
            )
            return {row.key: XComModel.deserialize_value(row) for row in rows}

    def rendered(self, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """The rendered template fields, as the UI shows them."""
        from airflow.models.renderedtifields import RenderedTaskInstanceFields
        from airflow.utils.session import create_session
        from sqlalchemy import select

        fields = RenderedTaskInstanceFields
        with create_session() as session:
            row = session.scalar(
                select(fields).where(
                    fields.dag_id == self.dag_id,
                    fields.run_id == self.run_id,
                    fields.task_id == task_id,
                    fields.map_index == map_index,
                )
            )
            return dict(row.rendered_fields) if row else {}


RunDag = Callable[..., DagResult]


@pytest.fixture(scope="session")
def airflow_database() -> Path:
    """Make Airflow's database, once; returns AIRFLOW_HOME."""
    (AIRFLOW_HOME / "dags").mkdir(exist_ok=True)
    with warnings.catch_warnings():
        # Airflow's own: SQLAlchemy's and alembic's deprecations, its migration of its own tables.
        warnings.simplefilter("ignore")
        from airflow.utils import db

        db.initdb()
        import structlog
    if not structlog.is_configured():  # Airflow 3.0 leaves it as it is when a Dag runs in this process
        renderer = structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
        structlog.configure(
            processors=[structlog.stdlib.add_log_level, structlog.processors.StackInfoRenderer(), renderer],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        )
    return AIRFLOW_HOME


def load_dags(path: Path) -> dict[str, "DAG"]:
    """Parse a file as Airflow does; fails on import errors."""
    dag_bag: Any = _first_of("airflow.dag_processing.dagbag:DagBag", "airflow.models.dagbag:DagBag")
    options: dict[str, Any] = {"include_examples": False, "safe_mode": False}
    bag = dag_bag(str(path), **options)
    assert not bag.import_errors, bag.import_errors
    dags: dict[str, Any] = dict(bag.dags)
    return dags


def write_dag(dag: "DAG") -> None:
    """Make a Dag known to the database, as the Dag processor would."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization import serialized_objects

    # Airflow 3.0 and 3.1 have it where it is read, too.
    writer = _first_of(
        "airflow.serialization.definitions.dag:SerializedDAG",
        "airflow.serialization.serialized_objects:SerializedDAG",
    )
    if dag.relative_fileloc is None:
        dag.relative_fileloc = "defined_in_a_test.py"
    lazy: Any = serialized_objects.LazyDeserializedDAG
    if hasattr(lazy, "from_dag"):  # Airflow >= 3.1
        written = lazy.from_dag(dag)
    else:
        written = lazy(data=vars(serialized_objects)["SerializedDAG"].to_dict(dag))
    DagBundlesManager().sync_bundles_to_db()
    writer.bulk_write_to_db("dags-folder", None, [written])
    SerializedDagModel.write_dag(written, bundle_name="dags-folder")


def _first_of(*names: str) -> Any:
    """Import the first of `module:attribute` that this version of Airflow has."""
    for name in names:
        module, _, attribute = name.partition(":")
        with suppress(ImportError, AttributeError):
            return getattr(import_module(module), attribute)
    raise ImportError(f"none of {', '.join(names)}")


@pytest.fixture
def run_dag(airflow_database: Path, monkeypatch: pytest.MonkeyPatch) -> RunDag:
    """Run a Dag to its end, in this process: `run_dag(dag_or_file, conf=..., connection=...)`."""

    def run(
        dag: "DAG | Path",
        *,
        conf: dict[str, Any] | None = None,
        connection: Connection | None = None,
        connections: Mapping[str, Connection] | None = None,
    ) -> DagResult:
        """Run it.

        Args:
            dag: A Dag, or a file that defines one.
            conf: The run's configuration.
            connection: What `kognic_default` is: an emulator, fields, or a URI.
            connections: More connections, by id.
        """
        given = dict(connections or {})
        if connection is not None:
            given["kognic_default"] = connection
        for name, value in given.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", connection_json(value))
        with warnings.catch_warnings():
            # Airflow and what it stands on warn of their own doings; warnings of ours, of Dag files and of tests
            # stay errors.
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", module=r"airflow_provider_kognic|unusual_prefix_|tests?[._]")
            if isinstance(dag, Path):
                (dag,) = load_dags(dag).values()
            write_dag(dag)
            written = StringIO()
            with ExitStack() as stack:
                stack.enter_context(redirect_stdout(written))
                stack.enter_context(redirect_stderr(written))
                handler = logging.StreamHandler(written)
                handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
                root = logging.getLogger()
                root.addHandler(handler)
                stack.callback(root.removeHandler, handler)
                done: Any = dag.test(run_conf=conf)
        return _result(done, written.getvalue())

    return run


def _result(run: Any, output: str) -> DagResult:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.scalars(
            select(TaskInstance).where(TaskInstance.dag_id == run.dag_id, TaskInstance.run_id == run.run_id)
        ).all()
        tasks = {(row.task_id, row.map_index): row for row in rows}
        session.expunge_all()
    state = getattr(run.state, "value", run.state)
    return DagResult(run.dag_id, run.run_id, str(state), output, tasks)


_BOX = {
    "name": "box",
    "val": [10, 20, 30, 40],
    "attributes": {"text": [{"name": "stream", "val": "CAM"}]},
}
DOCUMENT: dict[str, Any] = {
    "openlabel": {
        "metadata": {"schema_version": "1.0.0"},
        "streams": {"CAM": {"type": "camera"}},
        "objects": {"1": {"name": "car", "type": "Car"}},
        "frames": {
            "0": {
                "frame_properties": {"timestamp": 0, "external_id": "", "streams": {}},
                "objects": {"1": {"object_data": {"bbox": [_BOX]}}},
            }
        },
    }
}


@pytest.fixture(scope="session")
def shared_emulator() -> Iterator[Emulator]:
    with running_emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(shared_emulator: Emulator) -> Iterator[Emulator]:
    """The emulator that all tests share, with no faults, fresh counters, and no group of an earlier test."""
    shared_emulator.clear_faults()
    shared_emulator.delete_groups()
    shared_emulator.reset_stats()
    yield shared_emulator
    shared_emulator.clear_faults()


@pytest.fixture
def server(emulator: Emulator) -> Emulator:
    """The same, as the tests of operators and sensors call it: Kognic is a server to them."""
    return emulator


@pytest.fixture
def describe_scenes(emulator: Emulator) -> Iterator[Callable[..., None]]:
    """Describe scenes of the demo otherwise, for this test: `describe_scenes({0: {"cameras": ["CAM"]}})`."""
    described: set[int] = set()

    def describe(scenes: Mapping[int, Mapping[str, Any]]) -> None:
        described.update(scenes)
        emulator.seed(scenes=[{"uuid": demo.scene_uuid(number), **more} for number, more in scenes.items()])

    yield describe
    describe(
        {
            number: {
                "external_id": f"{demo.DATASET_NAME}/{number}",
                "cameras": [demo.CAMERA],
                "lidars": [demo.LIDAR],
                "frame_relative_times": list(demo.FRAME_RELATIVE_TIMES),
                "calibration": demo.DATASET_NAME,
            }
            for number in described
        }
    )


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """A valid, small prediction."""
    return DOCUMENT


@pytest.fixture
def write_predictions(tmp_path: Path) -> Callable[..., Path]:
    """Write documents of the demo dataset's first scenes: `write_predictions(5)` returns their folder."""

    def write(count: int, folder: Path = tmp_path / "predictions", *, first: int = 0) -> Path:
        folder.mkdir(exist_ok=True)
        for number in range(first, first + count):
            (folder / f"{demo.scene_uuid(number)}.json").write_text(json.dumps(DOCUMENT))
        return folder

    return write


@pytest.fixture(scope="session")
def connection_to() -> Callable[..., dict[str, Any]]:
    """The fields of a connection to an emulator; keywords go into its extra."""
    return emulator_connection


@pytest.fixture
def dag(request: pytest.FixtureRequest) -> "DAG":
    """An empty Dag named after the test, whose tasks are tried once."""
    from airflow.sdk import DAG

    name = re.sub(r"\W+", "_", request.node.name).strip("_")[:200]
    return DAG(name, schedule=None, default_args={"retries": 0})
