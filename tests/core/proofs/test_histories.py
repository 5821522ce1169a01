"""Whatever happens to an upload, and wherever it is killed, the next attempts lose nothing and double nothing."""

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from airflow_provider_kognic.core.api import network as transport
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.upload.reconciliation import rounds
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.proofs.histories import PAIRS, History, histories, live
from tests.core.proofs.simulated_attempts import trusting
from tests.core.support import settings_for

# A process that is killed leaves its sockets to the system; here it is only pretended to be one.
pytestmark = [pytest.mark.proof, pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")]

# How often each fault is to meet each kill point. Not every history strikes, so more are drawn until it has.
EACH = 20
IN_FULL = bool(os.environ.get("CI"))
EXAMPLES = 25 if IN_FULL else 3
FURTHER = 8

lived: Counter[tuple[str, str]] = Counter()
struck: Counter[tuple[str, str]] = Counter()


@pytest.fixture(scope="module")
def tokens(shared_emulator: Emulator) -> TokenProvider:
    return TokenProvider(settings_for(shared_emulator))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at a lagging listing after moments."""
    monkeypatch.setattr(transport, "ssl_context", trusting)
    monkeypatch.setattr(rounds, "LOOKS_AT_A_LAGGING_LISTING", (0.01, 0.01))


@pytest.mark.parametrize(("fault", "point"), PAIRS)
def test_nothing_is_lost_and_nothing_doubled(
    emulator: Emulator, tokens: TokenProvider, tmp_path: Path, fault: str, point: str
) -> None:
    def promise(history: History) -> None:
        done = live(history, emulator, tokens, tmp_path)
        lived[fault, point] += 1
        struck[fault, point] += done.struck
        assert not done.complaints, "\n".join([*done.complaints, str(done.story)])

    for number in range(6 if IN_FULL else 1):
        if number and struck[fault, point] >= EACH:
            break
        options = settings(
            max_examples=FURTHER if number else EXAMPLES,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=[*HealthCheck],
        )
        drawn = given(history=histories(st.just((fault, point))))(promise)
        seed(PAIRS.index((fault, point)) + number * len(PAIRS))(options(drawn))()
    if IN_FULL:  # more than 2,000 histories over all pairs
        assert lived[fault, point] >= EXAMPLES
        assert struck[fault, point] >= EACH


def test_each_fault_has_met_each_kill_point(capsys: pytest.CaptureFixture[str]) -> None:
    """Printed, as far as it was in this process; that it was often enough, each pair has seen for itself."""
    if lived:
        with capsys.disabled():
            print(f"\n{sum(lived.values()):,} histories; how often each fault met each kill point:")  # noqa: T201
            for fault, point in PAIRS:
                print(f"  {fault:13} {point:14} {struck[fault, point]:3}")  # noqa: T201
    assert not IN_FULL or EXAMPLES * len(PAIRS) >= 2000
