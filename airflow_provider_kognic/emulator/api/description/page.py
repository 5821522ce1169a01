"""The page that leads to the document, as pages of this kind are written; nothing is loaded from elsewhere."""

import html
import json
from typing import Any

from airflow_provider_kognic.emulator.faults.description import Description

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Kognic emulator - API</title></head>
<body>
<h1>Kognic emulator</h1>
<div id="swagger-ui"></div>
{lead}
</body>
</html>
"""

_BUNDLE = """SwaggerUIBundle({{
    url: {url},
    dom_id: "#swagger-ui",
    deepLinking: true
}})"""


def page_of(description: Description, prefix: str) -> str:
    """The page, for an API that is below a prefix."""
    url = prefix + description.json_path
    if description.script_path is not None:
        lead = f'<script src="{html.escape(prefix + description.script_path)}" charset="UTF-8"></script>'
    elif description.page == "swagger-ui":
        lead = f"<script>\nconst ui = {_BUNDLE.format(url=json.dumps(url))}\n</script>"
    elif description.page == "redoc":
        lead = f'<redoc spec-url="{html.escape(url)}"></redoc>'
    elif description.page == "link":
        lead = f'<p><a href="{html.escape(url)}">The document</a></p>'
    else:
        lead = "<p>Loading…</p>"
    return _PAGE.format(lead=lead)


def script_of(description: Description, prefix: str, document: dict[str, Any]) -> str:
    """The script of the page, which names the document or holds it."""
    if description.page == "embedded":
        options = json.dumps({"swaggerDoc": document, "customOptions": {}}, indent=2)
        return f"window.onload = function() {{\n  let options = {options};\n  SwaggerUIBundle(options)\n}}\n"
    bundle = _BUNDLE.format(url=json.dumps(prefix + description.json_path))
    return f"window.onload = function() {{\n  window.ui = {bundle};\n}};\n"
