"""What may go wrong, done on purpose: a verdict that does not see it is worth nothing."""

from concurrent.futures import ThreadPoolExecutor

from .fleet import Fleet
from .verdict import MOST_IN_FLIGHT


def _double(fleet: Fleet, group: str) -> None:
    """A scene has a second prediction."""
    fleet.kognic.add_prediction(group, fleet.kognic.predictions(group)[0]["scene_uuid"])


def _lose(fleet: Fleet, group: str) -> None:
    """A scene has none."""
    fleet.kognic.remove_predictions(group, uuid=fleet.kognic.predictions(group)[0]["uuid"])


def _crowd(fleet: Fleet, group: str) -> None:
    """There are more requests in flight at a time than there may be."""
    headers = {"Authorization": f"Bearer {fleet.kognic.token()}"}
    fleet.kognic.change_faults(max_concurrent=2 * MOST_IN_FLIGHT)
    with ThreadPoolExecutor(MOST_IN_FLIGHT + 1) as threads:
        for _ in range(MOST_IN_FLIGHT + 1):
            threads.submit(fleet.kognic.request, "GET", "/v2/datasets", headers=headers)
    fleet.kognic.change_faults(max_concurrent=MOST_IN_FLIGHT)


PLANTS = {"double": _double, "lose": _lose, "crowd": _crowd}
