"""A parsed document becomes endpoints: Swagger 2, OpenAPI 3.0 and 3.1."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_kognic.core.contract.description.operations import (
    Answer,
    Described,
    Operation,
    Parameter,
    Scheme,
    extensions_of,
    is_json,
)
from airflow_provider_kognic.core.contract.description.shapes import Document, Node, Shape, node, nodes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_MOST_OPERATIONS = 5_000
_MOST_SERVERS = 20
_VERSION = re.compile(r"\d{1,2}(?:\.\d{1,3}){1,2}")
_PARAMETER = re.compile(r"\{[^{}/]*\}|:\w+")
_LONGEST_TEXT = 2_000


def is_description(parsed: object) -> bool:
    """Tell whether a parsed document describes an API."""
    root = node(parsed)
    return _kind_of(root) is not None and isinstance(root.get("paths"), dict)


def described(parsed: object) -> Described:
    """Read a document; whatever cannot be understood of it is left out.

    Args:
        parsed: One of which `is_description` is true.
    """
    document = Document(node(parsed))
    elsewhere: list[tuple[str, ...]] = []
    found = _operations(document, elsewhere)
    operations = tuple(islice(found, _MOST_OPERATIONS))
    is_whole = next(found, None) is None and document.is_whole
    return Described(
        operations, _schemes(document), _kind_of(document.root) or "", tuple(elsewhere), is_whole
    )


def _kind_of(root: Node) -> str | None:
    for key, name in (("openapi", "OpenAPI"), ("swagger", "Swagger")):
        version = str(root.get(key, ""))
        if _VERSION.fullmatch(version):
            return f"{name} {version}"
    return None


def _operations(document: Document, elsewhere: list[tuple[str, ...]]) -> Iterator[Operation]:
    """Yield the endpoints, and add to `elsewhere` the paths that say nothing but where their methods are."""
    root = document.root
    for path, item in node(root.get("paths")).items():
        shared = document.resolved(item)
        if "$ref" in shared and isinstance(path, str):
            elsewhere.extend(_paths(path, {}, shared, root))
        for method in _METHODS:
            if not isinstance(path, str) or not isinstance(shared.get(method), dict):
                continue
            own = document.resolved(shared[method])
            given = [*nodes(own.get("parameters")), *nodes(shared.get("parameters"))]
            parameters = [document.resolved(one) for one in given]
            text, bodies, extensions = _body(document, own, parameters)
            yield Operation(
                method=method.upper(),
                paths=tuple(_paths(path, own, shared, root)),
                parameters=tuple(_parameters(document, parameters)),
                more_parameters=any("$ref" in one for one in parameters),
                bodies=bodies,
                body_text=text,
                body_extensions=extensions,
                answers=_answers(document, own),
                deprecated=own.get("deprecated") is True,
                extensions=extensions_of(own),
                access=_access(own, root),
            )


def _paths(path: str, own: Node, shared: Node, root: Node) -> Iterator[tuple[str, ...]]:
    """Yield a path below each of its servers, in parts."""
    prefixes = [""]
    if isinstance(root.get("basePath"), str):
        prefixes = [root["basePath"]]
    servers = next((found for one in (own, shared, root) if (found := nodes(one.get("servers")))), [])
    urls = dict.fromkeys(url for one in servers for url in _urls_of(node(one)))
    for prefix in list(dict.fromkeys(map(_path_of, urls)))[:_MOST_SERVERS] or prefixes:
        parts = f"{prefix}/{path}".split("/")
        yield tuple("{}" if _PARAMETER.fullmatch(part) else part for part in parts if part)


def _urls_of(server: Node) -> list[str]:
    """Return the URLs that a server may have: with each value of each of its variables."""
    found = [server["url"]] if isinstance(server.get("url"), str) else []
    for name, said in node(server.get("variables")).items():
        place, known = f"{{{name}}}", [node(said).get("default"), *nodes(node(said).get("enum"))]
        values = [one for one in known if isinstance(one, str)][:_MOST_SERVERS] or [place]
        changed = dict.fromkeys(url.replace(place, value) for url in found for value in values)
        found = list(changed)[:_MOST_SERVERS]
    return found


def _path_of(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _parameters(document: Document, given: list[Node]) -> Iterator[Parameter]:
    seen = set()
    for one in given:
        name, place = one.get("name"), one.get("in")
        if not isinstance(name, str) or not isinstance(place, str) or (name, place) in seen:
            continue
        seen.add((name, place))
        if place not in {"body", "formData"}:
            # Swagger 2 has its type beside its name.
            schema = one.get("schema") if isinstance(one.get("schema"), dict) else one
            yield Parameter(name, place, one.get("required") is True, Shape(document, schema))


def _body(
    document: Document, own: Node, parameters: list[Node]
) -> tuple[str, Mapping[str, Shape] | None, Node]:
    """Return what is said of the body, the body by its media types, and what else stands there."""
    body = document.resolved(own.get("requestBody"))
    if body:
        content = node(body.get("content"))
        bodies = {
            media: Shape(document, node(of).get("schema"))
            for media, of in content.items()
            if isinstance(media, str)
        }
        more = [extensions_of(node(of)) for of in content.values()]
        return (
            _text(body),
            bodies,
            {name: value for one in [*more, extensions_of(body)] for name, value in one.items()},
        )
    form = [one for one in parameters if one.get("in") == "formData"]
    given = next((one for one in parameters if one.get("in") == "body"), None)
    if given is None and not form:
        return "", None, {}
    consumes = nodes(own.get("consumes")) or nodes(document.root.get("consumes"))
    media_types = [one for one in consumes if isinstance(one, str)]
    if given is None:
        return "", dict.fromkeys(media_types or ["multipart/form-data"], Shape(document, {})), {}
    shape = Shape(document, given.get("schema"))
    return _text(given), dict.fromkeys(media_types or ["application/json"], shape), extensions_of(given)


def _answers(document: Document, own: Node) -> dict[str, Answer]:
    found = {}
    for status, said in node(own.get("responses")).items():
        answer = document.resolved(said)
        content = node(answer.get("content"))
        # JSON is asked for; some describe a page for people before it.
        media_types = sorted(content, key=lambda media: not is_json(str(media)))
        schemas = [node(content[media]).get("schema") for media in media_types] or [answer.get("schema")]
        schema = next((one for one in schemas if isinstance(one, dict)), None)
        headers = frozenset(name.lower() for name in node(answer.get("headers")) if isinstance(name, str))
        shape = None if schema is None else Shape(document, schema)
        found[str(status)] = Answer(_text(answer), shape, headers)
    return found


def _text(of: Node) -> str:
    said = of.get("description")
    return said[:_LONGEST_TEXT] if isinstance(said, str) else ""


def _access(own: Node, root: Node) -> tuple[dict[str, tuple[str, ...]], ...] | None:
    said = own.get("security", root.get("security"))
    if not isinstance(said, list) or not said:
        return None
    return tuple(
        {
            name: tuple(scope for scope in nodes(scopes) if isinstance(scope, str))
            for name, scopes in node(way).items()
            if isinstance(name, str)
        }
        for way in said
    )


def _schemes(document: Document) -> dict[str, Scheme]:
    root = document.root
    found = node(node(root.get("components")).get("securitySchemes")) or node(root.get("securityDefinitions"))
    each = {name: document.resolved(said) for name, said in found.items() if isinstance(name, str)}
    return {name: _scheme(said) for name, said in each.items() if "$ref" not in said}


def _scheme(said: Node) -> Scheme:
    kind = said.get("type")
    if kind == "http":
        kind = str(said.get("scheme", "")).lower()
    # Swagger 2 has no other way to say bearer.
    if kind == "apiKey" and said.get("in") == "header" and str(said.get("name")).lower() == "authorization":
        kind = "bearer"
    flows: dict[str, Any] = node(said.get("flows"))
    if isinstance(said.get("flow"), str):
        flows = {said["flow"]: said}
    client = [of for name, of in flows.items() if name in {"clientCredentials", "application"}]
    urls = tuple(node(of)["tokenUrl"] for of in client if isinstance(node(of).get("tokenUrl"), str))
    return Scheme(str(kind), urls, frozenset(str(name) for name in flows))
