"""The dataset API, one call at a time: a token in, records out."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_kognic.core.api.answers import Sunsets, created_uuid
from airflow_provider_kognic.core.api.dataset_api.endpoints import (
    annotations_url,
    datasets_url,
    groups_url,
    prediction_body,
    predictions_url,
)
from airflow_provider_kognic.core.api.dataset_api.records import Annotation, Dataset, PredictionsGroup
from airflow_provider_kognic.core.api.exchange.calls import Calls
from airflow_provider_kognic.core.api.exchange.repeats import Repeats
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import (
    KognicAnswerError,
    KognicInputError,
    KognicRowError,
)
from airflow_provider_kognic.core.models import is_uuid
from airflow_provider_kognic.core.paging import NoWayOnError, Page, Walk
from airflow_provider_kognic.core.texts import brief, sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_kognic.core.api.answers import Answer
    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.retries import Backoff

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

# A listing of annotations that loses rows each time it is read is given up after so many readings.
_MOST_READINGS = 5


class KognicClient:
    """Single calls to the dataset API; safe in threads only where each thread has its own.

    Args:
        settings: Where Kognic is and how to reach it.
        tokens: The token provider to share; a new one if None.
        backoff: How often and how long to retry what may be repeated.
        sleep: Waits that many seconds between tries; a test may shorten it.
        stopping: Tells whether the caller is to stop: looked at while a call waits for whatever it waits for, which
            then ends within a second. None for who cannot be stopped.

    Attributes:
        sunsets: Which endpoints announced their end; to be shared with another client of the same run.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        tokens: TokenProvider | None = None,
        backoff: Backoff | None = None,
        sleep: Callable[[float], object] = time.sleep,
        stopping: Callable[[], bool] | None = None,
        quiet: bool = False,
    ) -> None:
        self.settings = settings
        self.tokens = tokens or TokenProvider(settings)
        self.sunsets = Sunsets()
        self._calls = Calls(settings, self.tokens, stopping, sunsets=self.sunsets)
        self._repeats = Repeats(self._calls, settings.timeout, backoff, sleep, quiet=quiet)
        self._level = logging.DEBUG if quiet else logging.INFO

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._calls.close()
        self.tokens.close()

    def list_datasets(self) -> list[Dataset]:
        """Return all datasets that the credentials may see; raises KognicError."""
        url = datasets_url(self.settings.base_url)
        walk = Walk[Dataset](lambda dataset: dataset.uuid.lower(), by_offset=False)
        return list(self._rows(url, Dataset.from_api, walk))

    def get_dataset(self, name_or_uuid: str) -> Dataset:
        """Find a dataset by its uuid or its exact name.

        Raises:
            KognicInputError: There is none, or several have that name.
        """
        if not isinstance(name_or_uuid, str) or not name_or_uuid.strip():
            raise KognicInputError(f"a dataset's name or uuid is needed, not {brief(name_or_uuid)}.")
        datasets = self.list_datasets()
        text = name_or_uuid.strip()
        if is_uuid(text):
            found = [dataset for dataset in datasets if dataset.uuid.lower() == text.lower()]
        else:
            found = [dataset for dataset in datasets if dataset.name == text]
        if len(found) == 1:
            return found[0]
        if found:
            uuids = ", ".join(sorted(dataset.uuid for dataset in found))
            raise KognicInputError(
                f"{len(found)} datasets are named {brief(text)}: {uuids}. Give the uuid of one."
            )
        names = sorted(dataset.name for dataset in datasets)
        shown = ", ".join(map(repr, names[:10])) + (", …" if len(names) > 10 else "")  # noqa: PLR2004 - a screenful
        raise KognicInputError(
            f"there is no dataset {brief(text)} among the {len(datasets)} that these credentials may see"
            f"{': ' + shown if shown else ''}."
        )

    def list_predictions_groups(self, dataset_uuid: str) -> list[PredictionsGroup]:
        """Return a dataset's predictions groups; raises KognicNotFoundError if the dataset is unknown."""
        url = groups_url(self.settings.base_url, dataset_uuid)
        walk = Walk[PredictionsGroup](lambda group: group.uuid.lower(), by_offset=False)
        return list(self._rows(url, PredictionsGroup.from_api, walk))

    def find_predictions_groups(self, dataset_uuid: str, name: str) -> list[PredictionsGroup]:
        """Return the dataset's groups of exactly that name: names need not be unique."""
        return [group for group in self.list_predictions_groups(dataset_uuid) if group.name == name]

    def create_predictions_group(
        self,
        dataset_uuid: str,
        name: str,
        description: str | None = None,
        class_mapping: Sequence[Mapping[str, str]] | None = None,
    ) -> str:
        """Create a predictions group and return its uuid.

        Args:
            dataset_uuid: The dataset's uuid.
            name: The group's name, as shown in the app.
            description: Text for people.
            class_mapping: Rows `{"annotated": ..., "predicted": ...}`; a dataset with segmentation needs it.

        Raises:
            KognicAmbiguousError: It may have been created: list the groups before trying again.
            KognicError: It was not created.
        """
        url = groups_url(self.settings.base_url, dataset_uuid)
        body: dict[str, Any] = {"name": name, "description": description or ""}
        if class_mapping is not None:
            body["classMapping"] = [dict(row) for row in class_mapping]
        return self._post(url, [json.dumps(body).encode()])

    def iter_annotations(self, dataset_uuid: str) -> Iterator[Annotation]:
        """Yield a dataset's annotations, a page at a time; when it ends, it has yielded all of them.

        Where the listing lost rows while it was read, so that others may have been skipped, it is gone through
        again: then an annotation may come twice. Pages of one row each cannot tell that.

        Raises:
            KognicAnswerError: It kept changing.
            KognicRowError: It cannot be gone through to its end.
            KognicError: It cannot be had.
        """
        url = annotations_url(self.settings.base_url, dataset_uuid)
        for _ in range(_MOST_READINGS):
            walk = Walk(_annotation_key)
            yield from self._rows(url, Annotation.from_api, walk)
            if not walk.disturbed or walk.cannot_be_checked:
                return
            logger.log(
                self._level, "The annotations of the dataset %s changed while they were listed.", dataset_uuid
            )
        raise KognicAnswerError(
            f"the listing changed while it was read, {_MOST_READINGS} times: what it showed may not be all. Try"
            " again when nobody removes annotations.",
            method="GET",
            url=url,
        )

    def create_prediction(
        self, predictions_group_uuid: str, scene_uuid: str, document: bytes | Mapping[str, Any]
    ) -> str:
        """Upload one prediction and return its uuid; for a few. A second call makes a second prediction.

        Args:
            predictions_group_uuid: The group's uuid.
            scene_uuid: The scene's uuid; it must have annotations in the dataset.
            document: `{"openlabel": ...}`, as a dict or as the bytes of its JSON, which are sent as they are.

        Raises:
            KognicAmbiguousError: It may have been created; sending it again may double it.
            KognicError: It was not created.
        """
        url = predictions_url(self.settings.base_url, predictions_group_uuid)
        return self._post(url, prediction_body(scene_uuid, document))

    def _rows(self, url: str, read: Callable[[Any], _T], walk: Walk[_T]) -> Iterator[_T]:
        """Yield a listing's rows, to its end; raises KognicRowError where there is no way to it."""
        while walk.ask is not None:
            page = self._get(url, walk.ask)
            try:
                new = walk.take(replace(page, rows=[read(row) for row in page.rows]))
            except NoWayOnError as error:
                raise KognicRowError(
                    f"the listing cannot be read to its end: {sentence(error)} Look for a newer version of this"
                    " provider.",
                    method="GET",
                    url=url,
                ) from None
            yield from new

    def _get(self, url: str, params: Mapping[str, str]) -> Page[Any]:
        redact = self.tokens.redact
        return self._repeats.run(lambda: self._once("GET", url, params=params).page(redact), idempotent=True)

    def _post(self, url: str, body: Sequence[bytes]) -> str:
        redact = self.tokens.redact
        return self._repeats.run(
            lambda: created_uuid(self._once("POST", url, body=body).data(redact), url), idempotent=False
        )

    def _once(
        self, method: str, url: str, *, params: Mapping[str, str] | None = None, body: Sequence[bytes] = ()
    ) -> Answer:
        return self._calls.make(method, url, body, params)


def _annotation_key(annotation: Annotation) -> str | tuple[str, str]:
    """Return what tells an annotation from all others; the documentation promises it no uuid."""
    if annotation.uuid:
        return annotation.uuid, annotation.scene_uuid
    return json.dumps(annotation.raw, sort_keys=True)
