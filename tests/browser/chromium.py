"""The browser: the machine's own Chromium, which Playwright drives."""

import importlib.util
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def program() -> str | None:
    """The browser's program, or None where there is none."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


def why_no_browser() -> str | None:
    """What is missing for tests in a browser, or None; in CI nothing may be (TESTS_NEED_BROWSER=1)."""
    missing = None
    if importlib.util.find_spec("playwright") is None:
        missing = "playwright is not installed: it is in the environment .venv-browser"
    elif importlib.util.find_spec("airflow.providers.fab") is None:
        missing = "apache-airflow-providers-fab is not installed"
    elif program() is None:
        missing = "there is no Chromium"
    assert missing is None or os.environ.get("TESTS_NEED_BROWSER", "0") == "0", missing
    return missing


@contextmanager
def running_browser() -> "Iterator[Browser]":
    """Run a browser without a window, that asks nobody but the servers of the tests."""
    from playwright.sync_api import sync_playwright

    quiet = ("--no-proxy-server", "--disable-background-networking", "--disable-component-update")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program(),
            args=[*quiet, "--disable-sync", "--disable-quic", "--disable-gpu"],
            timeout=300_000,
        )
        try:
            yield browser
        finally:
            browser.close()
