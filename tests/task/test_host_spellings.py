"""The same upload under another name of the host: it goes on, and sends nothing again."""

import json
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.errors import KognicJournalFormatError
from airflow_provider_kognic.core.groups.intent import Intent
from airflow_provider_kognic.core.journal.format import Header
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.task.state_store import GROUP, TaskStateStoreLog, TaskStateStoreMemory
from tests.core.journal.folders import line, lines_of
from tests.operators.test_upload_journal import counts, each_once, group, posts, upload

if TYPE_CHECKING:
    from airflow.sdk import DAG

__all__ = ["group"]
RunDag = Callable[..., Any]
Write = Callable[..., Path]
HOST, OF = "dataset.app.kognic.com", "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
COUNT = 12


class Store:
    """Airflow's task state store, as far as its values go."""

    def __init__(self) -> None:
        # The log hands this constant to the store; Airflow before 3.3 has neither it nor a store of its own.
        vars(import_module("airflow.sdk.execution_time.context")).setdefault("NEVER_EXPIRE", None)
        self.values: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self.values[key] = json.dumps(value)


def log_of(store: Store, typed: str, host: str = HOST) -> TaskStateStoreLog:
    return TaskStateStoreLog(store, Header(host, OF), writer="a test", host_as_typed=typed)


def attempt(log: TaskStateStoreLog, *lines: bytes) -> list[bytes]:
    log.open(lambda: False)
    found = lines_of(log)
    for one in lines:
        log.append([one])
    return found


def of_version_1(typed: str, *lines: bytes) -> Store:
    """What an older version left, which took the host as it was typed."""
    store = Store()
    attempt(log_of(store, typed, host=typed), *lines)
    store.values = {key: text.replace('"version": 2', '"version": 1') for key, text in store.values.items()}
    return store


TYPED = [f"{HOST}:443", f"{HOST}:0443", f"{HOST}.", f"{HOST}.:443"]


@pytest.mark.parametrize("typed", TYPED)
def test_the_state_store_of_an_older_version_is_gone_on_with(typed: str) -> None:
    """Whatever the connection names the host by then; and an older version that comes after does not begin anew."""
    assert Settings(base_url=typed).host == HOST
    assert Settings(base_url=typed).host_as_typed == typed
    store = of_version_1(typed, line(1), line(2))
    assert [*log_of(store, typed).peek()] == [b'["v",1]', line(1), line(2)]
    assert log_of(store, typed).is_there()
    assert attempt(log_of(store, typed), line(3), line(4)) == [line(1), line(2)]
    assert attempt(log_of(store, HOST), line(5)) == [line(number) for number in range(1, 5)]
    for other in (HOST, typed, f"{HOST}:00443"):
        assert [*log_of(store, other).peek()] == [
            *(b'["v",1]', line(1), line(2)),
            *(b'["v",2]', line(3), line(4)),
            *(b'["v",2]', line(5)),
        ]
    index = store.get(log_of(store, typed)._older)
    assert (index["format"], index["version"]) == ("kognic-journal", 2)


def test_the_state_store_of_another_host_is_not() -> None:
    store = of_version_1("else.example", line(1))
    assert attempt(log_of(store, HOST)) == []
    with pytest.raises(KognicJournalFormatError, match="of another host"):
        list(log_of(store, "else.example").peek())


def test_the_memory_of_a_group_is_of_the_same_host(tmp_path: Path) -> None:
    """So that a group whose making was not answered is still looked for."""
    memory = TaskStateStoreMemory(Store(), GROUP)
    Intent(memory, f"{HOST}.:0443", "a dataset", "a name").begin([])
    assert Intent(memory, HOST, "a dataset", "a name").open
    assert not Intent(memory, f"{HOST}:8443", "a dataset", "a name").open
    assert not Intent(memory, HOST, "a dataset", "another").open


def test_a_finished_upload_that_runs_again_sends_nothing(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    tmp_path: Path,
) -> None:
    """However the connection names the host by then; and the journal stays in one folder."""
    journal = tmp_path / "journal"
    upload(dag, group, predictions=str(write_predictions(COUNT)), journal=str(journal))
    port = server.url.rpartition(":")[2]

    def run(host: str) -> dict[str, int]:
        connection = {
            "conn_type": "kognic",
            "host": f"http://{host}",
            "login": server.client_id,
            "password": server.client_secret,
            "extra": {"auth_host": server.url},
        }
        return counts(run_dag(dag, connection=connection))

    assert run(f"localhost:{port}") == {"uploaded": COUNT, "total": COUNT}
    for host in (
        f"LocalHost:{port}",
        f"localhost.:{port}",
        f"localhost:0{port}",
        f"\uff4cocalhost\u3002:{port}/",
    ):
        assert run(host) == {"skipped": COUNT, "total": COUNT}
    assert posts(server) == COUNT
    assert each_once(server, group, COUNT)
    assert len(list(journal.iterdir())) == 1


def test_what_an_older_version_uploaded_is_not_sent_again(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    tmp_path: Path,
) -> None:
    """From a connection in which the host was typed in another way; receipts of then are a manifest still."""
    journal, receipts = tmp_path / "journal", tmp_path / "r.jsonl"
    folder = write_predictions(COUNT)
    upload(dag, group, predictions=str(folder), journal=str(journal), receipts=str(receipts))
    assert counts(run_dag(dag, connection=server))["uploaded"] == COUNT
    host = server.url.partition("://")[2]
    name, _, port = host.partition(":")
    typed = f"{name}.:0{port}"
    (here,) = journal.iterdir()
    there = journal / f"{name}._0{port}-0123abcd"
    here.rename(there)
    for part in there.rglob("*.jsonl"):
        text = part.read_text()
        part.write_text(
            text.replace('"version": 2', '"version": 1').replace(f'"host": "{host}"', f'"host": "{typed}"')
        )
    assert counts(run_dag(dag, connection=server)) == {"skipped": COUNT, "total": COUNT}
    assert posts(server) == COUNT
    shutil.rmtree(there)
    assert counts(run_dag(dag, connection=server))["uploaded"] == COUNT
