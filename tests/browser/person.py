"""Somebody at a browser, who knows their way around in Airflow's UI."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from tests.patience import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FrameLocator, Locator, Page

_T = TypeVar("_T")

# For each thing that happens (s): a machine may be ten times slower than ours, and busy.
PATIENCE = 300.0
SIZE = {"width": 1280, "height": 760}


class Person:
    """Somebody at a browser of their own: nobody else's cookies.

    Attributes:
        page: What they look at.

    Args:
        browser: Where.
        url: Airflow's.
    """

    def __init__(self, browser: "Browser", url: str) -> None:
        self.context = browser.new_context(base_url=url, viewport=SIZE, color_scheme="light")  # type: ignore[arg-type, unused-ignore]
        self.context.set_default_timeout(PATIENCE * 1000)
        self.page: Page = self.context.new_page()

    # Airflow's own pages

    def log_in(self, name: str) -> "Person":
        """Log in, as somebody whose password is their name."""
        self.page.goto("/")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(name)
        self.page.get_by_role("button", name="Sign In").click()
        self.page.get_by_test_id("nav-home-link").wait_for()
        return self

    def log_out(self) -> None:
        self.page.goto("/")
        self.page.get_by_role("button", name="User", exact=True).click()
        self.page.get_by_role("menuitem", name="Logout", exact=True).click()
        self.page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
        self.page.get_by_label("Username").wait_for()

    def make_connection(self, name: str, url: str, login: str, password: str) -> None:
        """Fill in the form of a connection to an emulator, and save it."""
        host, _, port = url.rpartition(":")
        self.page.goto("/connections")
        self.page.get_by_role("button", name="Add Connection").click()
        form = self.page.get_by_role("dialog")
        form.get_by_label("Connection ID").fill(name)
        form.get_by_label("Connection Type").fill("Kognic")
        self.page.get_by_role("option", name="Kognic", exact=True).click()
        form.get_by_label("Dataset API").fill(host)
        form.get_by_label("Port").fill(port)
        form.get_by_label("Client id").fill(login)
        form.get_by_label("Client secret", exact=True).fill(password)
        form.get_by_role("button", name="Extra Fields", exact=True).click()
        # Airflow's labels of these fields belong to no field.
        form.locator("[name=element_auth_host]").fill(url)
        form.locator("[name=element_app_url]").fill(url)
        form.get_by_role("button", name="Save").click()
        form.wait_for(state="hidden")

    def test_connection(self, name: str) -> str:
        """Press *Test* of a connection; returns what Airflow says of it."""
        self.page.goto("/connections")
        row = self.page.get_by_role("row", name=name)
        row.get_by_role("button", name="Test Connection").click()
        # It is shown for two seconds only: the page itself looks for it, at every frame.
        said = self.page.wait_for_function(
            """() => [...document.querySelectorAll('[data-scope=toast][data-part=root]')]
                .map(toast => toast.innerText).find(text => text.startsWith('Test Connection'))"""
        )
        return str(said.json_value())

    def trigger(self, dag: str) -> None:
        """Trigger a Dag with the parameters that its form shows."""
        self.page.goto(f"/dags/{dag}")
        self.page.get_by_role("button", name="Trigger").first.click()
        form = self.page.get_by_role("dialog")
        form.get_by_role("button", name="Trigger", exact=True).click()
        form.wait_for(state="hidden")

    def task(self, dag: str, run_id: str, task: str) -> None:
        """Open a task instance."""
        self.page.goto(f"/dags/{dag}/runs/{quote(run_id)}/tasks/{task}")

    # Ours, in them

    def uploads(self) -> "FrameLocator":
        """Open *Kognic uploads* by Airflow's navigation; returns what is in its frame."""
        self.page.goto("/")
        self.page.get_by_role("link", name="Kognic uploads", exact=True).click()
        return self.frame()

    def tab(self, dag: str, run_id: str, task: str) -> "FrameLocator":
        """Open the tab *Kognic* of a task instance; returns what is in its frame."""
        self.task(dag, run_id, task)
        self.page.get_by_role("link", name="Kognic", exact=True).click()
        return self.frame()

    def frame(self) -> "FrameLocator":
        """What is in Airflow's frame, once there is something."""
        frame = self.page.frame_locator("iframe")
        frame.locator("main h1").wait_for()
        return frame

    def follow(self, link: "Locator") -> "Page":
        """Click a link that opens a page of its own, and return that."""
        with self.context.expect_page() as opened:
            link.click()
        opened.value.wait_for_load_state()
        return opened.value

    def keep(self, name: str, *, page: "Page | None" = None) -> None:
        """Keep what they see as a picture for the docs, where TESTS_PICTURES names a folder."""
        if folder := os.environ.get("TESTS_PICTURES"):
            (page or self.page).screenshot(path=Path(folder, f"{name}.png"), animations="disabled")


def row(frame: "FrameLocator", dag: str, task: str) -> "Locator":
    """A row of the list of uploads."""
    link = frame.get_by_role("link", name=task, exact=True)
    return frame.locator("#uploads tbody tr").filter(has_text=dag).filter(has=link)


def done(place: "Locator") -> int:
    """How many are done, as it is said there; 0 where nothing is said yet."""
    found = re.search(r"([\d,]+) of [\d,]+", place.inner_text())
    return int(found[1].replace(",", "")) if found else 0


def until(look: Callable[[], _T], seconds: float = PATIENCE) -> _T:
    """Return the first true value."""
    found: list[Any] = []

    def seen() -> object:
        found[:] = [look()]
        return found[0]

    wait_for(seen, seconds)
    return found[0]  # type: ignore[no-any-return]
