"""What is kept of a journal that is compacted says of each scene what the journal said, whoever asks."""

import uuid
from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

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
    decode,
)
from airflow_provider_kognic.core.journal.ledger import Ledger, State
from airflow_provider_kognic.core.journal.retention.compaction import Compaction

SCENES = [uuid.UUID(int=number).bytes for number in range(1, 4)]
PREDICTIONS = [uuid.UUID(int=number).bytes for number in range(11, 18)]
UPLOADS = ["a", "b forced"]

scenes, predictions = st.sampled_from(SCENES), st.sampled_from(PREDICTIONS)
records = st.one_of(
    st.builds(
        Intent, scenes, st.sampled_from([b"o" * 16, b"n" * 16]), st.sampled_from([1.5, 9.25]), st.booleans()
    ),
    st.builds(Created, scenes, predictions, st.booleans()),
    st.builds(Created, scenes, predictions),
    st.builds(Refused, scenes, st.just(422), st.just("no")),
    st.builds(Unsent, scenes),
    st.builds(InDoubt, scenes, st.just(7.5)),
    st.builds(
        Baseline, scenes, st.lists(predictions, max_size=2, unique=True).map(tuple), st.sampled_from(UPLOADS)
    ),
    st.builds(BaselineTaken, st.sampled_from(UPLOADS)),
    st.builds(BegunAnew, scenes, st.sampled_from(UPLOADS)),
    st.sampled_from([AttemptBegins(1), AttemptBegins(2)]),
)


def meaning(history: Iterable[Record], upload: str, *, force: bool) -> dict[str, Any]:
    """All that an upload may ask a journal."""
    ledger = Ledger(upload, force=force)
    for record in history:
        ledger.apply(record)
    ledger.apply(AttemptBegins(2))
    return {
        "entries": {scene: ledger.entry(scene) for scene in SCENES},
        # Nobody asks but about what is in doubt.
        "before": {
            scene: ledger.before(scene)
            for scene in SCENES
            if (entry := ledger.entry(scene)) is not None and entry.in_doubt
        },
        "created": ledger.created(),
        "known": {(scene, one) for scene in SCENES for one in PREDICTIONS if ledger.knows(scene, one)},
        "anew": {scene for scene in SCENES if ledger.forgets(scene)},
    }


def compacted(history: Iterable[Record]) -> tuple[Compaction, list[Record]]:
    compaction = Compaction()
    for record in history:
        compaction.feed(record)
    settled = not set(compaction.counts()) - {State.CREATED, State.REFUSED}
    if not settled:
        return compaction, []
    return compaction, [AttemptBegins(2), *map(decode, b"".join(compaction.pieces()).splitlines())]


@settings(max_examples=400, deadline=None)
@given(st.lists(records, max_size=14))
def test_it_means_the_same_to_everybody(history: list[Record]) -> None:
    """And what comes after it does, too; compacted once more it is the same again."""
    compaction, kept = compacted(history)
    if not kept:
        return
    later: list[Record] = [Intent(scene, b"l" * 16, 11.0, covered=True) for scene in SCENES]
    later += [Created(SCENES[0], uuid.UUID(int=99).bytes), Refused(SCENES[1], 422, "no"), Unsent(SCENES[2])]
    for upload in (*UPLOADS, "another"):
        for force in (False, True):
            for more in ([], later[:3], later):
                whole = meaning([*history, AttemptBegins(2), *more], upload, force=force)
                assert meaning([*kept, AttemptBegins(2), *more], upload, force=force) == whole
    again, kept_again = compacted(kept)
    assert again.counts() == compaction.counts()
    assert kept_again == kept


def test_it_takes_two_lines_for_most() -> None:
    """However often they were tried, by however many attempts."""
    history: list[Record] = []
    for _ in range(5):
        history += [AttemptBegins(2), Intent(SCENES[0], b"o" * 16, 1.5, covered=False), Unsent(SCENES[0])]
    history += [Intent(SCENES[0], b"o" * 16, 2.5, covered=True), Created(SCENES[0], PREDICTIONS[0])]
    _, kept = compacted(history)
    assert kept[1:] == [Intent(SCENES[0], b"o" * 16, 2.5, covered=True), Created(SCENES[0], PREDICTIONS[0])]


def test_what_is_not_settled_is_counted() -> None:
    history: list[Record] = [
        Intent(SCENES[0], b"o" * 16, 1.5, covered=True),
        Intent(SCENES[1], b"o" * 16, 2.5, covered=True),
        InDoubt(SCENES[1], 3.0),
        Intent(SCENES[2], b"o" * 16, 1.0, covered=True),
        Unsent(SCENES[2]),
    ]
    compaction, _ = compacted(history)
    assert compaction.counts() == {State.INTENDED: 1, State.IN_DOUBT: 1, State.UNSENT: 1}
    assert compaction.last_intent() == 2.5
    compaction.feed(BegunAnew(SCENES[0], "a"))
    assert compaction.counts()[None] == 1
