"""Where pages lead that show descriptions, as those who make such pages write them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_kognic.core.contract.description.page import leads_of, named_in

# As the templates of Swagger UI 5, FastAPI, NestJS, Swashbuckle, springdoc and ReDoc write it.
INITIALIZER = """
window.onload = function() {
  //<editor-fold desc="Changeable Configuration Block">
  window.ui = SwaggerUIBundle({
    url: "https://petstore.swagger.io/v2/swagger.json",
    dom_id: '#swagger-ui',
    layout: "StandaloneLayout"
  });
"""
FASTAPI = """
    <link type="text/css" rel="stylesheet" href="https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui.css">
    <link rel="shortcut icon" href="https://fastapi.tiangolo.com/img/favicon.png">
    <script src="https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui-bundle.js"></script>
    <script>
    const ui = SwaggerUIBundle({
        url: '/openapi.json',
    "dom_id": "#swagger-ui",
"""
NESTJS = """
<script src="./api/swagger-ui-bundle.js"> </script>
<script src="./api/swagger-ui-standalone-preset.js"> </script>
<script src="./api/swagger-ui-init.js"> </script>
"""
NESTJS_SCRIPT = """
window.onload = function() {
  // Build a system
  let url = window.location.search.match(/url=([^&]+)/);
  let options = {
  "swaggerDoc": {"openapi": "3.0.0", "paths": {"/v2/datasets": {"get": {"description": "a } in \\"it\\""}}}},
  "customOptions": {}
};
"""
SWASHBUCKLE = """
    <script src="./index.js" charset="utf-8"></script>
    var configObject = JSON.parse('{"urls":[{"url":"v1/swagger.json","name":"V1"},{"url":"v2/swagger.json"}]}');
"""
SPRINGDOC = """
  window.ui = SwaggerUIBundle({ url: "", dom_id: '#swagger-ui',
    "configUrl" : "\\/v3\\/api-docs\\/swagger-config",
"""
REDOC = """<redoc spec-url="/a.json?x=1&amp;y=2"></redoc>
    <script src="https://cdn.redoc.ly/redoc/latest/bundles/redoc.standalone.js"> </script>"""
SCALAR = """<script id=api data-configuration="{&quot;url&quot;:&quot;/docs/kognic.json&quot;}"></script>"""
DJANGO = """const ui = SwaggerUIBundle({url: "/open\\u002Dapi/schema?a\\u003D1", deepLinking: true})"""
LINK = """<p><a class=button href='docs/openapi.yaml'>Download</a> <a href="/about">About</a></p>"""
TAGGED = """<script id="swagger-data" type="application/json">
{"spec": {"openapi": "3.1.0", "paths": {}}}</script>"""


@pytest.mark.parametrize(
    ("page", "documents", "scripts"),
    [
        (INITIALIZER, ("https://petstore.swagger.io/v2/swagger.json",), ()),
        (FASTAPI, ("/openapi.json",), ()),
        (NESTJS, (), ("./api/swagger-ui-init.js",)),
        (SWASHBUCKLE, ("v1/swagger.json", "v2/swagger.json"), ("./index.js",)),
        (SPRINGDOC, ("/v3/api-docs/swagger-config",), ()),
        (REDOC, ("/a.json?x=1&y=2",), ()),
        (SCALAR, ("/docs/kognic.json",), ()),
        (DJANGO, ("/open-api/schema?a=1",), ()),
        (LINK, ("docs/openapi.yaml",), ()),
        ("<html><body>Loading…</body></html>", (), ()),
        ("", (), ()),
    ],
)
def test_what_a_page_names_is_found(page: str, documents: tuple[str, ...], scripts: tuple[str, ...]) -> None:
    leads = leads_of(page.encode())
    assert leads.documents == documents
    assert leads.scripts == scripts


@pytest.mark.parametrize(("page", "version"), [(NESTJS_SCRIPT, "3.0.0"), (TAGGED, "3.1.0")])
def test_a_document_inside_is_found(page: str, version: str) -> None:
    assert any(one.get("openapi") == version for one in leads_of(page.encode()).embedded)


def test_a_page_to_log_in_is_known_as_one() -> None:
    assert leads_of(b'<form><input type="password" name="p"></form>').asks_for_password
    assert not leads_of(b"<form><input type=text></form>").asks_for_password


@pytest.mark.parametrize(
    ("parsed", "named"),
    [
        ({"url": "/a.json"}, ("/a.json",)),
        ({"urls": [{"url": "/a.json"}, {"url": "/b.json"}, "x", {"name": "y"}]}, ("/a.json", "/b.json")),
        ({"configUrl": "/c"}, ("/c",)),
        ({"url": "", "urls": 5}, ()),
        ([], ()),
        (None, ()),
    ],
)
def test_a_configuration_names_documents(parsed: Any, named: tuple[str, ...]) -> None:
    assert named_in(parsed) == named


@pytest.mark.parametrize(
    "page",
    [
        b'url: "' * 100_000,
        b"<script " * 100_000,
        b"<script src=" * 60_000,
        b'href="' * 100_000,
        b'spec: {"a": ' * 60_000,
        b"swaggerDoc: " + b"{" * 500_000,
        b'url:"' + b"x" * 1_000_000,
        b" " * 3_000_000 + b'url: "/a.json"',
    ],
)
def test_pages_made_to_be_slow_are_read_all_the_same(page: bytes) -> None:
    """And name no more than anybody would follow; one that took the square of its length would never end."""
    leads = leads_of(page)
    assert len(leads.documents) <= 20
    assert len(leads.scripts) <= 6
    assert len(leads.embedded) <= 5
