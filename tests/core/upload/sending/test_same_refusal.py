"""The streak of same refusals, as a table: no server, no event loop."""

import pytest

from airflow_provider_kognic.core.errors import KognicRequestError
from airflow_provider_kognic.core.upload.sending.same_refusal import SameRefusal

SCENES = ["6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10", "0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a01"]


def refused(message: str = "no such class", status: int = 422) -> KognicRequestError:
    return KognicRequestError(message, status=status)


@pytest.mark.parametrize(
    ("noted", "ends"),
    [
        ([refused()] * 19, False),
        ([refused()] * 20, True),
        ([*[refused()] * 19, refused("another"), *[refused()] * 19], False),
        ([*[refused()] * 19, refused(status=400), refused()], False),
        ([*[refused()] * 19, None, *[refused()] * 19], False),
        ([*[refused()] * 19, None, *[refused()] * 20], True),
        ([refused(f"scene {SCENES[n % 2]} has {n} classes") for n in range(20)], True),
        ([refused("a"), refused("b")] * 30, False),
    ],
)
def test_the_twentieth_of_the_same_ends_the_run(
    noted: list[KognicRequestError | None], *, ends: bool
) -> None:
    """None stands for an answer that is no refusal; numbers and uuids in what is said do not count."""
    same = SameRefusal(lambda: False)
    found = [same.note(error) if error is not None else same.interrupted() for error in noted]  # type: ignore[func-returns-value]
    assert (found[-1] is not None) is ends
    assert not any(found[:-1])


def test_nothing_ends_once_anything_was_created() -> None:
    """Then the server does take some, and the others are their own fault."""
    same = SameRefusal(lambda: True)
    assert not any(same.note(refused()) for _ in range(100))


def test_what_ends_it_says_why() -> None:
    """With the status and the words of the last answer."""
    same = SameRefusal(lambda: False)
    found = [same.note(refused("no annotations")) for _ in range(20)][-1]
    assert found is not None
    assert found.status == 422
    assert "20 predictions in a row were refused for the same reason" in str(found)
    assert "no annotations" in str(found)
