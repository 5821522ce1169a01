"""A Kognic that answers as a script says, put in the place of the hook's clients."""

from __future__ import annotations

import json
import logging
import os
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

from airflow_provider_kognic.core import errors
from airflow_provider_kognic.core.paging import Page
from airflow_provider_kognic.hooks.kognic import KognicHook
from airflow_provider_kognic.records import DETAILS, PROGRESS, UPLOAD
from tests.golden import access
from tests.golden.world import DATASET, GROUP, HOST, masked, number_of, prediction, scene

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_kognic.core.errors import KognicError

Answer = "str | KognicError | Callable[[], Any]"
POST: dict[str, Any] = {"method": "POST", "url": f"https://{HOST}/v1/predictions"}
CONNECTION = {
    "conn_type": "kognic",
    "host": f"https://{HOST}",
    "login": "a-client-id",
    "password": "a-client-secret",
    "extra": {"max_connections": 1},
}


class _Settings:
    host = HOST


@dataclass
class Kognic:
    """What the server answers, and what it was asked.

    Attributes:
        posts: Answers to the POSTs of a scene, by its number, one after the other: a uuid, an error, or what is
            called for one. Without any it is created.
        listed: What the group's listing shows, before what was created here: number of prediction and of scene.
        listing: Whether there is a listing; an error if not.
        shown: Whether the listing shows what was created here.
        sent: Scenes that were posted, in order.
        groups: The groups of the dataset, as rows of the API.
        group_posts: Answers to the POSTs of a group, as `posts`.
        annotated: Numbers of the scenes with annotations.
        kill: Asks the operator that runs to end, as Airflow does.
        sunsets: Which endpoints announced their end: none.
    """

    posts: dict[int, list[Any]] = field(default_factory=dict)
    listed: list[tuple[int, int]] = field(default_factory=list)
    listing: KognicError | None = None
    shown: bool = True
    sent: list[str] = field(default_factory=list)
    groups: list[dict[str, Any]] = field(default_factory=lambda: [{"uuid": GROUP, "name": "a group"}])
    group_posts: list[Any] = field(default_factory=list)
    annotated: tuple[int, ...] = ()
    kill: Callable[[], object] = lambda: None
    sunsets: Any = field(default_factory=lambda: SimpleNamespace(dates={}))

    settings = _Settings()

    # The client that sends many

    async def create_prediction(self, predictions_group_uuid: str, scene_uuid: str, document: bytes) -> str:
        assert (predictions_group_uuid, json.loads(document).keys()) == (GROUP, {"openlabel"})
        self.sent.append(scene_uuid)
        number = number_of(scene_uuid)
        left = self.posts.get(number, [])
        answer = left.pop(0) if left else prediction(number + 100 * (self.sent.count(scene_uuid) - 1))
        uuid = _answered(answer)
        if self.shown:
            self.listed.append((number_of(uuid), number))
        return uuid

    async def list_predictions(self, predictions_group_uuid: str, ask: dict[str, str]) -> Page[Any]:
        assert predictions_group_uuid == GROUP
        if self.listing is not None:
            raise self.listing
        offset = int(ask["offset"])
        page = self.listed[offset : offset + 3]
        return Page([access.listed_prediction(prediction(one), scene(of)) for one, of in page])

    async def probe(self) -> None:
        pass

    # The client for single calls

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def get_dataset(self, name_or_uuid: str) -> Any:
        if name_or_uuid not in {DATASET, "a dataset"}:
            raise errors.KognicInputError(f"there is no dataset {name_or_uuid!r}.")
        return access.dataset({"uuid": DATASET, "name": "a dataset"})

    def list_predictions_groups(self, dataset_uuid: str) -> list[Any]:
        assert dataset_uuid == DATASET
        return [access.predictions_group(row) for row in self.groups]

    def find_predictions_groups(self, dataset_uuid: str, name: str) -> list[Any]:
        return [group for group in self.list_predictions_groups(dataset_uuid) if group.name == name]

    def create_predictions_group(self, dataset_uuid: str, name: str, *more: Any) -> str:
        assert dataset_uuid == DATASET
        uuid = _answered(self.group_posts.pop(0) if self.group_posts else GROUP)
        self.groups.append({"uuid": uuid, "name": name})
        return uuid

    def iter_annotations(self, dataset_uuid: str) -> Iterator[Any]:
        assert dataset_uuid == DATASET
        for number in self.annotated:
            yield access.annotation({"uuid": prediction(number), "sceneUuid": scene(number)})

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Let hooks reach this one."""
        this = self

        @asynccontextmanager
        async def async_client(
            _: KognicHook, max_connections: int | None = None, **more: Any
        ) -> AsyncIterator[Any]:
            yield this

        with ExitStack() as stack:
            for name, value in (("async_client", async_client), ("client", this)):
                stack.enter_context(mock.patch.object(KognicHook, name, value))
            given = {"AIRFLOW_CONN_KOGNIC_DEFAULT": json.dumps(CONNECTION)}
            stack.enter_context(mock.patch.dict(os.environ, given))
            yield


def _answered(answer: Any) -> str:
    if callable(answer):
        answer = answer()
    if isinstance(answer, Exception):
        raise answer
    assert isinstance(answer, str)
    return answer


# What a task records for who watches, with times and rates in it: nothing is read back that they say.
LIVE = {PROGRESS, UPLOAD, DETAILS}


class Store:
    """A task state store: what Airflow 3.3 hands to a task, as far as it is used. Values travel as JSON."""

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        self.values = values or {}
        self.retentions: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(json.dumps(self.values[key])) if key in self.values else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        if key not in LIVE:
            self.values[key] = json.loads(json.dumps(value))
            self.retentions[key] = repr(retention)


@dataclass
class TaskInstance:
    """What is used of a task instance."""

    run_id: str = "manual__2026-11-01"
    try_number: int = 1
    map_index: int = -1
    dag_id: str = "a_dag"
    task_id: str = "upload"
    xcoms: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        if key not in LIVE:
            self.xcoms[key] = value


class Lines(logging.Handler):
    """Gathers what the provider logs, as level and text; not in which module it stands."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._records: dict[int, logging.LogRecord] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if "kognic" in record.name and "outside of the Task Runner" not in record.getMessage():
            self._records[id(record)] = record

    def texts(self, **places: Any) -> list[str]:
        """The lines, in an order of their own: several threads write."""
        found = self._records.values()
        return sorted(masked(f"{one.levelname} {one.getMessage()}", **places) for one in found)


@contextmanager
def logged() -> Iterator[Lines]:
    """Gather what is logged; at INFO, whatever else is configured."""
    from airflow.providers.common.compat.sdk import BaseOperator

    lines = Lines()
    with ExitStack() as stack:
        # What operators log themselves does not come by logging's own ways in every Airflow.
        of_tasks = logging.getLogger("airflow_provider_kognic.a_task")
        stack.enter_context(mock.patch.object(BaseOperator, "log", of_tasks))
        for name in ("", "airflow.task", "airflow_provider_kognic"):
            logger = logging.getLogger(name)
            logger.addHandler(lines)
            stack.callback(logger.removeHandler, lines)
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.INFO)
        yield lines


def ended(run: Callable[[], Any], **places: Any) -> dict[str, Any]:
    """Return what a call returned or raised, in plain values."""
    try:
        return {"returned": run()}
    except Exception as error:  # noqa: BLE001 - whatever it is, is compared
        kind = type(error)
        return {
            "raised": f"{kind.__module__}.{kind.__qualname__}"
            if "kognic" in kind.__module__
            else kind.__name__,
            "text": masked(str(error), **places),
            "retry_after": getattr(error, "retry_after", None),
            "cause": None if error.__cause__ is None else type(error.__cause__).__name__,
        }
