"""The dataset API, one call at a time: a token in, records out, with requests."""

from __future__ import annotations

import json
import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_kognic.core.api import network
from airflow_provider_kognic.core.api.answers import Answer, Deprecations, created_uuid, rows_of
from airflow_provider_kognic.core.api.endpoints import (
    annotations_url,
    datasets_url,
    groups_url,
    prediction_body,
    predictions_url,
    user_agent,
)
from airflow_provider_kognic.core.api.http_errors import as_requests_error, raise_clean
from airflow_provider_kognic.core.api.records import Annotation, Dataset, PredictionsGroup
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import KognicError, KognicInputError, KognicRowError
from airflow_provider_kognic.core.models import is_uuid
from airflow_provider_kognic.core.retries import Backoff, Verdict, may_repeat, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    import requests
    from typing_extensions import Self

    from airflow_provider_kognic.core.api.settings import Settings

logger = logging.getLogger(__name__)

_T = TypeVar("_T")


class KognicClient:
    """Single calls to the dataset API; safe in threads only where each thread has its own.

    Args:
        settings: Where Kognic is and how to reach it.
        tokens: The token provider to share; a new one if None.
        backoff: How often and how long to retry what may be repeated.
        sleep: Waits that many seconds between tries; a test may shorten it.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        tokens: TokenProvider | None = None,
        backoff: Backoff | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.settings = settings
        self.tokens = tokens or TokenProvider(settings)
        self._backoff = backoff or Backoff(attempts=5, most_asked=60.0)  # somebody waits for it
        self._sleep = sleep
        self._session: requests.Session | None = None
        self._deprecations = Deprecations()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            self._session.close()
            self._session = None
        self.tokens.close()

    def list_datasets(self) -> list[Dataset]:
        """Return all datasets that the credentials may see; raises KognicError."""
        url = datasets_url(self.settings.base_url)
        return [Dataset.from_api(row) for row in rows_of(self._get(url), url)]

    def get_dataset(self, name_or_uuid: str) -> Dataset:
        """Find a dataset by its uuid or its exact name.

        Raises:
            KognicInputError: There is none, or several have that name.
        """
        if not isinstance(name_or_uuid, str) or not name_or_uuid.strip():
            raise KognicInputError(f"a dataset's name or uuid is needed, not {name_or_uuid!r}.")
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
                f"{len(found)} datasets are named {text!r}: {uuids}. Give the uuid of one."
            )
        names = sorted(dataset.name for dataset in datasets)
        shown = ", ".join(map(repr, names[:10])) + (", …" if len(names) > 10 else "")  # noqa: PLR2004 - a screenful
        raise KognicInputError(
            f"there is no dataset {text!r} among the {len(datasets)} that these credentials may see"
            f"{': ' + shown if shown else ''}."
        )

    def list_predictions_groups(self, dataset_uuid: str) -> list[PredictionsGroup]:
        """Return a dataset's predictions groups; raises KognicNotFoundError if the dataset is unknown."""
        url = groups_url(self.settings.base_url, dataset_uuid)
        return [PredictionsGroup.from_api(row) for row in rows_of(self._get(url), url)]

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
        return self._post(url, json.dumps(body).encode())

    def iter_annotations(self, dataset_uuid: str) -> Iterator[Annotation]:
        """Yield a dataset's annotations, a page at a time.

        The documented paging is followed: `offset` grows by what came, until a page is empty.
        """
        url = annotations_url(self.settings.base_url, dataset_uuid)
        offset = 0
        last: list[Any] = []
        while rows := rows_of(self._get(url, {"offset": offset}), url):
            if rows == last:
                raise KognicRowError(
                    "two pages of the listing are the same: it does not follow 'offset' any more. Look for a newer"
                    " version of this provider.",
                    method="GET",
                    url=url,
                )
            for row in rows:
                yield Annotation.from_api(row)
            offset += len(rows)
            last = rows

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

    def _get(self, url: str, params: Mapping[str, int] | None = None) -> Any:
        return self._repeat(lambda: self._once("GET", url, params=params), idempotent=True)

    def _post(self, url: str, body: bytes) -> str:
        return self._repeat(lambda: created_uuid(self._once("POST", url, body=body), url), idempotent=False)

    def _repeat(self, call: Callable[[], _T], *, idempotent: bool) -> _T:
        """Call until it succeeds, may not be repeated, or was tried often enough."""
        renewed = False
        attempt = 1
        while True:
            try:
                return call()
            except KognicError as error:
                if verdict(error) is Verdict.AGAIN_WITH_NEW_TOKEN and not renewed:
                    renewed = True
                    continue
                if not may_repeat(error, idempotent=idempotent) or attempt >= self._backoff.attempts:
                    raise
                wait = self._backoff.delay(attempt, error.retry_after)
                logger.info("%s; try %d follows in %.1f s.", error, attempt + 1, wait)
            attempt += 1
            self._sleep(wait)

    def _once(
        self, method: str, url: str, *, params: Mapping[str, int] | None = None, body: bytes | None = None
    ) -> Any:
        import requests

        session = self._open()
        token = self.tokens.token()
        headers = {"Authorization": f"Bearer {token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            response = session.request(
                method,
                url,
                params=params,
                data=body,
                headers=headers,
                timeout=(min(10.0, self.settings.timeout), self.settings.timeout),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise_clean(as_requests_error(error, method, url), error, self.tokens.redact)
        answer = Answer(method, url, response.status_code, response.headers, response.content)
        self._deprecations.look(answer)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self.tokens.reject(token)
        return answer.data(self.tokens.redact)

    def _open(self) -> requests.Session:
        if self._session is None:
            import requests

            session = requests.Session()
            session.trust_env = False  # no netrc in place of our token; proxies are read below
            session.verify = network.readable_certificates(self.settings.verify)
            proxy = network.proxy_for(self.settings.base_url, self.settings.proxy)
            if proxy:
                session.proxies = {"http": proxy, "https": proxy}
            session.headers["User-Agent"] = user_agent()
            self._session = session
        return self._session
