"""The journal in Airflow's task state store, as a task that runs gets it."""

import json
import logging
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.errors import (
    KognicJournalError,
    KognicJournalFormatError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.journal.format import Header
from airflow_provider_kognic.core.retries import may_repeat
from airflow_provider_kognic.task import state_store as module
from airflow_provider_kognic.task.state_store import LARGEST_VALUE, TaskStateStoreLog
from tests.core.journal.folders import lines_of

if TYPE_CHECKING:
    from airflow.sdk import DAG

try:
    from airflow.sdk.execution_time.context import TaskStateStoreAccessor
except ImportError:
    pytest.skip("Airflow before 3.3 has no task state store", allow_module_level=True)

RunDag = Callable[..., Any]
GROUP = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
HEADER = Header("dataset.app.kognic.com", GROUP)
InTask = Callable[..., Any]


@pytest.fixture
def in_task(run_dag: RunDag, dag: "DAG") -> InTask:
    """Run a function within a task that gets a real store; what it asserts is asserted."""

    def run(function: Callable[[Any], None], **options: Any) -> Any:
        from airflow.sdk import get_current_context, task

        with dag:

            def attempt() -> None:
                function(get_current_context()["task_state_store"])

            task(attempt, **options)()
        done = run_dag(dag)
        assert done.state == "success", done.output
        return done

    return run


def opened(store: Any, header: Header = HEADER, **more: Any) -> TaskStateStoreLog:
    log = TaskStateStoreLog(store, header, writer="dag/run/task, try 1", **more)
    log.open(lambda: False)
    return log


def reopened(store: Any, header: Header = HEADER) -> tuple[TaskStateStoreLog, list[bytes]]:
    log = opened(store, header)
    return log, lines_of(log)


def intents(count: int, first: int = 0) -> list[bytes]:
    rows = (["i", f"{n:032x}", f"{n:032x}", 1764112241.123] for n in range(first, first + count))
    return [json.dumps(row, separators=(",", ":")).encode() for row in rows]


def keys(store: Any) -> list[str]:
    """The keys that the task has in Airflow's database, the owner's left out."""
    return [key for key in rows(store) if key != "kognic.journal.owner"]


def rows(store: Any) -> dict[str, Any]:
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    scope = store._scope
    model = TaskStateStoreModel
    with create_session() as session:
        found = session.scalars(
            select(model).where(model.dag_id == scope.dag_id, model.run_id == scope.run_id).order_by(model.id)
        ).all()
        return {row.key: (row.value, row.expires_at) for row in found}


def unknown(store: Any) -> Any:
    """The store as the process of a task sees it that was cleared while it ran: its id is no longer known."""
    return TaskStateStoreAccessor(ti_id=uuid.uuid4(), scope=store._scope)


def test_what_is_appended_is_read_again_in_order_by_every_later_attempt(in_task: InTask) -> None:
    def attempt(store: Any) -> None:
        log, lines = reopened(store)
        assert lines == []
        log.append(intents(3))
        log.append([b'["c","00","11"]'])
        log, lines = reopened(store)
        assert lines == [*intents(3), b'["c","00","11"]']
        log.append(intents(2, 3))
        _, lines = reopened(store)
        assert lines == [*intents(3), b'["c","00","11"]', *intents(2, 3)]

    in_task(attempt)


def test_a_retry_reads_what_the_try_before_appended(in_task: InTask) -> None:
    seen: list[list[bytes]] = []

    def attempt(store: Any) -> None:
        log, lines = reopened(store)
        seen.append(lines)
        log.append(intents(5, 5 * len(seen)))
        if len(seen) == 1:
            raise RuntimeError("again")

    in_task(attempt, retries=1, retry_delay=timedelta(0))

    assert seen == [[], intents(5, 5)]


def test_journals_of_several_groups_and_hosts_lie_side_by_side(in_task: InTask) -> None:
    others = [Header("other.host", GROUP), Header(HEADER.host, str(uuid.uuid4()))]

    def attempt(store: Any) -> None:
        for number, header in enumerate((HEADER, *others)):
            log, lines = reopened(store, header)
            assert lines == []
            log.append(intents(1, number))
        for number, header in enumerate((HEADER, *others)):
            assert reopened(store, header)[1] == intents(1, number)

    in_task(attempt)


def test_no_value_exceeds_what_airflow_keeps_without_a_warning_and_none_expires(in_task: InTask) -> None:
    def attempt(store: Any) -> None:
        log, _ = reopened(store)
        for first in range(0, 1500, 50):
            log.append(intents(50, first))
        log.append(intents(2500, 1500))  # one batch, and larger than a value
        assert reopened(store)[1] == intents(4000)
        values = [value for value, _ in rows(store).values()]
        assert len(values) > 5
        assert max(map(len, values)) <= LARGEST_VALUE
        assert {expires for _, expires in rows(store).values()} == {None}

    done = in_task(attempt)

    assert "exceeds configured max_value_storage_bytes" not in done.output


def test_a_single_line_may_be_larger_than_a_value(in_task: InTask) -> None:
    """One scene with thousands of predictions: stored all the same, as Airflow does with a warning."""
    line = json.dumps(["b", "0" * 32, ["1" * 32] * 2000, "u"], separators=(",", ":")).encode()

    def attempt(store: Any) -> None:
        log, _ = reopened(store)
        log.append([*intents(1), line, *intents(1, 1)])
        assert reopened(store)[1] == [*intents(1), line, *intents(1, 1)]

    in_task(attempt)


class Dies(BaseException):
    """The process is killed."""


class Mortal:
    """The real store, up to the write at which the process is killed: before it, or after it."""

    def __init__(self, store: Any, writes: int, *, after: bool) -> None:
        self._store, self._left, self._after = store, writes, after
        self.get = store.get

    def set(self, key: str, value: Any, **options: Any) -> None:
        self._left -= 1
        if self._left < 0 and not self._after:
            raise Dies
        self._store.set(key, value, **options)
        if self._left < 0:
            raise Dies


@pytest.mark.parametrize("after", [True, False])
def test_killed_at_any_write_a_batch_stands_whole_or_not_at_all(in_task: InTask, *, after: bool) -> None:
    """And what was acknowledged before stands in any case; the next attempt can write."""

    def attempt(store: Any) -> None:
        outcomes = []
        for writes in range(6):
            header = Header(HEADER.host, str(uuid.uuid4()))
            log, _ = reopened(store, header)
            log.append(intents(10))
            log._store = Mortal(store, writes, after=after)
            try:
                log.append(intents(1200, 10))  # three values and the index
            except Dies:
                outcomes.append("died")
            else:
                outcomes.append("done")
            log, lines = reopened(store, header)
            assert lines in (intents(10), intents(1210))
            if outcomes[-1] == "done":
                assert lines == intents(1210)
            log.append(intents(1, 5000))
            assert reopened(store, header)[1] == [*lines, *intents(1, 5000)]
        assert "died" in outcomes
        assert "done" in outcomes

    in_task(attempt)


def test_a_superseded_attempt_can_neither_read_nor_write(in_task: InTask) -> None:
    """Airflow answers its reads as if there were nothing: that must not mean that nothing was sent."""

    def attempt(store: Any) -> None:
        log, _ = reopened(store)
        log.append(intents(3))
        gone = unknown(store)
        assert gone.get("kognic.journal.owner") is None
        with pytest.raises(KognicJournalError, match="superseded"):
            opened(gone)
        log._store = gone  # cleared after it was opened
        with pytest.raises(KognicJournalError, match="superseded"):
            log.append(intents(1, 3))
        with pytest.raises(KognicJournalError, match="superseded"):
            lines_of(log)
        assert reopened(store)[1] == intents(3)

    in_task(attempt)


def test_an_attempt_superseded_while_it_reads_says_so(in_task: InTask) -> None:
    """Whatever the moment: what it read must not count."""

    class Cleared:
        def __init__(self, store: Any, reads: int) -> None:
            self._store, self._gone, self._left = store, unknown(store), reads
            self.set = store.set

        def get(self, key: str, default: Any = None) -> Any:
            self._left -= 1
            return (self._store if self._left >= 0 else self._gone).get(key, default)

    def attempt(store: Any) -> None:
        log, _ = reopened(store)
        log.append(intents(900))  # two parts
        for reads in range(4):
            with pytest.raises(KognicJournalError, match="superseded"):
                reopened(Cleared(store, reads))
        assert reopened(Cleared(store, 4))[1] == intents(900)

    in_task(attempt)


def test_an_earlier_attempt_that_is_superseded_by_another_says_so(in_task: InTask) -> None:
    """Two attempts that both can write: the one that came later has the journal."""

    def attempt(store: Any) -> None:
        first = opened(store)
        opened(store)
        with pytest.raises(KognicJournalError, match="superseded"):
            lines_of(first)

    in_task(attempt)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value | {"parts": "x"}, "names no parts"),
        (lambda value: value | {"format": "else"}, "no part of a journal"),
        (lambda value: value | {"version": 99}, "format version 99"),
        (lambda value: value | {"host": "else.where"}, "of another host"),
        (lambda value: [1], "no part of a journal"),
        (lambda value: value | {"parts": [*value["parts"], "gone.0"]}, "is missing"),
    ],
)
def test_an_index_that_is_not_understood_is_an_error(
    in_task: InTask, change: Callable[[Any], Any], message: str
) -> None:
    def attempt(store: Any) -> None:
        log, _ = reopened(store)
        log.append(intents(3))
        store.set(log._key, change(store.get(log._key)))
        with pytest.raises(KognicJournalFormatError, match=message):
            reopened(store)

    in_task(attempt)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value | {"lines": 3}, "has no lines"),
        (lambda value: value | {"version": 99}, "format version 99"),
        (lambda value: value | {"predictions_group_uuid": "else"}, "of another predictions group"),
        (lambda value: "text", "no part of a journal"),
        (None, "is missing"),
    ],
)
def test_a_part_that_is_missing_or_not_understood_is_an_error(
    in_task: InTask, change: Callable[[Any], Any] | None, message: str
) -> None:
    def attempt(store: Any) -> None:
        log, _ = reopened(store)
        log.append(intents(3))
        (key,) = [key for key in keys(store) if key != log._key]
        if change is None:
            store.delete(key)
        else:
            store.set(key, change(store.get(key)))
        with pytest.raises(KognicJournalFormatError, match=message):
            reopened(store)

    in_task(attempt)


def test_a_store_that_does_not_serve_is_an_error_and_never_nothing(in_task: InTask) -> None:
    class Broken:
        def get(self, key: str, default: Any = None) -> Any:
            raise OSError("no database")

        def set(self, key: str, value: Any, **options: Any) -> None:
            raise OSError("no database")

    def attempt(store: Any) -> None:
        log = opened(store)
        log._store = Broken()
        with pytest.raises(KognicJournalError, match="cannot be read: OSError: no database"):
            lines_of(log)
        with pytest.raises(KognicJournalError, match="cannot be written: OSError: no database"):
            log.append(intents(1))
        with pytest.raises(KognicJournalError, match="cannot be written: OSError"):
            opened(Broken())

    in_task(attempt)


class Supervisor:
    """What a task sees of the API server through its supervisor, which answers so until it does not any more."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.values: dict[str, Any] = {}
        self.asked = 0

    def _ask(self) -> None:
        from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
        from airflow.sdk.execution_time.comms import ErrorResponse

        self.asked += 1
        if self.answers:
            raise AirflowRuntimeError(
                ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=self.answers.pop(0))
            )

    def get(self, key: str, default: Any = None) -> Any:
        self._ask()
        return self.values.get(key, default)

    def set(self, key: str, value: Any, **options: Any) -> None:
        self._ask()
        self.values[key] = value


def says(status: int) -> dict[str, Any]:
    return {"status_code": status, "message": "as the server says", "detail": {}}


NOT_REACHED = {"status_code": None, "message": "Connection refused", "exception_type": "ConnectError"}


def test_what_a_real_supervisor_passes_on_is_understood() -> None:
    """In a task with a process of its own the API server's answer comes as an AirflowRuntimeError."""
    with pytest.raises(KognicJournalError, match="superseded"):
        opened(Supervisor(says(404)))
    with pytest.raises(
        KognicJournalError, match=r"cannot be written: AirflowRuntimeError: .*as the server says"
    ):
        opened(Supervisor(says(500)), outage_timeout=0)


@pytest.mark.parametrize("answer", [says(500), says(503), says(429), NOT_REACHED])
def test_an_api_server_that_is_away_for_a_while_is_asked_again(
    answer: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is asked of it: what was appended is there once."""
    store = Supervisor(answer, answer)
    log = opened(store)
    store.answers = [answer]
    assert lines_of(log) == []
    store.answers = [answer]
    log.append(intents(2))
    store.answers = [answer]
    memory = module.TaskStateStoreMemory(store, module.GROUP)
    memory.save({"state": "intended"})
    store.answers = [answer]
    assert memory.load() == {"state": "intended"}
    assert "The store answers again" in caplog.text
    assert reopened(store)[1] == intents(2)


def test_an_api_server_that_stays_away_is_an_error_that_may_pass() -> None:
    store = Supervisor()
    log = opened(store, outage_timeout=0.5)
    store.answers = [NOT_REACHED] * 1000
    with pytest.raises(
        KognicJournalError, match=r"cannot be written: .*Connection refused.*Asked \d"
    ) as caught:
        log.append(intents(1))
    assert may_repeat(caught.value, idempotent=False)
    assert store.asked > 2


@pytest.mark.parametrize("answer", [says(404), says(401), says(403), says(422)])
def test_what_the_api_server_says_is_not_asked_again(answer: dict[str, Any]) -> None:
    store = Supervisor(answer)
    with pytest.raises(KognicJournalError):
        opened(store)
    assert store.asked == 1


def test_who_waits_for_the_api_server_stops_when_asked_to() -> None:
    """Before anything is sent."""
    log = TaskStateStoreLog(Supervisor(*[NOT_REACHED] * 1000), HEADER, writer="a try")
    with pytest.raises(KognicStoppedError, match="nothing was sent"):
        log.open(lambda: True)


def test_a_folder_is_recommended_once_where_there_are_many_predictions(
    in_task: InTask, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MANY_PREDICTIONS", 20)

    def attempt(store: Any) -> None:
        log, _ = reopened(store)
        for _ in range(3):
            log.append(intents(20))  # the same scenes again are no more predictions
        with caplog.at_level(logging.WARNING, module.__name__):
            assert "A folder is the better place" not in caplog.text
            log.append(intents(20, 20))
            log.append(intents(20, 40))
        assert caplog.text.count("A folder is the better place") == 1
        caplog.clear()
        reopened(store)
        assert caplog.text.count("A folder is the better place") == 1

    in_task(attempt)
