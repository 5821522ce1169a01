"""Where a page leads that shows a description, as Swagger UI, ReDoc and those who build on them write it.

A page names its document in an attribute, in a script, or in a script of its own; or it holds the document itself.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

# What is looked into: a page or a script that is longer is a program, and names nothing.
MOST_BYTES = 4_000_000

_MOST_LINKS = 20
_MOST_SCRIPTS = 6
_MOST_EMBEDDED = 5
_MOST_TRIED = 20
# A name and what it is set to, as a script, its JSON, or an attribute has it.
_NAMED = re.compile(
    r"""["']?\b(?:url|configUrl|config-url|spec-url|specUrl|swaggerUrl|swagger-url|openapiUrl|data-url|"""
    r"""apiDescriptionUrl)["']?\s{0,20}[:=]\s{0,20}(["'`])([^"'`<>\s]{1,500})\1"""
)
# What a script hands on, or puts behind where it is: ReDoc's init, an origin and a path.
_HANDED = re.compile(r"""\binit\(\s{0,20}(["'`])([^"'`<>\s]{1,500})\1""")
_BEHIND = re.compile(
    r"""\b(?:origin|href|host|pathname|baseUrl|basePath)\s{0,20}\+\s{0,20}(["'`])([^"'`<>\s]{1,500})\1""",
    re.IGNORECASE,
)
_CODE = re.compile(r"\\u00([2-7][0-9a-f])", re.IGNORECASE)
_BASE = re.compile(r"""<base\b[^<>]{0,200}?\bhref\s{0,5}=\s{0,5}(["'])([^"'<>\s]{1,500})\1""", re.IGNORECASE)
_HREF = re.compile(r"""\bhref\s{0,5}=\s{0,5}(["'])([^"'<>\s]{1,500})\1""", re.IGNORECASE)
_SCRIPT = re.compile(
    r"""<script\b[^<>]{0,500}?\bsrc\s{0,5}=\s{0,5}(["'])([^"'<>\s]{1,500})\1""", re.IGNORECASE
)
_EMBEDDED = re.compile(
    r"""["']?\b(?:swaggerDoc|spec|swaggerSpec|openapi_spec|content)["']?\s{0,20}[:=]\s{0,20}(?=\{)"""
)
_TAGGED = re.compile(r"""<script\b[^<>]{0,500}\bjson["'][^<>]{0,500}>\s{0,1000}(?=\{)""", re.IGNORECASE)
_DOCUMENT = re.compile(r"json|ya?ml|swagger|openapi|api-docs", re.IGNORECASE)
_NO_DOCUMENT = re.compile(r"\.(?:js|css|png|svg|ico|html?|map|woff2?)(?:[?#]|$)", re.IGNORECASE)
# Those of a page's scripts that may say where the document is, and no library.
_TELLING = re.compile(r"init|config|swagger|openapi|docs|index|main", re.IGNORECASE)
_LIBRARY = re.compile(
    r"bundle|preset|standalone|vendor|polyfill|jquery|redoc[^/]*\.js$|\.min\.js", re.IGNORECASE
)
_PASSWORD = re.compile(r"""type\s{0,5}=\s{0,5}["']?password""", re.IGNORECASE)


@dataclass(frozen=True)
class Leads:
    """What a page or a script leads to.

    Attributes:
        documents: What may be the document, or say where it is: as it is written there.
        scripts: Scripts that may say so.
        embedded: Objects in it that may be the document.
        asks_for_password: Whether it is a page to log in.
        base: Where it says that its names are to be read from; None where it says nothing.
    """

    documents: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    embedded: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    asks_for_password: bool = False
    base: str | None = None


def leads_of(content: bytes) -> Leads:
    """Return where a page or a script leads."""
    text = content[:MOST_BYTES].decode("utf-8", "replace")
    # An attribute may hold JSON, and a script what a template escaped.
    plain = html.unescape(_CODE.sub(lambda found: chr(int(found[1], 16)), text))
    named = [
        _unescaped(found[2]) for pattern in (_NAMED, _HANDED, _BEHIND) for found in pattern.finditer(plain)
    ]
    base = _BASE.search(text)
    links = [_unescaped(found[2]) for found in _HREF.finditer(text)]
    documents = [one for one in named if not _NO_DOCUMENT.search(one)]
    documents += [one for one in links if _DOCUMENT.search(one) and not _NO_DOCUMENT.search(one)]
    scripts = [
        name
        for found in _SCRIPT.finditer(text)
        if _TELLING.search(name := _unescaped(found[2])) and not _LIBRARY.search(name)
    ]
    return Leads(
        tuple(dict.fromkeys(documents))[:_MOST_LINKS],
        tuple(dict.fromkeys(scripts))[:_MOST_SCRIPTS],
        tuple(_embedded(text)),
        bool(_PASSWORD.search(text)),
        None if base is None else _unescaped(base[2]),
    )


def named_in(parsed: object) -> tuple[str, ...]:
    """Return where the documents are that a configuration of Swagger UI names: its `url`, or its `urls`."""
    if not isinstance(parsed, dict):
        return ()
    several = parsed.get("urls")
    found = [parsed.get("url"), parsed.get("configUrl")]
    found += [one.get("url") for one in several if isinstance(one, dict)] if isinstance(several, list) else []
    return tuple(one for one in found if isinstance(one, str) and one)[:_MOST_LINKS]


def _unescaped(text: str) -> str:
    return html.unescape(text).replace("\\/", "/")


def _embedded(text: str) -> list[dict[str, Any]]:
    decoder = json.JSONDecoder()
    objects: list[dict[str, Any]] = []
    for pattern in (_EMBEDDED, _TAGGED):
        for found in islice(pattern.finditer(text), _MOST_TRIED):
            try:
                parsed, _ = decoder.raw_decode(text, found.end())
            except (ValueError, RecursionError):
                continue
            objects.append(parsed)
            if len(objects) == _MOST_EMBEDDED:
                return objects
    return objects
