"""Where the description is: the page is asked for, and what it leads to, on the API's own host only."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from airflow_provider_kognic.core.contract.description.document import described, is_description
from airflow_provider_kognic.core.contract.description.operations import Described, joined
from airflow_provider_kognic.core.contract.description.page import leads_of, named_in
from airflow_provider_kognic.core.contract.replies import NO_ANSWERS, NO_TIME, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.core.contract.replies import Asker, Reply

PAGE = "/api"
"""Where Kognic's documentation links the page."""

MOST_BYTES = 16_000_000
"""A description that is longer is not read."""

_MOST_REQUESTS = 25
_MOST_REDIRECTS = 3
_MOST_DESCRIPTIONS = 5
_MOST_SAID = 6
# Where frameworks put the document, for a page that does not say: NestJS, FastAPI, Spring, ASP.NET and others.
_USUAL = (
    "/api-json",
    "/openapi.json",
    "/swagger.json",
    "/api/openapi.json",
    "/api/swagger.json",
    "/v3/api-docs",
    "/v2/api-docs",
    "/swagger/v1/swagger.json",
)
_NOT_THERE = {404, 405, 410}


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes:
        described: The description; None where there is none.
        says: Where it was, or why there is none, in words of ours.
        has_page: Whether there is a page at `PAGE`; None where that is not known.
    """

    described: Described | None
    says: str
    has_page: bool | None


def search(asker: Asker) -> Found:
    """Look for the description.

    Raises:
        KognicError: There is no token to be had.
    """
    return _Search(asker).run()


def _joined(url: str, name: str) -> str:
    try:
        return urljoin(url, name)
    except ValueError:
        return url


@dataclass
class _Search:
    asker: Asker
    found: list[Described] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    where: str = ""
    pages: list[bool | None] = field(default_factory=list)
    page: str | None = None
    bare: bool = False
    all_read: bool = True

    def run(self) -> Found:
        base = self.asker.settings.base_url
        parts = urlsplit(base)
        bases = list(dict.fromkeys([base, f"{parts.scheme}://{parts.netloc}"]))
        for one in bases:
            self._follow([f"{one}{PAGE}"], page=True)
            if self.found:
                break
        if not self.found:
            for one in bases:
                self._follow([f"{one}{place}" for place in _USUAL], usual=True)
        # One that says nothing may be anybody's, unless there is a description beside it.
        has_page = True if True in self.pages or (self.bare and self.found) else None
        if has_page is None and None not in self.pages:
            has_page = False
        said = "; ".join([*dict.fromkeys(self.said)][:_MOST_SAID])
        if self.found:
            whole = joined(self.found, all_read=self.all_read)
            return Found(whole, f"{whole.kind}, {self.where}{f' ({said})' if said else ''}", has_page)
        return Found(None, f"none was found: {said}", has_page)

    def _follow(self, todo: list[str], *, page: bool = False, usual: bool = False) -> None:
        """Ask for what may lead to the description, one after the other, and for what that leads to."""
        first = page
        most = len(self.seen) + _MOST_REQUESTS
        while todo and len(self.found) < _MOST_DESCRIPTIONS and len(self.seen) < most:
            if usual and self.found:
                return
            url = todo.pop(0)
            if url in self.seen:
                continue
            reply, url = self._get(url, tries=1 if usual else 2)
            if first:
                self.page = url
            more, is_page = self._look(reply, url, quiet=usual)
            if first:
                self.pages.append(is_page)
                first = False
            todo[:0] = more
        if todo and self.found:
            self.all_read = False

    def _get(self, url: str, *, tries: int) -> tuple[Reply, str]:
        """Ask for something, and follow redirects to the API's own host."""
        for _ in range(_MOST_REDIRECTS):
            self.seen.add(url)
            reply = self.asker.get(url, tries=tries)
            if not reply.redirects:
                break
            target = self.asker.own(urljoin(url, reply.headers.get("location", "")))
            if target is None or target in self.seen:
                break
            url = target
        return reply, url

    def _look(self, reply: Reply, url: str, *, quiet: bool) -> tuple[list[str], bool | None]:
        """Look at what came; return what it leads to, and whether it is a page."""
        place = shown(url)
        if not reply.succeeded:
            if reply.status not in _NOT_THERE:
                self.all_read = False
            self._say_why(reply, place, quiet=quiet)
            return [], False if reply.status in _NOT_THERE else None
        body = reply.body.lstrip(b"\xef\xbb\xbf \t\r\n")
        if len(body) > MOST_BYTES:
            self.all_read = False
            self.said.append(f"{place} has more than {MOST_BYTES:,} bytes, and was not read")
            return [], None
        if body[:1] in {b"{", b"["}:
            return self._look_at_json(body, url, place)
        if body.startswith((b"openapi:", b"swagger:")):
            self.all_read = False
            self.said.append(f"{place} is YAML, which is not read")
            return [], True
        leads = leads_of(body)
        for one in leads.embedded:
            if is_description(one):
                self._take(one, f"in {place}")
        base = url if leads.base is None else _joined(url, leads.base)
        if url == self.page:
            self.page = base
        more = self._resolved((*leads.scripts, *leads.documents), base)
        if not more and not leads.embedded:
            kind = (
                "a page to log in" if leads.asks_for_password else "HTML" if body[:1] == b"<" else "no JSON"
            )
            self.said.append(f"{place} is {kind}, and leads to no description")
        is_html = body[:1] == b"<" and not leads.asks_for_password
        self.bare = self.bare or is_html
        return more, True if is_html and (more or leads.embedded) else None

    def _look_at_json(self, body: bytes, url: str, place: str) -> tuple[list[str], bool | None]:
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError):
            self.all_read = False
            self.said.append(f"{place} is broken JSON")
            return [], None
        if is_description(parsed):
            self._take(parsed, f"at {place}")
            return [], True
        more = self._resolved(named_in(parsed), url)
        if not more:
            self.said.append(f"{place} is JSON, and describes no API")
        return more, True if more else None

    def _take(self, parsed: object, where: str) -> None:
        if len(self.found) < _MOST_DESCRIPTIONS:
            self.found.append(described(parsed))
            self.where = self.where or where

    def _say_why(self, reply: Reply, place: str, *, quiet: bool) -> None:
        if reply.problem in {NO_ANSWERS, NO_TIME}:
            self.said.append(reply.problem)
        elif reply.redirects:
            self.said.append(
                f"{place} redirects to another host, as to a login, or in a circle: not followed"
            )
        elif reply.status in {401, 403}:
            self.said.append(f"{place} is refused to these credentials ({reply})")
        elif not quiet or reply.status not in _NOT_THERE:
            self.said.append(f"{place}: {'is not there' if reply.status in _NOT_THERE else reply}")

    def _resolved(self, names: tuple[str, ...], url: str) -> list[str]:
        """Return the addresses that names in a page stand for, on the API's own host."""
        found: list[str] = []
        for name in names:
            for target in self._targets(name, url):
                own = self.asker.own(target)
                if own is None:
                    self.said.append(f"{shown(url)} leads to another host, which is not asked")
                elif own not in self.seen:
                    found.append(own)
        return [*dict.fromkeys(found)]

    def _targets(self, name: str, url: str) -> Iterator[str]:
        """Yield what a name in a page may stand for: below a prefix, a page may know nothing of it.

        In a script or a configuration it is read from where the page is.
        """
        try:
            yield urljoin(url, name)
            if self.page is not None:
                yield urljoin(self.page, name)
            if "://" not in name and not name.startswith("//"):
                if name.startswith("/"):
                    yield f"{self.asker.settings.base_url}{name}"
                else:
                    yield urljoin(f"{url.partition('?')[0]}/", name)
        except ValueError:
            return
