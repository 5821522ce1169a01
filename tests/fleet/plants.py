"""What may go wrong, done on purpose: a verdict that does not see it is worth nothing."""

from concurrent.futures import ThreadPoolExecutor

from airflow_provider_kognic.emulator.testing import Emulator

from .verdict import MOST_IN_FLIGHT

# Seconds that each request of a crowd stays, so that all are there at the same time on a busy machine, too.
_STAY = 10.0


def _double(kognic: Emulator, group: str) -> None:
    """A scene has a second prediction."""
    kognic.add_prediction(group, kognic.predictions(group)[0]["scene_uuid"])


def _lose(kognic: Emulator, group: str) -> None:
    """A scene has none."""
    kognic.remove_predictions(group, uuid=kognic.predictions(group)[0]["uuid"])


def _crowd(kognic: Emulator, group: str) -> None:
    """There are more requests in flight at a time than there may be."""
    headers = {"Authorization": f"Bearer {kognic.token()}"}
    slow = {"kind": "latency", "seconds": _STAY, "match": {"path": "/v2/datasets"}}
    kognic.change_faults(max_concurrent=2 * MOST_IN_FLIGHT, rules=[slow])
    with ThreadPoolExecutor(MOST_IN_FLIGHT + 1) as threads:
        for _ in range(MOST_IN_FLIGHT + 1):
            threads.submit(kognic.request, "GET", "/v2/datasets", headers=headers)


PLANTS = {"double": _double, "lose": _lose, "crowd": _crowd}
