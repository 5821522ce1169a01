"""How the documentation becomes a site: `scripts/docs` builds it, and fails where anything leads nowhere."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_kognic import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "airflow-provider-kognic"
author = "The airflow-provider-kognic developers"
release = __version__
html_title = f"{project} {release}"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
# Some JSON is shown with its faults, or cut short.
suppress_warnings = ["misc.highlighting_failure"]
html_theme = "furo"
html_copy_source = False
html_show_sourcelink = False

# The pages are read on a forge, too: links to headings are what a forge makes of them.
myst_heading_anchors = 4

# Docstrings are plain text with Google's sections; what stands between single backticks is code.
default_role = "code"
napoleon_use_rtype = False
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"

ROOT = Path(__file__).resolve().parents[1]
# The pages that show files of the repository.
PAGES = {
    "README.md": "/index.md",
    "CHANGELOG.md": "/project/changelog.md",
    "CONTRIBUTING.md": "/project/contributing.md",
    "SECURITY.md": "/project/security.md",
    **{
        path.relative_to(ROOT).as_posix(): f"/examples.md#{path.stem.replace('_', '-')}"
        for path in (ROOT / "example_dags").glob("example_*.py")
    },
}
# A block of code, which is left as it is, or what a link leads to.
_LINK = re.compile(
    r"^(?P<fence>```+).*?^(?P=fence)$|(?<=\]\()(?!\w+:|/)(?P<target>[^)\s#]+)", re.DOTALL | re.MULTILINE
)


def _on_site(text: str, file: str) -> str:
    """Turn links to files of the repository, as a page or README has them, into links to the site's pages."""

    def changed(link: re.Match[str]) -> str:
        if link["target"] is None:
            return link[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(file), link["target"]))
        inside = target.removeprefix("docs/")
        return PAGES.get(target) or (f"/{inside}" if inside != target else f"/../{target}")

    return _LINK.sub(changed, text)


def _source_read(_app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = _on_site(source[0], f"docs/{page}.md")


def _include_read(app: Sphinx, path: Path, _page: str, source: list[str]) -> None:
    source[0] = _on_site(source[0], (Path(app.srcdir) / path).resolve().relative_to(ROOT).as_posix())


def setup(app: Sphinx) -> None:
    """Connect what changes links."""
    app.connect("source-read", _source_read)
    app.connect("include-read", _include_read)
