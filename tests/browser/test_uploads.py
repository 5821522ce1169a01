"""The story of an upload, as people see it in Airflow: the tests go on from each other, in this order."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator

from .chromium import why_no_browser
from .conftest import THEIRS
from .peopled import ADMIN, NEIGHBOUR, PeopledAirflow
from .person import Person, done, row, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif((why := why_no_browser()) is not None, reason=why or "nothing is missing"),
]

OURS = "kognic_upload"
SCENES = 250  # the example's default
SHARDS, EACH = 3, 8  # of the other Dag
# In the order in which they are sent; the other Dag has those before.
ORDER = sorted(demo.scene_uuid(number) for number in range(SHARDS * EACH, SCENES))
REFUSED, DOUBTED = ORDER[5::40], ORDER[15::80]
SAYS = "The camera front2 is unknown in this scene"

RUNNING = (1, 2)  # seconds that each request takes, and up to how many more: about a minute and a half in all
BRAKED = (6, 4)  # as long as somebody looks around: five minutes
QUICK = (0, 0)

# Names of things in tables that do not fit into their lines.
BROKEN_WORDS = """body => [...body.querySelectorAll('td.reason, .state, .tag, .n')].filter(cell => {
  const range = document.createRange();
  range.selectNodeContents(cell);
  return new Set([...range.getClientRects()].map(line => Math.round(line.bottom))).size > 1;
}).map(cell => cell.innerText)"""

# A reader in the middle of a page, and what is left of that.
BEGIN_TO_READ = """body => {
  window.link = body.querySelector('.about a');
  window.link.focus();
  getSelection().selectAllChildren(body.querySelector('.about dd'));
  window.scrollTo(0, 40);
  window.at = window.scrollY;
}"""
STILL_READS = """() => document.activeElement === window.link && window.scrollY === window.at
  && getSelection().toString().startsWith('upload in')"""

# How bright it is behind the page and behind Airflow's frame, and how far each text is from that (WCAG 2).
LEAST_CONTRAST = 4.5
COLOURS = """body => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const pixel = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const brightness = colour => [...pixel(colour)].slice(0, 3).map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = element => {
    for (; element; element = element.parentElement || element.ownerDocument.defaultView.frameElement) {
      const colour = element.ownerDocument.defaultView.getComputedStyle(element).backgroundColor;
      if (pixel(colour)[3] > 0) return brightness(colour);
    }
    return 1;
  };
  const contrasts = [...body.querySelectorAll('main *')]
    .filter(one => [...one.childNodes].some(part => part.nodeType === 3 && part.textContent.trim()))
    .filter(one => one.checkVisibility() && !one.closest('svg'))
    .map(one => {
      const [less, more] = [brightness(getComputedStyle(one).color), behind(one)].sort((a, b) => a - b);
      return [one.innerText.slice(0, 40), (more + 0.05) / (less + 0.05)];
    });
  return [behind(body), behind(window.frameElement), contrasts];
}"""


def slow_down(kognic: Emulator, seconds: tuple[float, float]) -> None:
    """Let requests take so long, some be refused, and some answers be lost."""
    wrong = [
        {"kind": "status", "status": 422, "message": SAYS, "match": {"scene": scene}} for scene in REFUSED
    ]
    lost = [{"kind": "drop_after", "match": {"scene": scene}} for scene in DOUBTED]
    delay = {"kind": "latency", "seconds": seconds[0], "jitter": seconds[1]}
    kognic.set_faults(rules=[delay, *wrong, *lost])


@pytest.fixture(scope="module")
def admin(airflow: PeopledAirflow, browser: "Browser") -> Person:
    return Person(browser, airflow.url).log_in(ADMIN)


@pytest.fixture(scope="module")
def tested(admin: Person, kognic: Emulator) -> str:
    """What *Test* says of a connection that was made in the form."""
    admin.make_connection("kognic_default", kognic.url, kognic.client_id, kognic.client_secret)
    return admin.test_connection("kognic_default")


@pytest.fixture(scope="module")
def theirs(airflow: PeopledAirflow, tested: str) -> str:
    """A run of the Dag that the neighbour may read."""
    body = {"logical_date": None, "conf": {"batches": SHARDS, "scenes": EACH}}
    answer = airflow.http.post(f"/api/v2/dags/{THEIRS}/dagRuns", json=body).raise_for_status()
    return str(answer.json()["dag_run_id"])


@pytest.fixture(scope="module")
def run_id(admin: Person, airflow: PeopledAirflow, kognic: Emulator, theirs: str) -> Iterator[str]:
    """A run of the upload, which the inference has started, which somebody has triggered; it uploads now."""
    slow_down(kognic, RUNNING)
    admin.trigger("kognic_inference")

    def uploads() -> str | None:
        for found in airflow.get(f"/api/v2/dags/{OURS}/dagRuns")["dag_runs"]:
            assert found["state"] in {"queued", "running"}, airflow.tails()
            run = str(found["dag_run_id"])
            if state(airflow, run) == "running":
                return run
        return None

    yield str(airflow.until(uploads, airflow.patience))
    slow_down(kognic, QUICK)


@pytest.fixture(scope="module")
def ended(airflow: PeopledAirflow, kognic: Emulator, run_id: str) -> str:
    """The same run, once its upload has ended."""
    slow_down(kognic, QUICK)
    airflow.until(lambda: state(airflow, run_id) not in {"running", "queued"}, airflow.patience)
    return run_id


def state(airflow: PeopledAirflow, run: str) -> str | None:
    found: str | None = airflow.get(f"/api/v2/dags/{OURS}/dagRuns/{quote(run)}/taskInstances/upload")["state"]
    return found


def address(run: str) -> str:
    """The upload's own page."""
    return f"/kognic/upload?{urlencode({'dag_id': OURS, 'run_id': run, 'task_id': 'upload'})}"


def fact(frame: Any, name: str) -> str:
    """What the page of an upload says at its top."""
    found: str = frame.locator(".facts div").filter(has_text=name).locator("dd").inner_text()
    return found.strip()


def test_a_connection_from_the_form_is_tested(tested: str) -> None:
    title, _, said = tested.partition("\n")
    assert title == "Test Connection Successful"
    assert "2 datasets visible" in said


def test_the_progress_moves_while_the_upload_runs(
    admin: Person, airflow: PeopledAirflow, kognic: Emulator, run_id: str
) -> None:
    """In the list, which nobody has to load anew; as Airflow's API says it, too."""
    frame = admin.uploads()
    ours = row(frame, OURS, "upload")
    frame.locator("html").evaluate("document.documentElement.dataset.untouched = 'yes'")
    first = until(lambda: done(ours))
    second = until(lambda: (found := done(ours)) > first and found)
    assert ours.locator(".state").inner_text() == "running"
    assert frame.locator("html[data-untouched]").count() == 1
    slow_down(kognic, BRAKED)
    until(lambda: "success" in row(frame, THEIRS, "infer").inner_text())
    admin.keep("uploads")

    stored = airflow.get(
        f"/api/v2/dags/{OURS}/dagRuns/{quote(run_id)}/taskInstances/upload/state-store/kognic.progress"
    )["value"]
    assert (stored["phase"], stored["total"]) == ("uploading", SCENES)
    assert stored["done"] >= second

    tab = admin.tab(OURS, run_id, "upload")
    assert tab.locator("h1 .state").inner_text() == "running"
    assert fact(tab, "Phase") == "uploading"
    seen = done(tab.locator(".facts"))
    assert second <= seen < SCENES
    body = tab.locator("body")
    body.evaluate(BEGIN_TO_READ)
    until(lambda: done(tab.locator(".facts")) > seen)
    assert body.evaluate(STILL_READS), "focus, selection and place are those of before"
    assert state(airflow, run_id) == "running"


def test_whoever_is_on_call_reads_what_went_wrong(admin: Person, airflow: PeopledAirflow, ended: str) -> None:
    assert state(airflow, ended) == "failed"
    frame = admin.uploads()
    row(frame, OURS, "upload").get_by_role("link", name="upload", exact=True).click()
    frame.locator("#refused").wait_for()
    assert frame.locator("h1 .state").inner_text() == "failed"
    assert fact(frame, "Done").startswith(f"{SCENES} of {SCENES}")
    assert fact(frame, "Refused") == str(len(REFUSED))
    assert fact(frame, "In doubt") == str(len(DOUBTED))
    assert frame.locator("svg.plot polyline").count() == 3

    for heading, scenes, said in (
        ("refused", REFUSED, SAYS),
        ("in-doubt", DOUBTED, "the connection broke"),
    ):
        rows = frame.locator(f"#{heading} + .scroll tbody tr")
        texts = rows.all_inner_texts()
        assert sorted(scene for scene in scenes for text in texts if scene in text) == sorted(scenes)
        assert all(said in text for text in texts)
    assert frame.locator("#in-doubt + .scroll td.reason").first.inner_text() == "NoAnswerError"
    broken = frame.locator("body").evaluate(BROKEN_WORDS)
    assert broken == []

    admin.page.goto(address(ended))
    assert admin.page.locator("h1").inner_text().startswith("demo")
    admin.page.get_by_role("heading", name="Reasons").evaluate("heading => heading.scrollIntoView()")
    admin.keep("upload")


def test_links_lead_to_the_predictions_that_kognic_draws(admin: Person, kognic: Emulator, ended: str) -> None:
    tab = admin.tab(OURS, ended, "upload")
    group = admin.follow(tab.locator(".about a[target=_blank]"))
    assert group.url.startswith(kognic.url)
    # What was in doubt has arrived.
    assert (
        group.get_by_role("heading", name="Predictions").inner_text()
        == f"Predictions {SCENES - len(REFUSED)}"
    )
    group.locator("tbody a").first.click()
    group.get_by_text("From above").wait_for()
    assert group.locator("svg rect").count() > 0
    group.close()

    admin.task(OURS, ended, "upload")
    admin.page.get_by_role("link", name="Details", exact=True).click()
    link = admin.page.locator("a[href*='/kognic/upload?']")
    link.evaluate("link => link.target = '_self'")
    link.click()
    admin.page.locator("main h1 .state").wait_for()
    assert admin.page.url.endswith(address(ended))
    assert admin.page.locator("h1 .state").inner_text() == "failed"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_the_colours_around_it(admin: Person, ended: str, scheme: Any) -> None:
    admin.page.emulate_media(color_scheme=scheme)
    try:
        for name, frame in (("list", admin.uploads()), ("tab", admin.tab(OURS, ended, "upload"))):
            behind, around, contrasts = frame.locator("body").evaluate(COLOURS)
            assert behind == around, "it has Airflow's own ground"
            assert (behind < 0.5) == (scheme == "dark")
            assert {text: contrast for text, contrast in contrasts if contrast < LEAST_CONTRAST} == {}
            if scheme == "dark" and name == "tab":
                admin.keep("upload-tab")
    finally:
        admin.page.emulate_media(color_scheme="light")


def test_a_neighbour_sees_nothing_of_a_dag_that_they_may_not_read(
    airflow: PeopledAirflow, browser: "Browser", theirs: str, ended: str
) -> None:
    neighbour = Person(browser, airflow.url).log_in(NEIGHBOUR)
    frame = neighbour.uploads()
    assert done(row(frame, THEIRS, "infer")) == SHARDS * EACH
    assert_says_nothing(frame.locator("html").inner_html())

    page = neighbour.page
    for asked in ({"dag": OURS}, {"search": "stand-in"}, {"search": "demo"}):
        answer = page.goto(f"/kognic/uploads?{urlencode(asked)}")
        assert answer is not None
        assert answer.status == 200
        assert_says_nothing(answer.text().replace('value="stand-in"', ""))
    answer = page.goto(address(ended))
    assert answer is not None
    assert answer.status == 404
    assert "has recorded no upload" in page.locator("main").inner_text()

    neighbour.task(OURS, ended, "upload")
    page.get_by_role("link", name="Kognic", exact=True).click()
    assert "has recorded no upload" in neighbour.frame().locator("main").inner_text()

    run = f"/api/v2/dags/{OURS}/dagRuns/{quote(ended)}/taskInstances/upload"
    for path in ("state-store/kognic.progress", "state-store/kognic.details", "xcomEntries/kognic.upload"):
        assert page.request.get(f"{run}/{path}").status == 403
    everywhere = "/api/v2/dags/~/dagRuns/~/taskInstances/~/xcomEntries?xcom_key=kognic.upload"
    answer = page.request.get(everywhere)
    assert {entry["dag_id"] for entry in answer.json()["xcom_entries"]} == {THEIRS}
    neighbour.context.close()


def assert_says_nothing(html: str) -> None:
    for word in (OURS, "stand-in", "kognic_inference"):
        assert word not in html


def test_whoever_has_logged_out_is_refused(admin: Person, ended: str) -> None:
    admin.log_out()
    for path in ("/kognic/uploads", address(ended)):
        answer = admin.page.goto(path)
        assert answer is not None
        assert answer.status == 401
        assert "You are not logged in to Airflow" in admin.page.locator("main").inner_text()
        assert "demo" not in answer.text()
    assert admin.page.request.get("/kognic/static/uploads.css").ok
    admin.page.get_by_role("link", name="Log in").click()
    admin.page.get_by_label("Username").wait_for()
    admin.page.goto("/plugin/kognic-uploads")
    admin.page.get_by_label("Username").wait_for()
