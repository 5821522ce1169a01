"""What the journal remembers of a result, as a table: no log, no event loop."""

import pytest

from airflow_provider_kognic.core.journal.facade import record_of
from airflow_provider_kognic.core.journal.format import Created, InDoubt, Record, Refused, Unsent, to_bytes
from airflow_provider_kognic.core.models import Outcome, Result
from airflow_provider_kognic.core.reasons import Reason

SCENE, MADE = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10", "0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a01"
KEY, UUID = to_bytes(SCENE), to_bytes(MADE)


@pytest.mark.parametrize(
    ("outcome", "uuid", "reason", "expected"),
    [
        (Outcome.CREATED, MADE, None, Created(KEY, UUID, resent=False)),
        (Outcome.CREATED, MADE, Reason.RESENT, Created(KEY, UUID, resent=True)),
        (Outcome.SKIPPED, MADE, None, Created(KEY, UUID, resent=False)),
        # There already, but the server did not say which one it is.
        (Outcome.SKIPPED, None, None, Refused(KEY, 409, "said")),
        (Outcome.REFUSED, None, "http_409", Refused(KEY, 409, "said")),
        (Outcome.UNSENT, None, Reason.RUN_ENDED, Unsent(KEY)),
        (Outcome.IN_DOUBT, None, "http_503", InDoubt(KEY, 7.0, 409, "said")),
    ],
)
def test_each_outcome_has_its_record(
    outcome: Outcome, uuid: str | None, reason: str | None, expected: Record
) -> None:
    """Nothing that a server may answer leaves an intent open."""
    result = Result(SCENE, "a source", outcome, uuid, 409, reason, "said")
    assert record_of(result, 7.0) == expected
