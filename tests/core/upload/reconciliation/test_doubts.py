"""What a look at the listing settles, as a table: no server, no event loop."""

import pytest

from airflow_provider_kognic.core.models import Outcome, Prediction, Result
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.upload.reconciliation.doubts import judge
from airflow_provider_kognic.core.upload.reconciliation.listing import Look
from airflow_provider_kognic.core.upload.records import Doubt

SCENE, MADE = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10", "0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a01"
NOW, SETTLE_AFTER = 1000.0, 60.0


def doubt(*, sent_by: float = 0.0, covered: bool = True, scene: str = SCENE) -> Doubt:
    lost = Result(scene, "a source", Outcome.IN_DOUBT, message="lost")
    return Doubt(Prediction(scene, "a source", lambda: b""), lost, sent_by, covered, "d" * 32, "d" * 64)


LISTED, NOT_LISTED, LAGGING = Look({SCENE: [MADE]}, complete=True), Look({}, complete=True), Look({})


@pytest.mark.parametrize(
    ("one", "look", "expected"),
    [
        (doubt(), LISTED, "created"),
        (doubt(), Look({SCENE: [MADE]}), "created"),  # a listing that lags shows what it shows
        (doubt(sent_by=NOW), LISTED, "created"),
        (doubt(covered=False), LISTED, "unclear"),
        (doubt(), NOT_LISTED, "absent"),
        (doubt(covered=False), NOT_LISTED, "absent"),
        (doubt(sent_by=NOW - 60), NOT_LISTED, "absent"),
        (doubt(sent_by=NOW - 59), NOT_LISTED, "open"),
        (doubt(), LAGGING, "open"),
        (doubt(), None, "open"),
        (doubt(covered=False), None, "open"),
    ],
)
def test_what_a_look_settles(one: Doubt, look: Look | None, expected: str) -> None:
    """Nothing is guessed."""
    judged = judge([one], look, now=NOW, settle_after=SETTLE_AFTER)
    found = ["created" for _ in judged.created] + ["absent" for _ in judged.absent]
    found += ["unclear" if left.lost.reason == Reason.UNCLEAR else "open" for left in judged.open]
    assert found == [expected]
    assert (judged.due is None) is (expected != "open")


def test_another_look_is_due_when_the_last_is() -> None:
    """Then all of them can be settled at once."""
    doubts = [
        doubt(sent_by=sent, scene=f"{number:08d}{SCENE[8:]}") for number, sent in enumerate([995, 990, 0])
    ]
    judged = judge(doubts, LAGGING, now=NOW, settle_after=SETTLE_AFTER)
    assert judged.due == 995 + SETTLE_AFTER


def test_the_first_of_several_is_adopted(caplog: pytest.LogCaptureFixture) -> None:
    """And somebody is told of the others."""
    judged = judge([doubt()], Look({SCENE: [MADE, SCENE]}), now=NOW, settle_after=SETTLE_AFTER)
    assert [uuid for _, uuid in judged.created] == [MADE]
    assert "holds 2 new predictions" in caplog.text
