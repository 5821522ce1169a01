"""Whoever adds and removes meanwhile: an undisturbed listing shows every row that was there all the time."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kognic.core.paging import NoWayOnError, Page, Walk

Server = Callable[[dict[str, str]], Page[int]]


def by_offset(rows: list[int], size: int) -> Server:
    def page(ask: dict[str, str]) -> Page[int]:
        start = int(ask["offset"])
        return Page(rows[start : start + size])

    return page


def go_through(server: Server, walk: Walk[int], between: Callable[[], None] = lambda: None) -> list[int]:
    found: list[int] = []
    while (ask := walk.ask) is not None:
        found += walk.take(server(ask))
        between()
    return found


def a_walk(*, by_offset: bool = True) -> Walk[int]:
    return Walk(lambda row: row, by_offset=by_offset)


changes = st.lists(
    st.tuples(st.sampled_from(["remove", "add", "nothing"]), st.integers(0, 1000)), max_size=40
)


@given(
    count=st.integers(0, 30),
    size=st.integers(1, 7),
    order=st.sampled_from(["old", "new", "any"]),
    changes=changes,
)
def test_an_undisturbed_listing_shows_what_was_there_all_the_time(
    count: int, size: int, order: str, changes: list[tuple[str, int]]
) -> None:
    """In whichever order the server lists."""
    rows, fresh, script = list(range(count)), itertools.count(10_000), iter(changes)
    there = set(rows)

    def between() -> None:
        what, number = next(script, ("nothing", 0))
        if what == "remove" and rows:
            there.discard(rows.pop(number % len(rows)))
        elif what == "add":
            place = {"old": len(rows), "new": 0, "any": number % (len(rows) + 1)}[order]
            rows.insert(place, next(fresh))

    walk = a_walk()
    try:
        found = go_through(by_offset(rows, size), walk, between)
    except NoWayOnError:  # so many were added before its place that it did not get on
        return
    assert len(found) == len(set(found))
    if not walk.disturbed:
        assert there <= set(found)


@given(count=st.integers(0, 60), size=st.integers(2, 9), added=st.integers(0, 20))
def test_others_who_add_disturb_nothing(count: int, size: int, added: int) -> None:
    rows = list(range(count))
    left = iter(range(1000, 1000 + added))

    def between() -> None:
        rows[:0] = [one for one in [next(left, None)] if one is not None and size > 2]
        rows.extend(one for one in [next(left, None)] if one is not None)

    walk = a_walk()
    assert set(range(count)) <= set(go_through(by_offset(rows, size), walk, between))
    assert not walk.disturbed


@given(count=st.integers(2, 60), size=st.integers(2, 9), data=st.data())
def test_a_row_that_goes_away_before_the_place_is_noticed(count: int, size: int, data: st.DataObject) -> None:
    rows = list(range(count))
    walk = a_walk()
    ask = walk.ask
    assert ask is not None
    seen = walk.take(by_offset(rows, size)(ask))
    rows.remove(data.draw(st.sampled_from(seen)))
    go_through(by_offset(rows, size), walk)
    assert walk.disturbed


@pytest.mark.parametrize(
    ("count", "size", "requests"), [(0, 100, 1), (1, 100, 3), (100, 100, 2), (150, 100, 3), (1000, 100, 12)]
)
def test_it_takes_hardly_more_requests_than_pages(count: int, size: int, requests: int) -> None:
    asked = []
    serve = by_offset(list(range(count)), size)

    def server(ask: dict[str, str]) -> Page[int]:
        asked.append(ask)
        return serve(ask)

    assert go_through(server, a_walk()) == list(range(count))
    assert len(asked) == requests


def by_cursor(rows: list[int], size: int, **said: Any) -> Server:
    def page(ask: dict[str, str]) -> Page[int]:
        start = int(ask.get("cursorId", "c0")[1:])
        end = start + size
        return Page(rows[start:end], f"c{end}" if end < len(rows) else None, by_cursor=True, **said)

    return page


@given(count=st.integers(0, 30), size=st.integers(1, 7), offset=st.booleans())
def test_cursors_are_followed_to_their_end(count: int, size: int, offset: bool) -> None:  # noqa: FBT001 - drawn
    """Also by an endpoint that is asked with an offset and does not know it."""
    rows = list(range(count))
    assert go_through(by_cursor(rows, size), a_walk(by_offset=offset)) == rows


def test_an_endpoint_without_offset_has_one_page() -> None:
    asked = []

    def server(ask: dict[str, str]) -> Page[int]:
        asked.append(ask)
        return Page([1, 2, 3])

    assert go_through(server, a_walk(by_offset=False)) == [1, 2, 3]
    assert asked == [{}]


@pytest.mark.parametrize(
    ("page", "offset"),
    [
        (Page([1, 2], has_next=True), False),
        (Page([], has_next=True), True),
        (Page([], has_next=True), False),
        (Page([1, 2], by_cursor=True, has_next=True), False),
    ],
)
def test_more_without_a_way_to_it_is_an_error(page: Page[int], offset: bool) -> None:  # noqa: FBT001 - a case
    with pytest.raises(NoWayOnError, match="hasNext"):
        go_through(lambda _: page, a_walk(by_offset=offset))


def test_an_empty_page_with_a_cursor_is_not_the_end() -> None:
    pages = iter([Page[int]([], "a", has_next=True), Page([1], "b"), Page([], None, by_cursor=True)])
    assert go_through(lambda _: next(pages), a_walk()) == [1]


def test_a_cursor_that_leads_in_a_circle_is_an_error() -> None:
    pages = itertools.cycle([Page([1], "a"), Page([2], "b")])
    with pytest.raises(NoWayOnError, match="circle"):
        go_through(lambda _: next(pages), a_walk())


def test_a_server_that_ignores_the_offset_is_an_error() -> None:
    with pytest.raises(NoWayOnError, match="does not follow 'offset'"):
        go_through(lambda _: Page([1, 2, 3]), a_walk())


@pytest.mark.parametrize("cursors", [False, True])
def test_a_listing_that_never_ends_is_an_error(cursors: bool) -> None:  # noqa: FBT001 - a case
    """Each page brings one new row."""
    numbers = itertools.count()

    def server(ask: dict[str, str]) -> Page[int]:
        number = next(numbers)
        if cursors:
            return Page([number], f"c{number}", by_cursor=True)
        return Page([max(0, number - 1), number])

    with pytest.raises(NoWayOnError, match="did not end in 1,001 pages"):
        go_through(server, a_walk())


def test_pages_of_two_rows_bring_one_each_and_end() -> None:
    """Only a long listing of hardly a row a page is taken for one without end."""
    rows = list(range(900))
    assert go_through(by_offset(rows, 2), a_walk()) == rows


def test_pages_of_one_row_cannot_be_checked() -> None:
    walk = a_walk()
    assert go_through(by_offset([1, 2, 3], 1), walk) == [1, 2, 3]
    assert walk.disturbed
    assert walk.cannot_be_checked
