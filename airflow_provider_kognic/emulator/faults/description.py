"""How the emulator describes itself, as data; what the page of the real service looks like is unknown."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

PAGE_PATH = "/api"
"""Where Kognic's documentation links the page; where its JSON lies is not said."""

UrlPath = Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9._~-]+)+$")]

Form = Literal["swagger-2.0", "openapi-3.0", "openapi-3.1"]
Page = Literal["swagger-ui", "initializer", "embedded", "redoc", "link", "bare"]


class Description(BaseModel):
    """The page at ``/api``, and the document behind it.

    Attributes:
        form: Which version of Swagger or OpenAPI the document is of.
        page: How the page leads to the document: as FastAPI's (``swagger-ui``) or ReDoc's do, by a script of its
            own that names it (``initializer``) or holds it (``embedded``, as NestJS has it), by a plain link, or
            not at all.
        json_path: Where the document lies; as FastAPI has it unless told otherwise.
        prefix_in: Where the document has the prefix of the API: in its ``server`` (``basePath``) or in all paths.
        needs_token: Whether the page and the document are for who has a token.
        patch: What the document is changed by in the end (JSON merge patch, RFC 7396), so that it says otherwise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: Form = "openapi-3.0"
    page: Page = "swagger-ui"
    json_path: UrlPath = "/openapi.json"
    prefix_in: Literal["server", "paths"] = "server"
    needs_token: bool = False
    patch: dict[str, Any] | None = None

    @property
    def script_path(self) -> str | None:
        """Where the script of the page is, None for a page that has none."""
        names = {"initializer": "swagger-initializer.js", "embedded": "swagger-ui-init.js"}
        return f"{PAGE_PATH}/{names[self.page]}" if self.page in names else None

    @property
    def paths(self) -> set[str]:
        """All that there is of it."""
        return {PAGE_PATH, f"{PAGE_PATH}/", self.json_path} | (
            {self.script_path} if self.script_path else set()
        )
