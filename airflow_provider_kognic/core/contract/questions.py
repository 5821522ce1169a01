"""A few GETs of what is listed anyway, and what their replies say of the assumptions; they change nothing."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.api.dataset_api.endpoints import (
    annotations_url,
    datasets_url,
    groups_url,
    predictions_url,
)
from airflow_provider_kognic.core.contract.judging.verdicts import (
    UNKNOWN,
    confirmed,
    contradicted,
    together,
    unknown,
)
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import is_uuid
from airflow_provider_kognic.core.texts import brief

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_kognic.core.contract.contract import Judgement
    from airflow_provider_kognic.core.contract.replies import Asker, Reply

_NOT_THERE = {404, 405, 501}
_MOST_GROUPS = 3
_A_PAGE = "a GET was answered with a page, as by a login or a gateway in front of the API"


@dataclass
class _Page:
    """What a reply holds: its rows, its cursor, and whether it says that there is more."""

    rows: list[Any] | None = None
    cursor: str | None = None
    by_cursor: bool = False
    has_next: bool | None = None
    is_json: bool = False


@dataclass
class Questions:
    """Asks, and judges what comes.

    Args:
        asker: Makes the GETs.
        dataset: The dataset whose groups and annotations are asked for, by its name or uuid; none if None.
    """

    asker: Asker
    dataset: str | None = None
    _found: dict[str, list[Judgement]] = field(default_factory=dict)
    _replies: list[Reply] = field(default_factory=list)

    @property
    def answered(self) -> bool:
        """Whether any reply said something of what was asked for."""
        return any(reply.says_something for reply in self._replies)

    def ask(self) -> dict[str, Judgement]:
        """Ask, and return what came of it, by the assumptions' names.

        Raises:
            KognicInputError: There is no such dataset, or several of that name.
            KognicError: There is no token to be had, or no connection to the API.
        """
        datasets = self._listing("datasets_listing", datasets_url(self.asker.settings.base_url), {})
        self._fields("dataset_rows", datasets, ("uuid", "id"), ("name",))
        self._whole(datasets)
        self._ask_for_nothing()
        if self.dataset is not None:
            self._ask_of_dataset(self.dataset.strip(), datasets)
        self._judge_all()
        return {name: together(found) for name, found in self._found.items()}

    def _ask_of_dataset(self, name: str, listed: _Page) -> None:
        """Ask for what the dataset of a name has."""
        if is_uuid(name):
            uuids = {_uuid_in(row) for row in listed.rows or ()}
            self._ask_of(name.lower(), is_there=None if listed.rows is None else name.lower() in uuids)
        elif listed.rows is not None:
            self._ask_of(_uuid_of(name, listed.rows), is_there=True)
        else:
            for one in ("groups_listing", "annotations_listing", "predictions_listing"):
                self._say(one, unknown("the dataset could not be looked up by its name: give its uuid"))

    def _ask_of(self, dataset: str, *, is_there: bool | None) -> None:
        """Ask for what a dataset has; whether it was listed is None where nothing was."""
        base = self.asker.settings.base_url
        url = groups_url(base, dataset)
        reply = self._get(url, {})
        if reply.status == HTTPStatus.NOT_FOUND and is_there is None:
            for name in ("groups_listing", "annotations_listing", "predictions_listing"):
                self._say(
                    name, unknown("HTTP 404 came for the dataset, of which nobody says that it is there")
                )
            return
        if reply.status == HTTPStatus.NOT_FOUND and not is_there:
            raise KognicInputError(
                f"there is no dataset {dataset} that these credentials may see (HTTP 404 came for its predictions"
                " groups): correct its uuid, or leave it out."
            )
        groups = self._listed("groups_listing", reply)
        self._fields("group_rows", groups, ("uuid", "id"), ("name",))
        self._mapping(groups)
        self._whole(groups)
        self._paged("annotations", annotations_url(base, dataset), ("sceneUuid", "scene_uuid"))
        found = [one for row in groups.rows or () if (one := _uuid_in(row)) is not None]
        if not found:
            self._say("predictions_listing", unknown("the dataset has no predictions group to ask for"))
        # Of an empty one nothing is seen but that it can be listed.
        for group in found[-_MOST_GROUPS:]:
            url = predictions_url(base, group)
            if self._paged("predictions", url, ("uuid", "id"), ("sceneUuid", "scene_uuid")) != 0:
                return

    def _paged(self, what: str, url: str, *fields: tuple[str, ...]) -> int | None:
        """Ask for the first page of a listing and the one after it; return the rows of the first, if it came."""
        first = self._listing(f"{what}_listing", url, {"offset": "0"})
        if first.rows is not None:
            self._page_after(what, url, first, *fields)
        return None if first.rows is None else len(first.rows)

    def _page_after(self, what: str, url: str, first: _Page, *fields: tuple[str, ...]) -> None:
        """Ask for the page after the first."""
        self._fields({"annotations": "annotation_rows"}.get(what, "prediction_rows"), first, *fields)
        paging = f"{what}_paging"
        if first.cursor is not None:
            name, ask = "cursorId", {"cursorId": first.cursor}
        elif first.by_cursor and not first.has_next:
            self._say(paging, confirmed("the first page says by nextCursorId that it is the last"))
            return
        elif not first.rows:
            return
        else:
            name, ask = "offset", {"offset": str(len(first.rows or ()))}
        reply = self._get(url, ask)
        second = _page_of(reply)
        if second.rows is None:
            self._say(paging, unknown(f"the page after the first, asked for with {name}: {reply}"))
        elif second.rows and second.rows == first.rows:
            self._say(
                paging, contradicted(f"the page after the first is the first again, asked for with {name}")
            )
        elif not second.rows and first.has_next:
            self._say(paging, contradicted(f"there is more, it says, and nothing comes by {name}"))
        else:
            self._say(paging, confirmed(f"the page after the first came by {name}"))

    def _ask_for_nothing(self) -> None:
        """Ask for the groups of a dataset that cannot be there."""
        reply = self._get(groups_url(self.asker.settings.base_url, str(uuid.uuid4())), {})
        if reply.is_page:
            self._say("not_found_404", unknown(_A_PAGE))
        elif reply.status == HTTPStatus.NOT_FOUND:
            self._say("not_found_404", confirmed("404 came for a dataset that is not there"))
        elif reply.succeeded or reply.status in {HTTPStatus.GONE, HTTPStatus.BAD_REQUEST}:
            self._say("not_found_404", contradicted(f"{reply} came for a dataset that is not there"))
        else:
            self._say("not_found_404", unknown(f"{reply} came for a dataset that is not there"))

    def _listing(self, name: str, url: str, params: Mapping[str, str]) -> _Page:
        """Ask for a listing and judge whether there is it."""
        return self._listed(name, self._get(url, params))

    def _listed(self, name: str, reply: Reply) -> _Page:
        """Judge by what came whether there is a listing."""
        page = _page_of(reply)
        if page.rows is not None:
            self._say(name, confirmed("a GET of it was answered"))
            self._say("envelope", confirmed("what was listed came in data"))
        elif reply.is_page:
            self._say(name, unknown(_A_PAGE))
            self._say("envelope", unknown(_A_PAGE))
        elif reply.succeeded:
            self._say(name, unknown("a GET of it was answered with something else than a list"))
            what = "JSON without a list in data" if page.is_json else "no JSON"
            self._say("envelope", contradicted(f"{what} came for a listing"))
        elif reply.status in _NOT_THERE:
            self._say(name, contradicted(f"a GET of it: {reply}"))
        else:
            self._say(name, unknown(f"a GET of it: {reply}"))
        return page

    def _fields(self, name: str, page: _Page, *each: tuple[str, ...]) -> None:
        """Judge whether rows have, of each, one of its names, as they are read (`core.api.dataset_api.records`)."""
        if not page.rows:
            return
        for names in each:
            found = [_value(row, names) for row in page.rows]
            what = " or ".join(names)
            if None in found:
                self._say(name, contradicted(f"a row came without {what}"))
                return
            if names != ("name",) and not all(isinstance(one, str) and one for one in found):
                self._say(name, contradicted(f"a row came whose {what} is no text"))
                return
            if name == "prediction_rows" and not all(map(is_uuid, found)):
                self._say(name, contradicted(f"a row came whose {what} is no uuid"))
                return
        self._say(name, confirmed("all rows that came have them"))

    def _mapping(self, page: _Page) -> None:
        """Judge whether groups show their class mapping: one that has none may show none."""
        if any(isinstance(row, dict) and "classMapping" in row for row in page.rows or ()):
            self._say("group_mapping", confirmed("a row came with classMapping"))
        elif page.rows:
            self._say("group_mapping", unknown("no row came with classMapping: none of them may have one"))

    def _whole(self, page: _Page) -> None:
        """Judge whether a listing without pages came whole."""
        if page.rows is None:
            return
        if page.has_next and page.cursor is None:
            self._say("whole_listings", contradicted("there is more, it says, and no cursor leads there"))
        elif page.has_next is False or page.cursor is not None:
            self._say("whole_listings", confirmed("a listing says that it is whole, or has a cursor"))

    def _judge_all(self) -> None:
        """Judge what each reply says something of."""
        replies = self._replies
        if any(reply.redirects for reply in replies):
            self._say("no_redirects", contradicted("a GET was redirected"))
        answered = any(reply.succeeded and not reply.is_page for reply in replies)
        if answered and not any(reply.redirects for reply in replies):
            self._say("no_redirects", confirmed("no GET was redirected"))
        if answered:
            self._say("bearer_token", confirmed("a GET with the token was answered"))
        for reply in replies:
            if reply.status is not None and 400 <= reply.status < 500:  # noqa: PLR2004 - 4xx
                self._say("error_message", _said_in(reply))
        headers = {name.lower() for reply in replies for name in reply.headers}
        if "sunset-date" in headers:
            self._say("sunset_header", confirmed("it came"))
            self._say(
                "lasting_endpoints", contradicted("an endpoint announced its end by the header sunset-date")
            )
        elif other := sorted(headers & {"sunset", "deprecation"}):
            self._say("sunset_header", contradicted(f"the header {', '.join(other)} came in its place"))
            self._say(
                "lasting_endpoints", contradicted(f"an endpoint came with the header {', '.join(other)}")
            )

    def _get(self, url: str, params: Mapping[str, str]) -> Reply:
        reply = self.asker.get(url, params)
        self._replies.append(reply)
        return reply

    def _say(self, name: str, judgement: Judgement) -> None:
        if judgement is not UNKNOWN:
            self._found.setdefault(name, []).append(judgement)


def _page_of(reply: Reply) -> _Page:
    if not reply.succeeded:
        return _Page()
    try:
        parsed = json.loads(reply.body)
    except (ValueError, RecursionError):
        return _Page()
    if not isinstance(parsed, dict):
        return _Page(is_json=True)
    rows, metadata = parsed.get("data"), parsed.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    cursor = known.get("nextCursorId")
    said = [one for one in (parsed.get("hasNext"), known.get("hasNext")) if isinstance(one, bool)]
    is_one = isinstance(cursor, (str, int)) and not isinstance(cursor, bool) and cursor != ""
    return _Page(
        rows if isinstance(rows, list) else None,
        cursor=str(cursor) if is_one else None,
        by_cursor="nextCursorId" in known,
        has_next=any(said) if said else None,
        is_json=True,
    )


def _said_in(reply: Reply) -> Judgement:
    try:
        parsed = json.loads(reply.body)
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, dict) and isinstance(parsed.get("message"), str):
        return confirmed(f"HTTP {reply.status} came with message")
    return contradicted(f"HTTP {reply.status} came without message")


def _uuid_of(name: str, rows: list[Any]) -> str:
    """Return the uuid of the dataset of a name; raises KognicInputError where none or several have it."""
    same = [row for row in rows if isinstance(row, dict) and row.get("name") == name]
    found = [one for row in same if (one := _uuid_in(row)) is not None]
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} datasets are named {brief(name)}" if found else f"there is no dataset {brief(name)}"
    raise KognicInputError(
        f"{what} in the first page of those that these credentials may see: give its uuid."
    )


def _value(row: Any, names: tuple[str, ...]) -> Any:
    """Return what a row has under the first of the names under which it has anything."""
    return (
        next((row[one] for one in names if row.get(one) is not None), None) if isinstance(row, dict) else None
    )


def _uuid_in(row: Any) -> str | None:
    """Return the uuid of a row, by whichever name it has."""
    if not isinstance(row, dict):
        return None
    return next((row[name].lower() for name in ("uuid", "id") if is_uuid(row.get(name))), None)
