"""One Airflow, one emulator and one browser for all tests here; what is seen when one fails is kept."""

import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_kognic.emulator.testing import Emulator, running_emulator
from tests.system.programs import why_no_postgres

from .chromium import running_browser
from .peopled import PeopledAirflow

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
# One that tells a story, and one for whoever may not read the first.
EXAMPLES = ("example_inference_to_kognic", "example_taskflow")
THEIRS = "kognic_taskflow"

_SEEN = pytest.StashKey[tuple["Browser", PeopledAirflow]]()


@pytest.fixture(scope="package")
def kognic() -> Iterator[Emulator]:
    with running_emulator(process=True) as emulator:
        yield emulator


@pytest.fixture(scope="package")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeopledAirflow]:
    folder = tmp_path_factory.mktemp("browser")
    dags, home = folder / "examples", folder / "airflow"
    for new in (dags, home):
        new.mkdir()
    for name in EXAMPLES:
        shutil.copy(ROOT / "example_dags" / f"{name}.py", dags)
    # The docs' pictures show where it is.
    with tempfile.TemporaryDirectory(prefix="predictions-") as predictions:
        postgres = why_no_postgres() is None
        found = PeopledAirflow(home, dags, may_read=THEIRS, predictions=Path(predictions), postgres=postgres)
        try:
            found.start()
            found.until(lambda: found.get("/api/v2/dags")["total_entries"] == 3, found.patience)
            yield found
        finally:
            found.stop()


@pytest.fixture(scope="package")
def browser(request: pytest.FixtureRequest, airflow: PeopledAirflow) -> "Iterator[Browser]":
    with running_browser() as browser:
        request.config.stash[_SEEN] = browser, airflow
        yield browser
        del request.config.stash[_SEEN]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what each page shows when a test fails, and say where; and what the parts of Airflow said last."""
    report = yield
    if report.failed and (seen := item.config.stash.get(_SEEN, None)):
        browser, airflow = seen
        report.sections.append(
            ("what the browser shows", "\n".join(_shown(browser, airflow.home, item.name)))
        )
        report.sections.append((f"what Airflow said last, all of it in {airflow.home}", airflow.tails()))
    return report


def _shown(browser: "Browser", folder: Path, name: str) -> Iterator[str]:
    pages = [page for context in browser.contexts for page in context.pages]
    for number, page in enumerate(pages):
        path = folder / f"{name}-{number}.png"
        try:
            page.screenshot(path=path, timeout=30_000)
            yield f"{page.url}\n  {path}"
        except Exception as error:  # noqa: BLE001 - what failed before matters more
            yield f"{page.url}\n  no picture: {error}"
