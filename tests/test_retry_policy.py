"""When Airflow tries a task again: the operators' own policy, a user's, and none."""

import copy
import pickle
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.errors import (
    KognicConnectionError,
    KognicCredentialsError,
    KognicError,
    KognicInputError,
    KognicJournalError,
    KognicJournalFormatError,
    KognicNotFoundError,
    KognicRateLimitError,
    KognicRequestError,
    KognicServerError,
)
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.exceptions import KognicPermanentError, KognicTransientError
from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.retry_policy import LONGEST_DELAY, RETRY_POLICY

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]

if RETRY_POLICY is None:
    pytest.skip("Airflow before 3.3 has no retry policies", allow_module_level=True)

from airflow.sdk import RetryAction, RetryDecision, RetryPolicy  # noqa: E402 - not there on older Airflows

from airflow_provider_kognic.retry_policy import KognicRetryPolicy  # noqa: E402


class Remembers(RetryPolicy):
    """A user's own policy: answers as told and keeps what it was asked about."""

    def __init__(self, decision: RetryDecision) -> None:
        self.decision = decision
        self.asked: list[BaseException] = []

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        self.asked.append(exception)
        return self.decision


def create(dag: "DAG", **kwargs: Any) -> CreatePredictionsGroupOperator:
    given = {"task_id": "create", "dataset": "demo", "name": f"group {uuid.uuid4()}", "retries": 2}
    return CreatePredictionsGroupOperator(**{"dag": dag, "retry_delay": timedelta(0), **given, **kwargs})


@pytest.fixture
def wrong_credentials(server: Emulator, connection_to: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return {**connection_to(server), "password": "wrong-secret-48151623"}


def test_what_no_retry_can_mend_fails_at_once(
    run_dag: RunDag, dag: "DAG", wrong_credentials: dict[str, Any]
) -> None:
    create(dag)

    run = run_dag(dag, connection=wrong_credentials)

    assert (run.task_state("create"), run.tries("create")) == ("failed", 1), run.output
    assert "another try would end the same way" in run.output


def rate_limited(server: Emulator, seconds: int) -> None:
    match = {"method": "GET", "path": "^/v2/datasets"}
    server.set_faults(rules=[{"kind": "429", "match": match, "retry_after": seconds, "times": 5}])


def test_a_retry_waits_for_what_the_server_asked(
    run_dag: RunDag, dag: "DAG", server: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_kognic.core.retries.Backoff.delay", lambda *_: 0.0)
    rate_limited(server, 1)
    create(dag)

    run = run_dag(dag, connection=server)

    assert (run.state, run.tries("create")) == ("success", 2), run.output
    assert "the server asked for 1 s" in run.output


@pytest.mark.parametrize("asked", [None, 0.0])
def test_without_a_wish_of_the_server_the_tasks_own_delay_counts(asked: float | None) -> None:
    decision = RETRY_POLICY.evaluate(KognicTransientError("outage", retry_after=asked), 1, 3)
    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, None)


@pytest.mark.parametrize("asked", [1e300, 1e9, LONGEST_DELAY])
def test_a_wish_beyond_a_day_is_cut(asked: float) -> None:
    decision = RETRY_POLICY.evaluate(KognicTransientError("outage", retry_after=asked), 1, 3)
    assert decision.retry_delay == timedelta(days=1)


BARE: list[tuple[KognicError, RetryAction]] = [
    (KognicInputError("max_failures must be a count"), RetryAction.FAIL),
    (KognicCredentialsError("no"), RetryAction.FAIL),
    (KognicNotFoundError("no", status=404, method="GET", url="u"), RetryAction.FAIL),
    (KognicRequestError("no", status=422, method="POST", url="u"), RetryAction.FAIL),
    (KognicConnectionError("away"), RetryAction.RETRY),
    (KognicServerError("away", status=503, method="GET", url="u"), RetryAction.RETRY),
    (KognicServerError("in doubt", status=503, method="POST", url="u"), RetryAction.FAIL),
    (KognicJournalError("the disk is full"), RetryAction.RETRY),
    (KognicJournalFormatError("no journal"), RetryAction.FAIL),
]


@pytest.mark.parametrize(("error", "action"), BARE, ids=str)
def test_every_error_of_ours_answers_for_itself(error: KognicError, action: RetryAction) -> None:
    """As the hook raises them in a task of a user's own, to which the policy was given."""
    assert RETRY_POLICY.evaluate(error, 1, 3).action is action


def test_a_bare_error_knows_too_for_how_long_to_wait() -> None:
    error = KognicRateLimitError("slow down", status=429, method="GET", url="u", retry_after=7.0)
    assert RETRY_POLICY.evaluate(error, 1, 3).retry_delay == timedelta(seconds=7)


@pytest.mark.parametrize(("dataset", "tries"), [("nope", 1), ("demo", 2)])
def test_it_serves_a_task_of_ones_own(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    dataset: str,
    tries: int,
) -> None:
    """What no retry mends is not tried again; an outage is."""
    from airflow.sdk import task

    from airflow_provider_kognic.hooks.kognic import KognicHook

    monkeypatch.setattr("airflow_provider_kognic.core.retries.Backoff.delay", lambda *_: 0.0)
    if dataset == "demo":
        server.set_faults(rules=[{"kind": "503_before", "match": {"method": "GET"}}])
    with dag:

        @task(retries=1, retry_delay=timedelta(0), retry_policy=KognicRetryPolicy())
        def ask() -> str:
            return KognicHook().get_dataset(dataset).uuid

        ask()

    run = run_dag(dag, connection=server)

    assert (run.task_state("ask"), run.tries("ask")) == ("failed", tries), run.output


def test_other_exceptions_are_left_to_airflow() -> None:
    assert RETRY_POLICY.evaluate(ValueError("else"), 1, 3).action is RetryAction.DEFAULT


@pytest.mark.parametrize("where", ["argument", "default_args"])
@pytest.mark.parametrize(
    ("decision", "tries"), [(RetryDecision.retry(timedelta(0)), 3), (RetryDecision.fail(), 1)]
)
def test_a_users_own_policy_decides(
    run_dag: RunDag, wrong_credentials: dict[str, Any], where: str, decision: RetryDecision, tries: int
) -> None:
    """Also about what the provider holds for hopeless; the exception says so, and why."""
    from airflow.sdk import DAG

    policy = Remembers(decision)
    given = {"retry_policy": policy}
    with DAG(
        f"own_{where}_{tries}", schedule=None, default_args=given if where == "default_args" else {}
    ) as dag:
        create(dag, **(given if where == "argument" else {}))

    run = run_dag(dag, connection=wrong_credentials)

    assert (run.task_state("create"), run.tries("create")) == ("failed", tries), run.output
    assert len(policy.asked) == tries
    assert {type(error) for error in policy.asked} == {KognicPermanentError}
    assert {type(error.__cause__).__name__ for error in policy.asked} == {"KognicCredentialsError"}


def test_with_no_policy_at_all_it_fails_at_once_all_the_same(
    run_dag: RunDag, dag: "DAG", wrong_credentials: dict[str, Any]
) -> None:
    create(dag, retry_policy=None)

    run = run_dag(dag, connection=wrong_credentials)

    assert (run.task_state("create"), run.tries("create")) == ("failed", 1), run.output
    assert "KognicFailError" in run.output


@pytest.mark.parametrize("own", [True, False])
def test_mapped_tasks_have_it_too(
    run_dag: RunDag, dag: "DAG", wrong_credentials: dict[str, Any], *, own: bool
) -> None:
    policy = Remembers(RetryDecision.retry(timedelta(0)))
    given = {"retry_policy": policy} if own else {}
    with dag:
        mapped = CreatePredictionsGroupOperator.partial(
            task_id="create", dataset="demo", retries=1, retry_delay=timedelta(0), **given
        ).expand(name=["a", "b"])
    assert mapped.retry_policy is (policy if own else RETRY_POLICY)

    run = run_dag(dag, connection=wrong_credentials)

    assert [run.tries("create", index) for index in range(2)] == ([2, 2] if own else [1, 1]), run.output
    assert len(policy.asked) == (4 if own else 0)


def test_the_serialized_dag_says_that_there_is_a_policy_and_is_the_same_every_time() -> None:
    """A Dag whose text changed at every parse would get a new version each time."""
    from airflow.sdk import DAG
    from airflow.serialization import serialized_objects

    def serialized() -> Any:
        with DAG("same", schedule=None) as dag:
            create(dag, name="a")
            UploadPredictionsOperator(task_id="upload", predictions="/a", predictions_group_uuid="x")
            UploadPredictionsOperator.partial(task_id="mapped", predictions_group_uuid="x").expand(
                predictions=["a"]
            )
        return vars(serialized_objects)["DagSerialization"].to_dict(dag)

    first = serialized()
    assert first == serialized()
    assert str(first).count("'has_retry_policy': True") == 3
    assert "KognicRetryPolicy" not in str(first)
    back = vars(serialized_objects)["DagSerialization"].from_dict(first)
    assert {task.has_retry_policy for task in back.tasks} == {True}


def test_the_policy_and_the_exceptions_can_be_copied_pickled_and_serialized(dag: "DAG") -> None:
    task = create(dag)
    for copied in (copy.deepcopy(task), pickle.loads(pickle.dumps(task))):
        assert isinstance(copied.retry_policy, KognicRetryPolicy)
    assert isinstance(KognicRetryPolicy.deserialize(RETRY_POLICY.serialize()), KognicRetryPolicy)
    error = pickle.loads(pickle.dumps(KognicTransientError("outage", retry_after=3.0)))
    assert (str(error), error.retry_after) == ("outage", 3.0)
    assert str(pickle.loads(pickle.dumps(KognicPermanentError("bad")))) == "bad"
