"""What records mean, as tables: no event loop, no file, no server."""

import uuid

import pytest

from airflow_provider_kognic.core.journal.format import (
    AttemptBegins,
    Baseline,
    BaselineTaken,
    BegunAnew,
    Created,
    InDoubt,
    Intent,
    Record,
    Refused,
    Unsent,
    to_text,
)
from airflow_provider_kognic.core.journal.ledger import Ledger, State

SCENE, OTHER = uuid.UUID(int=1).bytes, uuid.UUID(int=2).bytes
FIRST, SECOND, THIRD = (uuid.UUID(int=number).bytes for number in (11, 12, 13))
OLD, NEW = b"o" * 16, b"n" * 16

intended = Intent(SCENE, OLD, 1.5, covered=True)
intended_newer = Intent(SCENE, NEW, 2.5, covered=False)
created = Created(SCENE, FIRST)
created_next = Created(SCENE, SECOND)
refused = Refused(SCENE, 422, "no")
in_doubt = InDoubt(SCENE, 7.5)
unsent = Unsent(SCENE)
next_attempt = AttemptBegins(2)


def ledger_of(*records: Record, upload: str = "a", force: bool = False) -> Ledger:
    ledger = Ledger(upload, force=force)
    for record in records:
        ledger.apply(record)
    return ledger


STATES: list[tuple[list[Record], State, bytes]] = [
    ([intended], State.INTENDED, OLD),
    ([intended, created], State.CREATED, OLD),
    ([intended, refused], State.REFUSED, OLD),
    ([intended, in_doubt], State.IN_DOUBT, OLD),
    ([intended, unsent], State.UNSENT, OLD),
    # Settled later: by a listing, say.
    ([intended, in_doubt, created], State.CREATED, OLD),
    ([intended, in_doubt, unsent], State.UNSENT, OLD),
    ([intended, in_doubt, refused], State.REFUSED, OLD),
    # Once more, after it was certainly not executed.
    ([intended, refused, intended_newer], State.INTENDED, NEW),
    ([intended, unsent, intended_newer, created], State.CREATED, NEW),
    # Created stays, whatever becomes of a newer document that was not executed.
    ([intended, created, intended_newer], State.INTENDED, NEW),
    ([intended, created, intended_newer, unsent], State.CREATED, OLD),
    ([intended, created, intended_newer, refused], State.CREATED, OLD),
    ([intended, created, intended_newer, in_doubt], State.IN_DOUBT, NEW),
    ([intended, created, intended_newer, in_doubt, unsent], State.CREATED, OLD),
    ([intended, created, intended_newer, created_next, unsent], State.UNSENT, NEW),
    # Doubt stays, where only sending it once more is withdrawn.
    ([intended, intended_newer, unsent], State.INTENDED, OLD),
    ([intended, in_doubt, intended_newer, unsent], State.IN_DOUBT, OLD),
    ([intended, in_doubt, intended_newer, unsent, unsent], State.UNSENT, OLD),
    ([intended, in_doubt, intended_newer, refused], State.REFUSED, NEW),
    ([intended, in_doubt, intended_newer, created], State.CREATED, NEW),
    # An outcome whose intent is not there.
    ([created], State.CREATED, bytes(16)),
    ([in_doubt], State.IN_DOUBT, bytes(16)),
]


@pytest.mark.parametrize(("records", "state", "digest"), STATES, ids=range(len(STATES)))
def test_the_state_of_a_scene(records: list[Record], state: State, digest: bytes) -> None:
    """Which one, and which document it is about; of other scenes nothing is known."""
    ledger = ledger_of(*records)
    entry = ledger.entry(SCENE)
    assert entry is not None
    assert (entry.state, entry.digest) == (state, digest.hex())
    assert entry.in_doubt == (state in {State.INTENDED, State.IN_DOUBT})
    assert (entry.prediction_uuid is not None) == (state is State.CREATED)
    assert ledger.entry(OTHER) is None
    assert ledger.size == 1


def test_what_an_entry_tells() -> None:
    """When it was intended or given up, whether a baseline covers it, what was created, and whether once more."""
    entry = ledger_of(intended).entry(SCENE)
    assert entry is not None
    assert (entry.at, entry.covered, entry.prediction_uuid, entry.resent) == (1.5, True, None, False)
    entry = ledger_of(intended, in_doubt).entry(SCENE)
    assert entry is not None
    assert (entry.at, entry.covered) == (7.5, True)
    entry = ledger_of(intended_newer, Created(SCENE, FIRST, resent=True)).entry(SCENE)
    assert entry is not None
    assert (entry.at, entry.covered, entry.prediction_uuid, entry.resent) == (
        0.0,
        False,
        to_text(FIRST),
        True,
    )


def held(*predictions: bytes, upload: str = "a") -> Baseline:
    return Baseline(SCENE, predictions, upload)


def anew(upload: str) -> BegunAnew:
    return BegunAnew(SCENE, upload)


BEFORE: list[tuple[list[Record], set[bytes]]] = [
    ([], set()),
    ([held(FIRST, SECOND), intended], {FIRST, SECOND}),
    ([held(FIRST), held(SECOND), intended], {FIRST, SECOND}),
    ([held(), intended], set()),
    # What another attempt found, it may have found later: parts sort by when attempts began.
    ([held(FIRST), next_attempt, intended], set()),
    ([held(FIRST), next_attempt, held(SECOND), intended], {SECOND}),
    ([intended, in_doubt, next_attempt, held(FIRST)], set()),
    ([held(FIRST), intended, in_doubt, next_attempt], {FIRST}),
    # What came of an earlier document is never what came of the next one.
    ([intended, created], set()),
    ([intended, created, intended_newer], {FIRST}),
    ([intended, created, intended_newer, created_next, intended], {FIRST, SECOND}),
    ([intended, created, next_attempt, held(THIRD), intended_newer], {FIRST, THIRD}),
    # What a scene in doubt has may be its own.
    ([intended, held(FIRST)], set()),
    ([intended, in_doubt, held(FIRST)], set()),
    ([intended, in_doubt, held(FIRST), intended], set()),
    ([intended, in_doubt, held(FIRST), unsent, intended], {FIRST}),
    ([intended, refused, held(FIRST), intended], {FIRST}),
    # A doubt is adopted, and a newer document follows: what else was found is nobody's of this upload.
    ([intended, in_doubt, next_attempt, held(FIRST, SECOND), created, intended_newer], {FIRST, SECOND}),
    # But not for the upload that begins it anew.
    ([intended, next_attempt, held(FIRST, upload="b"), anew("b"), intended], {FIRST}),
    ([intended, created, anew("b"), intended], {FIRST}),
]


@pytest.mark.parametrize(("records", "before"), BEFORE, ids=range(len(BEFORE)))
def test_what_was_there_before(records: list[Record], before: set[bytes]) -> None:
    """Whoever asks."""
    for upload, force in (("a", False), ("b", True), ("c", False)):
        ledger = ledger_of(*records, upload=upload, force=force)
        assert ledger.before(SCENE) == {to_text(one) for one in before}
        assert ledger.before(OTHER) == frozenset()


FORCED: list[tuple[list[Record], bool, State | None]] = [
    ([intended, created], True, None),
    ([intended, created, anew("c")], True, None),
    ([intended, created, anew("a")], False, None),
    ([intended, created, anew("a"), intended_newer], False, State.INTENDED),
    ([intended, created, anew("a"), intended_newer, unsent], False, State.UNSENT),
    ([intended, created, anew("c"), intended_newer, created_next], True, None),
]


@pytest.mark.parametrize(("records", "forgets", "state"), FORCED, ids=range(len(FORCED)))
def test_what_a_forced_upload_knows(records: list[Record], forgets: bool, state: State | None) -> None:  # noqa: FBT001
    """Only what it did itself, whichever attempt of it; others know the rest."""
    ledger = ledger_of(*records, force=True)
    assert ledger.forgets(SCENE) is forgets
    assert ledger.begun_anew == (not forgets)
    entry = ledger.entry(SCENE)
    assert (entry and entry.state) == state
    assert not ledger_of(*records).forgets(SCENE)


def test_beginning_anew_forgets_for_everybody() -> None:
    """Also what would come back after an intent that is withdrawn."""
    for outcome in (created, in_doubt):
        ledger = ledger_of(intended, outcome, intended_newer, anew("b"), upload="c")
        assert ledger.entry(SCENE) is None
        ledger.apply(intended)
        ledger.apply(unsent)
        entry = ledger.entry(SCENE)
        assert entry is not None
        assert entry.state is State.UNSENT


def test_what_was_created() -> None:
    """Of all scenes; under `force` of those that this upload has begun anew."""
    records: list[Record] = [intended, created, Intent(OTHER, OLD, 1.0, covered=False), Created(OTHER, THIRD)]
    assert ledger_of(*records).created() == {FIRST, THIRD}
    assert ledger_of(*records, intended_newer).created() == {THIRD}
    assert ledger_of(*records, force=True).created() == set()
    forced = ledger_of(*records, anew("a"), intended, created_next, force=True)
    assert forced.created() == {SECOND}
    assert forced.size == 2


def test_whose_a_prediction_is() -> None:
    """Known of what was created, also before a newer document, and of what was there before."""
    records: list[Record] = [intended, created, intended_newer, created_next, Baseline(OTHER, (THIRD,), "a")]
    ledger = ledger_of(*records)
    assert [ledger.scene_of(one) for one in (FIRST, SECOND, THIRD)] == [SCENE, SCENE, OTHER]
    assert ledger.scene_of(uuid.UUID(int=99).bytes) is None
    assert ledger_of(intended, in_doubt).scene_of(FIRST) is None


def test_what_is_known_of_a_scene_already() -> None:
    ledger = ledger_of(intended, created, held(THIRD))
    assert ledger.knows(SCENE, FIRST)
    assert not ledger.knows(SCENE, THIRD)
    ledger.apply(intended_newer)
    assert ledger.knows(SCENE, FIRST)
    assert not ledger.knows(SCENE, SECOND)
    assert not ledger.knows(OTHER, FIRST)
    assert not ledger_of(intended, created, force=True).knows(SCENE, FIRST)


def test_what_version_1_said_of_a_baseline_counts_in_the_attempt_that_took_it() -> None:
    """A later attempt's source may have had scenes of which that baseline knew nothing."""
    taken, later = BaselineTaken("a"), Intent(OTHER, OLD, 1.5, covered=True)
    old, new = AttemptBegins(1), AttemptBegins(2)
    for records, covered in (
        ([old, taken, intended, later], [True, True]),
        ([old, taken, intended, in_doubt, old, later], [True, False]),
        ([old, taken, intended, new, later], [True, True]),
        ([old, intended, later], [False, False]),
        ([intended, later], [True, True]),
    ):
        ledger = ledger_of(*records)
        assert [entry and entry.covered for entry in map(ledger.entry, (SCENE, OTHER))] == covered
