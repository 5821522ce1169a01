from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator

from .conftest import Post

LISTINGS = ("datasets", "groups", "annotations", "predictions")


@pytest.fixture
def paths(group: str, post: Post, emulator: Emulator) -> dict[str, str]:
    """Where each listing is, none of which has fewer than three rows."""
    dataset = emulator.create_dataset(count=5)
    for name in ("second", "third"):
        emulator.create_group(dataset["uuid"], name)
    emulator.create_group(dataset["uuid"], "last")
    for index in range(5):
        post(demo.scene_uuid(index))
    return {
        "datasets": "/v2/datasets",
        "groups": f"/v1/datasets/{dataset['uuid']}/predictions-groups",
        "annotations": f"/v1/datasets/{dataset['uuid']}/annotations",
        "predictions": f"/v1/predictions-groups/{group}/predictions",
    }


def pages_by_cursor(client: httpx.Client, path: str) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        page = client.get(path, params={} if cursor is None else {"cursorId": cursor}).json()
        yield page
        cursor = page["metadata"]["nextCursorId"]
        if cursor is None:
            return


@pytest.mark.parametrize("order", ["oldest", "newest", "uuid"])
@pytest.mark.parametrize("listing", LISTINGS)
def test_a_listing_by_cursor_is_found_whole_by_who_follows_it(
    emulator: Emulator, client: httpx.Client, paths: dict[str, str], listing: str, order: str
) -> None:
    emulator.set_faults(predictions_listing=True)
    whole = client.get(paths[listing]).json()
    assert set(whole) == {"data"}
    expected = [row["uuid"] for row in whole["data"]]
    if order != "oldest":
        expected = sorted(expected) if order == "uuid" else expected[::-1]
    settings = {"paging": "cursor", "page_size": 2, "listing_order": order, "has_next": True}
    emulator.set_faults(settings, predictions_listing=True)
    pages = list(pages_by_cursor(client, paths[listing]))
    assert [row["uuid"] for page in pages for row in page["data"]] == expected
    assert [page["hasNext"] for page in pages] == [True] * (len(pages) - 1) + [False]
    assert len(pages) == -(-len(expected) // 2) > 1


def test_a_group_on_the_second_page_is_found_by_following_only(
    emulator: Emulator, client: httpx.Client, paths: dict[str, str]
) -> None:
    emulator.set_faults(paging="cursor", page_size=2)
    first, second = pages_by_cursor(client, paths["groups"])
    assert "last" not in [row["name"] for row in first["data"]]
    assert [row["name"] for row in second["data"]] == ["last"]
    assert client.get(paths["groups"], params={"offset": 2}).json() == first


def test_each_listing_can_have_its_own_paging(
    emulator: Emulator, client: httpx.Client, paths: dict[str, str]
) -> None:
    emulator.set_faults(paging={"groups": "cursor"}, predictions_listing=True, page_size=2)
    answers = {listing: client.get(path).json() for listing, path in paths.items()}
    assert [listing for listing in LISTINGS if "metadata" in answers[listing]] == ["groups"]
    assert {
        listing: len(answers[listing]["data"]) for listing in ("groups", "annotations", "predictions")
    } == {
        "groups": 2,
        "annotations": 2,
        "predictions": 2,
    }
    assert emulator.faults()["paging"] == {"groups": "cursor"}


def test_pages_by_offset_tell_whether_there_is_more_where_they_are_told_to(
    emulator: Emulator, client: httpx.Client, paths: dict[str, str]
) -> None:
    emulator.set_faults(has_next=True, predictions_listing=True, page_size=2, listing_order="newest")
    pages = [client.get(paths["predictions"], params={"offset": offset}).json() for offset in (0, 2, 4, 5)]
    assert [(len(page["data"]), page["hasNext"]) for page in pages] == [
        (2, True),
        (2, True),
        (1, False),
        (0, False),
    ]
    assert pages[0]["data"][0]["sceneUuid"] == demo.scene_uuid(4)
    assert client.get(paths["groups"]).json()["hasNext"] is False


def test_a_cursor_marks_a_place_and_no_number(
    emulator: Emulator, client: httpx.Client, group: str, paths: dict[str, str]
) -> None:
    """What goes away before it leaves no hole in what comes."""
    emulator.set_faults(paging="cursor", predictions_listing=True, page_size=2)
    uuids = [row["uuid"] for row in emulator.predictions(group)]
    pages = pages_by_cursor(client, paths["predictions"])
    seen = [row["uuid"] for row in next(pages)["data"]]
    emulator.remove_predictions(group, demo.scene_uuid(0))
    seen += [row["uuid"] for page in pages for row in page["data"]]
    assert seen == uuids


@pytest.mark.parametrize("cursor", ["", "x", "nonsense", "\xff", "b2xkZXN0Og", "bmV3ZXN0OjE", "b2xkZXN0Onk"])
def test_a_cursor_of_elsewhere_is_refused(
    emulator: Emulator, client: httpx.Client, paths: dict[str, str], cursor: str
) -> None:
    emulator.set_faults(paging="cursor")
    answer = client.get(paths["groups"], params={"cursorId": cursor})
    assert answer.status_code == 400
    assert "nextCursorId" in answer.json()["message"]


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_a_cursor_can_be_a_number(
    emulator: Emulator, client: httpx.Client, paths: dict[str, str], order: str
) -> None:
    """As kognic-base-clients takes them."""
    whole = client.get(paths["annotations"]).json()["data"]
    emulator.set_faults(paging="cursor", cursor_id="number", page_size=2, listing_order=order)
    pages = list(pages_by_cursor(client, paths["annotations"]))
    cursors = [page["metadata"]["nextCursorId"] for page in pages]
    assert [type(cursor) for cursor in cursors] == [int] * (len(pages) - 1) + [type(None)]
    assert [row for page in pages for row in page["data"]] == (whole if order == "oldest" else whole[::-1])
    assert client.get(paths["annotations"], params={"cursorId": "x"}).status_code == 400
