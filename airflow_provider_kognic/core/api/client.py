"""The dataset API: a token in, records out, errors translated once.

`KognicClient` makes single calls and waits for them (requests); `AsyncKognicClient` sends predictions, many
at a time (httpx). Both take their token from one `TokenProvider`, and both read answers with the same
functions.

Endpoints and rules are those of Kognic's documentation ("Dataset exploration"). The names of the fields
inside `data` are not documented: `models` reads them leniently.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from airflow_provider_kognic.core.api import network as transport
from airflow_provider_kognic.core.api.records import (
    Annotation,
    Dataset,
    ListedPrediction,
    PredictionsGroup,
)
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import (
    KognicAnswerError,
    KognicError,
    KognicInputError,
    KognicNotFoundError,
    KognicPermissionError,
    KognicRateLimitError,
    KognicRedirectError,
    KognicRequestError,
    KognicRowError,
    KognicServerError,
    KognicUnauthorizedError,
)
from airflow_provider_kognic.core.models import is_uuid, parse_uuid
from airflow_provider_kognic.core.retries import Backoff, may_repeat, parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    import httpx
    import requests
    from typing_extensions import Self

    from airflow_provider_kognic.core.api.settings import Settings

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

# Kognic's deprecated endpoints announce themselves with this header (as read by kognic-auth's clients).
_SUNSET_HEADER = "sunset-date"
# Bytes of an unreadable answer that are looked into, for a message about it.
_LOOKED_INTO = 1 << 16


def user_agent() -> str:
    """Return what the requests call themselves."""
    from airflow_provider_kognic import __version__

    return f"airflow-provider-kognic/{__version__}"


def request_body(scene_uuid: str, document: bytes) -> bytes:
    """Wrap a document, as the bytes it is, into the body of `POST .../predictions`."""
    return b'{"sceneUuid":"%s","openlabelContent":%s}' % (scene_uuid.encode("ascii"), document)


def _content(document: object) -> bytes:
    """Return the JSON of a document; raises KognicInputError if it has none."""
    if isinstance(document, (bytes, bytearray)):
        return bytes(document)
    if not isinstance(document, dict):
        raise KognicInputError(
            f"a document is a dict or the bytes of its JSON, not {type(document).__name__}."
        )
    try:
        return json.dumps(document, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise KognicInputError(f"the document cannot be written as JSON: {error}.") from None


def _error_of(status: int, headers: Mapping[str, str], body: bytes, method: str, url: str) -> KognicError:
    """Turn an answer that is not 2xx into its error."""
    message = transport.clean_message(body, headers.get("content-type"))
    where: dict[str, Any] = {"status": status, "method": method, "url": url}
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        target = headers.get("location", "nowhere")
        return KognicRedirectError(
            f"a redirect to {target.split('?')[0]}, which is not followed with a token. Check 'host'.",
            **where,
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return KognicRateLimitError(
            message, retry_after=parse_retry_after(headers.get("retry-after")), **where
        )
    if status == HTTPStatus.REQUEST_TIMEOUT or not HTTPStatus.OK <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return KognicServerError(message, retry_after=parse_retry_after(headers.get("retry-after")), **where)
    kinds: dict[int, type[KognicError]] = {
        HTTPStatus.UNAUTHORIZED: KognicUnauthorizedError,
        HTTPStatus.FORBIDDEN: KognicPermissionError,
        HTTPStatus.NOT_FOUND: KognicNotFoundError,
    }
    return kinds.get(status, KognicRequestError)(message, **where)


def _data_of(status: int, body: bytes, method: str, url: str, redact: Callable[[str], str]) -> Any:
    """Return what a 2xx answer carries in `data`."""
    where: dict[str, Any] = {"status": status, "method": method, "url": url}
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        # Redacted before it is cut: half of a secret would not be known as one.
        whole = redact(body[:_LOOKED_INTO].decode("utf-8", "replace")).encode()
        start = transport.clean_message(whole, None)[:120]
        raise KognicAnswerError(f"the answer is no JSON; it starts with {start!r}.", **where) from None
    if not isinstance(parsed, dict) or "data" not in parsed:
        raise KognicAnswerError("the answer has no 'data'.", **where)
    return parsed["data"]


def _data_or_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    method: str,
    url: str,
    redact: Callable[[str], str],
) -> Any:
    """Return what a 2xx answer carries in `data`; raises the error of any other, without secrets."""
    try:
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return _data_of(status, body, method, url, redact)
        raise _error_of(status, headers, redact(body.decode("utf-8", "replace")).encode(), method, url)
    except KognicError as error:
        raise_clean(error, None, redact)


def raise_clean(error: KognicError, cause: Exception | None, redact: Callable[[str], str]) -> NoReturn:
    """Raise `error` without secrets; its cause goes along only if it shows none."""
    try:
        if redact(error.message) != error.message:
            raise error.with_message(redact(error.message)) from None
        raise error from cause
    finally:
        # The traceback holds this frame: a frame that holds the error would keep the document until gc comes by.
        del error, cause


def _rows_of(data: Any, url: str) -> list[Any]:
    if not isinstance(data, list):
        raise KognicAnswerError(f"'data' is no list but {type(data).__name__}.", method="GET", url=url)
    return data


def _created_uuid(data: Any, method: str, url: str) -> str:
    """Read the uuid that a POST answers with; documented as the bare string in `data`."""
    if isinstance(data, dict):
        data = next((data[name] for name in ("uuid", "id") if data.get(name)), None)
    if not is_uuid(data):
        raise KognicAnswerError("'data' is no uuid of what was created.", method=method, url=url)
    return str(data).lower()


class CancelledBeforeSending(asyncio.CancelledError):
    """The call was cancelled while it waited for a token or a connection: nothing was sent."""


class _Deprecations:
    """Logs each deprecated endpoint once, however many requests go there."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def look(self, headers: Mapping[str, str], method: str, url: str) -> None:
        date = headers.get(_SUNSET_HEADER)
        if date is None:
            return
        parts = urlsplit(url).path.split("/")
        endpoint = f"{method} {'/'.join('{uuid}' if is_uuid(part) else part for part in parts)}"
        if endpoint not in self._said:
            self._said.add(endpoint)
            logger.warning(
                "Kognic will switch off %s at %s (header %s). Look for a newer version of this provider.",
                endpoint,
                date[:40],
                _SUNSET_HEADER,
            )


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
        self._deprecations = _Deprecations()

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
        url = f"{self.settings.base_url}/v2/datasets"
        return [Dataset.from_api(row) for row in _rows_of(self._get(url), url)]

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
        uuid = parse_uuid(dataset_uuid, "dataset")
        url = f"{self.settings.base_url}/v1/datasets/{uuid}/predictions-groups"
        return [PredictionsGroup.from_api(row) for row in _rows_of(self._get(url), url)]

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
        uuid = parse_uuid(dataset_uuid, "dataset")
        body: dict[str, Any] = {"name": name, "description": description or ""}
        if class_mapping is not None:
            body["classMapping"] = [dict(row) for row in class_mapping]
        url = f"{self.settings.base_url}/v1/datasets/{uuid}/predictions-groups"
        return self._post(url, json.dumps(body).encode())

    def iter_annotations(self, dataset_uuid: str) -> Iterator[Annotation]:
        """Yield a dataset's annotations, a page at a time.

        The documented paging is followed: `offset` grows by what came, until a page is empty.
        """
        uuid = parse_uuid(dataset_uuid, "dataset")
        url = f"{self.settings.base_url}/v1/datasets/{uuid}/annotations"
        offset = 0
        last: list[Any] = []
        while rows := _rows_of(self._get(url, {"offset": offset}), url):
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
        group = parse_uuid(predictions_group_uuid, "predictions group")
        scene = parse_uuid(scene_uuid, "scene")
        url = f"{self.settings.base_url}/v1/predictions-groups/{group}/predictions"
        return self._post(url, request_body(scene, _content(document)))

    def _get(self, url: str, params: Mapping[str, int] | None = None) -> Any:
        return self._repeat(lambda: self._once("GET", url, params=params), idempotent=True)

    def _post(self, url: str, body: bytes) -> str:
        return self._repeat(
            lambda: _created_uuid(self._once("POST", url, body=body), "POST", url), idempotent=False
        )

    def _repeat(self, call: Callable[[], _T], *, idempotent: bool) -> _T:
        """Call until it succeeds, may not be repeated, or was tried often enough."""
        renewed = False
        attempt = 1
        while True:
            try:
                return call()
            except KognicUnauthorizedError:
                if renewed:
                    raise
                renewed = True
                continue
            except KognicError as error:
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
            answer = session.request(
                method,
                url,
                params=params,
                data=body,
                headers=headers,
                timeout=(min(10.0, self.settings.timeout), self.settings.timeout),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise_clean(transport.as_requests_error(error, method, url), error, self.tokens.redact)
        self._deprecations.look(answer.headers, method, url)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            self.tokens.reject(token)
        return _data_or_error(
            answer.status_code, answer.headers, answer.content, method, url, self.tokens.redact
        )

    def _open(self) -> requests.Session:
        if self._session is None:
            import requests

            session = requests.Session()
            session.trust_env = False  # no netrc in place of our token; proxies are read below
            session.verify = transport.readable_certificates(self.settings.verify)
            proxy = transport.proxy_for(self.settings.base_url, self.settings.proxy)
            if proxy:
                session.proxies = {"http": proxy, "https": proxy}
            session.headers["User-Agent"] = user_agent()
            self._session = session
        return self._session


class AsyncKognicClient:
    """Sends predictions, up to `settings.max_connections` at a time; an asynchronous context manager.

    It talks to httpx's transport, below httpx's client: redirects, cookies and one log line a request, which
    the client adds, are not wanted here. And it keeps one transport a connection, because a transport with ten
    connections looks at every one of them, several times, for each request: half of the time went there.

    Args:
        settings: Where Kognic is and how to reach it.
        tokens: The token provider to share; a new one if None.
    """

    def __init__(self, settings: Settings, *, tokens: TokenProvider | None = None) -> None:
        self.settings = settings
        self.tokens = tokens or TokenProvider(settings)
        self._idle: list[httpx.AsyncHTTPTransport] | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._places = asyncio.Semaphore(settings.max_connections)
        self._deprecations = _Deprecations()
        self._urls: dict[str, httpx.URL] = {}
        timeout = settings.timeout
        self._timeouts = {"connect": min(10.0, timeout), "read": timeout, "write": timeout, "pool": timeout}

    async def __aenter__(self) -> Self:
        import httpx

        settings = self.settings
        proxy = transport.proxy_for(settings.base_url, settings.proxy)
        context = transport.ssl_context(settings.verify)
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=5.0)
        self._idle = [
            httpx.AsyncHTTPTransport(verify=context, proxy=proxy, trust_env=False, limits=limits)
            for _ in range(settings.max_connections)
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for idle in self._idle or ():
            await idle.aclose()
        self._idle = None
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    async def create_prediction(
        self, predictions_group_uuid: str, scene_uuid: str, document: bytes | Mapping[str, Any]
    ) -> str:
        """Send one prediction, once, and return its uuid.

        Nothing is retried here: what to do about an error is the caller's to decide (see `retries`). After a
        401 the next call comes with a new token.

        Args:
            predictions_group_uuid: The group's uuid.
            scene_uuid: The scene's uuid.
            document: `{"openlabel": ...}`, as the bytes of its JSON, which are sent as they are, or as a dict.

        Raises:
            KognicAmbiguousError: It may have been created.
            KognicError: It was not created.
            CancelledBeforeSending: The task was cancelled, and it was not created.
        """
        group = parse_uuid(predictions_group_uuid, "predictions group")
        scene = parse_uuid(scene_uuid, "scene")
        url = f"{self.settings.base_url}/v1/predictions-groups/{group}/predictions"
        body = request_body(scene, _content(document))
        return _created_uuid(await self._once("POST", url, body), "POST", url)

    async def list_predictions(self, predictions_group_uuid: str, offset: int) -> list[ListedPrediction]:
        """Return a page of what a group holds; an empty one ends the listing.

        Kognic documents no such endpoint. It is assumed to be like that of the annotations, and a server that
        lacks it to answer 404 or 405.

        Args:
            predictions_group_uuid: The group's uuid.
            offset: How many predictions came in the pages before.

        Raises:
            KognicRowError: The rows name no predictions and scenes.
            KognicError: The listing cannot be had.
        """
        group = parse_uuid(predictions_group_uuid, "predictions group")
        url = f"{self.settings.base_url}/v1/predictions-groups/{group}/predictions"
        rows = _rows_of(await self._once("GET", url, params={"offset": str(offset)}), url)
        return [ListedPrediction.from_api(row) for row in rows]

    async def probe(self) -> None:
        """Ask for something harmless, to see whether the API serves at all; raises KognicError if not."""
        await self._once("GET", f"{self.settings.base_url}/v2/datasets")

    async def _token(self) -> str:
        """Fetch a token without stopping the event loop, in threads that nobody waits for at the end."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.settings.max_connections, "kognic-token")
        loop = asyncio.get_running_loop()
        return await self._before_sending(loop.run_in_executor(self._threads, self.tokens.token))

    @staticmethod
    async def _before_sending(step: Awaitable[_T]) -> _T:
        try:
            return await step
        except asyncio.CancelledError:
            raise CancelledBeforeSending from None

    async def _once(
        self, method: str, url: str, body: bytes = b"", params: Mapping[str, str] | None = None
    ) -> Any:
        import httpx

        if self._idle is None:
            raise RuntimeError("AsyncKognicClient is an asynchronous context manager: use 'async with'.")
        token = self.tokens.fresh() or await self._token()
        headers = {
            "authorization": f"Bearer {token}",
            "user-agent": user_agent(),
            "accept": "application/json",
        }
        if body:
            headers["content-type"] = "application/json"
        if (parsed := self._urls.get(url)) is None:
            parsed = self._urls[url] = httpx.URL(url)
        request = httpx.Request(
            method,
            parsed,
            params=params,
            headers=headers,
            content=body,
            extensions={"timeout": self._timeouts},
        )
        await self._before_sending(self._places.acquire())
        try:
            connection = self._idle.pop()  # the one used last: its connection is the least likely to be stale
            try:
                answer = await connection.handle_async_request(request)
                try:
                    content = await answer.aread()
                finally:
                    await answer.aclose()
            except (httpx.HTTPError, OSError) as error:
                raise_clean(transport.as_httpx_error(error, method, url), error, self.tokens.redact)
            finally:
                self._idle.append(connection)
        finally:
            self._places.release()
        self._deprecations.look(answer.headers, method, url)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            self.tokens.reject(token)
        return _data_or_error(answer.status_code, answer.headers, content, method, url, self.tokens.redact)
