"""Templates, and the headers that keep what a document says from becoming more than data."""

from datetime import datetime, timezone
from typing import Any

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined

# What a document says must stay data: nothing is loaded from elsewhere, and no script stands in a page.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _size(count: int) -> str:
    if count < 1000:  # noqa: PLR2004 (a kilobyte)
        return f"{count} B"
    return f"{count / 1e3:.1f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"  # noqa: PLR2004 (a megabyte)


_templates = Environment(
    loader=PackageLoader(__package__),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["time"] = _time
_templates.filters["size"] = _size
_templates.filters["number"] = lambda count: f"{count:,}".replace(",", "\u202f")


def error_page(status: int, message: str) -> Response:
    """A page that says what went wrong."""
    return render("error.html", status, status=status, message=message)


def render(template: str, status_code: int = 200, /, **values: Any) -> Response:
    """An answer made of a template of the page and what stands in it."""
    content = _templates.get_template(template).render(**values)
    return Response(content, status_code, HEADERS, media_type="text/html")
