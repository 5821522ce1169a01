"""What is done with an entry, as a table of what is known: no server, no event loop, no files."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_kognic.core.journal.ledger import Entry, State
from airflow_provider_kognic.core.models import Outcome, Prediction, Refused, Result
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.upload.reading.decide import Document, decide
from airflow_provider_kognic.core.upload.records import Doubt, ToSend, lost_before

SCENE = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
MADE = "0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a01"


def document(content: bytes = b"one") -> Document:
    return Document(content, hashlib.sha256(content).hexdigest())


def known(state: State, content: bytes = b"one", *, covered: bool = True, resent: bool = False) -> Entry:
    made = MADE if state is State.CREATED else None
    return Entry(state, document(content).digest[:32], made, 1.0, covered, resent)


UNREADABLE = Refused(Reason.UNREADABLE, "cannot be read.")
PREDICTION = Prediction(SCENE, "a source", lambda: b"")


def fits(_prediction: Prediction, _document: bytes) -> None:
    """Nothing is wrong with it."""


def does_not_fit(_prediction: Prediction, _document: bytes) -> None:
    raise Refused(Reason.INVALID, "is not valid.")


def shown(found: Any) -> str:
    if isinstance(found, ToSend):
        return "send again" if found.lost is not None else "send"
    if isinstance(found, Doubt):
        return "ask"
    assert isinstance(found, Result)
    return " ".join(str(part) for part in (found.outcome.value, found.reason) if part)


@pytest.mark.parametrize(
    ("entry", "read", "examine", "options", "expected"),
    [
        # Nothing is known, or nothing that was executed.
        (None, document(), fits, {}, "send"),
        (None, UNREADABLE, fits, {}, "refused unreadable"),
        (None, document(), does_not_fit, {}, "refused invalid"),
        (known(State.UNSENT), document(), fits, {}, "send"),
        (known(State.REFUSED), document(), fits, {}, "send"),
        (known(State.REFUSED), document(), does_not_fit, {}, "refused invalid"),
        # Created: from this document, or from another.
        (known(State.CREATED), document(), fits, {}, "skipped"),
        (known(State.CREATED), document(), does_not_fit, {}, "skipped"),
        (known(State.CREATED), UNREADABLE, fits, {}, "skipped"),
        (known(State.CREATED, resent=True), document(), fits, {}, "skipped resent"),
        (known(State.CREATED, b"two"), document(), fits, {}, "refused changed"),
        (known(State.CREATED, b"two"), document(), fits, {"on_changed": "send"}, "send"),
        (known(State.CREATED, b"two"), document(), does_not_fit, {"on_changed": "send"}, "refused invalid"),
        # In doubt since an earlier run.
        *(
            row
            for state in (State.INTENDED, State.IN_DOUBT)
            for row in [
                (known(state), document(), fits, {}, "ask"),
                (known(state, b"two"), document(), fits, {}, "ask"),
                (known(state), UNREADABLE, fits, {}, "ask"),
                (known(state), document(), fits, {"on_ambiguous": "skip"}, "in_doubt earlier_run"),
                (known(state), document(), fits, {"on_ambiguous": "fail"}, "in_doubt earlier_run"),
                (known(state), document(), fits, {"on_ambiguous": "resend"}, "send again"),
                (known(state), UNREADABLE, fits, {"on_ambiguous": "resend"}, "in_doubt earlier_run"),
                (known(state), document(), does_not_fit, {"on_ambiguous": "resend"}, "in_doubt earlier_run"),
                (known(state, b"two"), document(), fits, {"on_ambiguous": "resend"}, "in_doubt earlier_run"),
                (
                    known(state, b"two"),
                    document(),
                    fits,
                    {"on_ambiguous": "resend", "on_changed": "send"},
                    "send again",
                ),
            ]
        ),
    ],
)
def test_what_follows(
    entry: Entry | None,
    read: Document | Refused,
    examine: Callable[[Prediction, bytes], None],
    options: dict[str, str],
    expected: str,
) -> None:
    """From the journal's entry, the document, the checks and the policies."""
    found = decide(PREDICTION, read, entry, examine, UploadOptions.of(**options), sent_by=lambda _: 7.0)
    assert shown(found) == expected


@pytest.mark.parametrize("entry", [None, known(State.CREATED), known(State.INTENDED), known(State.IN_DOUBT)])
@pytest.mark.parametrize("on_ambiguous", ["reconcile", "skip", "fail"])
def test_only_what_would_be_sent_is_examined(entry: Entry | None, on_ambiguous: str) -> None:
    """The checks cost more than anything else here."""
    examined: list[bytes] = []
    found = decide(
        PREDICTION,
        document(),
        entry,
        lambda _, content: examined.append(content),
        UploadOptions.of(on_ambiguous=on_ambiguous),
        sent_by=lambda _: 7.0,
    )
    assert examined == ([b"one"] if isinstance(found, ToSend) else [])


def test_what_is_asked_about_carries_what_the_judgement_needs() -> None:
    """When it was sent, whether the baseline covers it, and both digests."""
    entry = known(State.IN_DOUBT, b"two", covered=False)
    found = decide(PREDICTION, document(), entry, fits, UploadOptions(), sent_by=lambda _: 7.0)
    assert isinstance(found, Doubt)
    assert (found.sent_by, found.covered, found.intended) == (7.0, False, entry.digest)
    assert found.digest == document().digest
    assert found.changed


def test_what_is_sent_once_more_goes_on_counting() -> None:
    """How often it was sent, so that there is an end to it."""
    lost = Result(SCENE, "a source", Outcome.IN_DOUBT, attempts=3)
    again = Doubt(PREDICTION, lost, 0.0, True, document().digest, document().digest)  # noqa: FBT003
    found = decide(
        PREDICTION,
        document(),
        known(State.UNSENT),
        fits,
        UploadOptions(),
        sent_by=lambda _: 7.0,
        again=again,
    )
    assert isinstance(found, ToSend)
    assert (found.attempts, found.again, found.lost) == (3, True, None)


def test_a_newer_document_after_an_adopted_one_was_not_sent_before() -> None:
    """Its receipt must not say that the listing did not show it."""
    lost = Result(SCENE, "a source", Outcome.IN_DOUBT, attempts=3)
    adopted = Doubt(PREDICTION, lost, 0.0, True, document(b"two").digest, document().digest)  # noqa: FBT003
    found = decide(
        PREDICTION,
        document(),
        known(State.CREATED, b"two"),
        fits,
        UploadOptions.of(on_changed="send"),
        sent_by=lambda _: 7.0,
        again=adopted,
    )
    assert isinstance(found, ToSend)
    assert not found.again


def test_a_skipped_one_says_what_has_become_of_its_document() -> None:
    """It is created all the same."""
    found = decide(PREDICTION, UNREADABLE, known(State.CREATED), fits, UploadOptions(), sent_by=lambda _: 7.0)
    assert isinstance(found, Result)
    assert found.message == "created by an earlier run; the document now cannot be read."
    assert found.prediction_uuid == MADE


def test_a_doubt_that_is_not_sent_again_says_why() -> None:
    """Under `resend`, where the document does not pass any more."""
    options = UploadOptions.of(on_ambiguous="resend")
    found = decide(
        PREDICTION, document(), known(State.INTENDED), does_not_fit, options, sent_by=lambda _: 7.0
    )
    assert isinstance(found, Result)
    assert found.message == (
        f"{lost_before(PREDICTION, None).message} It is not sent again, as it is not valid."
    )
