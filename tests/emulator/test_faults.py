import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.api.auth import TOKEN_PATH
from airflow_provider_kognic.emulator.testing import Emulator, running_emulator
from tests.patience import wait_for

from .conftest import Post
from .wire import posted

POSTS = "POST /v1/predictions-groups/{uuid}/predictions"


@pytest.mark.parametrize(
    ("fault", "status", "created"),
    [
        ({"kind": "429"}, 429, 0),
        ({"kind": "503_before"}, 503, 0),
        ({"kind": "503_after"}, 503, 1),
        ({"kind": "504_before"}, 504, 0),
        ({"kind": "504_after"}, 504, 1),
        ({"kind": "status", "status": 403}, 403, 0),
        ({"kind": "status", "status": 408}, 408, 0),
        ({"kind": "status", "status": 413}, 413, 0),
        ({"kind": "status", "status": 404}, 404, 0),
        ({"kind": "html_error"}, 502, 0),
        ({"kind": "html_error", "status": 504, "commit": True}, 504, 1),
        ({"kind": "garbage"}, 200, 1),
        ({"kind": "garbage", "status": 201}, 201, 1),
        ({"kind": "no_data"}, 200, 1),
        ({"kind": "redirect", "location": "/login"}, 302, 0),
        ({"kind": "ok"}, 200, 1),
        ({"kind": "latency", "seconds": 0.01, "jitter": 0.01}, 200, 1),
    ],
)
def test_an_answering_fault_strikes_once_and_commits_or_not(
    emulator: Emulator, post: Post, group: str, fault: dict[str, Any], status: int, created: int
) -> None:
    emulator.set_faults(script=[fault])
    assert post().status_code == status
    assert emulator.count_predictions(group) == created
    assert emulator.stats()["faults"] == {fault["kind"]: 1}
    assert post().status_code == 200


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(("kind", "created"), [("drop_before", 0), ("drop_after", 1)])
def test_a_dropped_connection_gives_no_answer(
    emulator: Emulator, post: Post, group: str, kind: str, created: int, *, reset: bool
) -> None:
    emulator.set_faults(script=[{"kind": kind, "reset": reset}])
    with pytest.raises(httpx.ReadError if reset else httpx.RemoteProtocolError):
        post()
    assert emulator.count_predictions(group) == created
    assert emulator.stats()["requests"][POSTS] == {"none": 1}
    assert post().status_code == 200


def test_a_hanging_request_is_let_go_without_a_commit(emulator: Emulator, post: Post, group: str) -> None:
    emulator.set_faults(script=[{"kind": "hang", "seconds": 300, "times": 2}])
    with posted(emulator, group, "hang"):
        pass
    wait_for(lambda: emulator.stats()["requests"].get(POSTS) == {"none": 1})
    emulator.set_faults(script=[{"kind": "hang", "seconds": 0.1}])
    with pytest.raises(httpx.RemoteProtocolError):
        post()
    assert emulator.count_predictions(group) == 0


def test_a_late_commit_happens_after_the_client_has_left(emulator: Emulator, group: str) -> None:
    emulator.set_faults(script=[{"kind": "late_commit", "seconds": 3}])
    with posted(emulator, group, "late_commit"):
        pass
    wait_for(lambda: emulator.stats()["requests"].get(POSTS) == {"none": 1})
    left = time.time()
    wait_for(lambda: emulator.count_predictions(group) == 1)
    assert emulator.predictions(group)[0]["created_at"] > left


def test_a_late_commit_never_answers_even_when_it_is_done(emulator: Emulator, group: str) -> None:
    emulator.set_faults(script=[{"kind": "late_commit", "seconds": 0.01}])
    with posted(emulator, group) as connection:
        wait_for(lambda: emulator.count_predictions(group) == 1)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_a_late_commit_can_answer_late(emulator: Emulator, post: Post, group: str) -> None:
    emulator.set_faults(script=[{"kind": "late_commit", "seconds": 0.2, "answer": True}])
    begin = time.monotonic()
    uuid = post().json()["data"]
    assert time.monotonic() - begin >= 0.2
    assert emulator.predictions(group)[0]["uuid"] == uuid


def test_a_client_that_leaves_gives_its_place_back(emulator: Emulator, post: Post, group: str) -> None:
    emulator.set_faults(max_concurrent=1, script=[{"kind": "hang", "seconds": 300}])
    with posted(emulator, group, "hang"):
        assert post().status_code == 429
    wait_for(lambda: post().status_code == 200)


def test_a_delay_takes_its_time(emulator: Emulator, post: Post) -> None:
    emulator.set_faults(rules=[{"kind": "latency", "seconds": 0.2}])
    begin = time.monotonic()
    assert post().status_code == 200
    assert time.monotonic() - begin >= 0.2


def test_tokens_are_revoked_before_the_request_is_checked(
    emulator: Emulator, client: httpx.Client, post: Post, group: str
) -> None:
    emulator.set_faults(script=[{"kind": "revoke_tokens"}])
    assert post().status_code == 401
    assert emulator.count_predictions(group) == 0
    client.headers["Authorization"] = f"Bearer {emulator.token()}"
    assert post().status_code == 200


def test_a_fault_after_the_commit_leaves_a_refusal_alone(emulator: Emulator, post: Post) -> None:
    """Nothing was committed, so there is nothing to hide."""
    emulator.set_faults(rules=[{"kind": "503_after"}])
    assert post(scene="unknown").status_code == 400


def test_retry_after_comes_in_all_its_forms(emulator: Emulator, post: Post) -> None:
    emulator.set_faults(
        script=[
            {"kind": "429"},
            {"kind": "429", "retry_after": 2},
            {"kind": "503_before", "retry_after": 0.5},
            {"kind": "429", "retry_after": 60, "retry_after_as": "http-date"},
            {"kind": "429", "retry_after": "soon"},
        ]
    )
    headers = [post().headers.get("Retry-After") for _ in range(5)]
    assert headers[:3] == [None, "2", "0.5"]
    assert 55 < parsedate_to_datetime(str(headers[3])).timestamp() - time.time() <= 61
    assert headers[4] == "soon"


def test_what_a_faulty_answer_says(emulator: Emulator, post: Post) -> None:
    emulator.set_faults(
        script=[
            {"kind": "status", "status": 403, "message": "Not yours"},
            {"kind": "html_error", "status": 502},
            {"kind": "garbage", "body": "<<>>"},
            {"kind": "no_data"},
            {"kind": "redirect", "location": "https://login.example/", "status": 307},
        ]
    )
    assert post().json() == {"message": "Not yours"}
    page = post()
    assert page.headers["Content-Type"] == "text/html"
    assert page.text.startswith("<html>")
    assert post().text == "<<>>"
    assert "data" not in post().json()
    assert post().headers["Location"] == "https://login.example/"


def test_a_script_is_followed_in_order(emulator: Emulator, post: Post) -> None:
    emulator.set_faults(
        script=[
            {"kind": "503_before", "times": 2},
            {"kind": "ok"},
            {"kind": "429"},
        ]
    )
    assert emulator.faults()["script_left"] == 4
    assert [post().status_code for _ in range(5)] == [503, 503, 200, 429, 200]
    assert emulator.faults()["script_left"] == 0


def test_a_fault_waits_for_the_request_it_is_for(
    emulator: Emulator, client: httpx.Client, post: Post
) -> None:
    emulator.set_faults(
        script=[
            {"kind": "503_before", "match": {"scene": demo.scene_uuid(3)}},
            {"kind": "504_before", "match": {"method": "get", "path": "^/v2/"}},
        ],
        rules=[{"kind": "429", "match": {"path": TOKEN_PATH}, "times": 1}],
    )
    assert [post(demo.scene_uuid(index)).status_code for index in (1, 3, 3)] == [200, 503, 200]
    assert [client.get("/v2/datasets").status_code for _ in range(2)] == [504, 200]
    with pytest.raises(httpx.HTTPStatusError):
        emulator.token()
    assert emulator.token()


def test_only_posted_predictions_fail_unless_told_otherwise(emulator: Emulator, client: httpx.Client) -> None:
    emulator.set_faults(rules=[{"kind": "503_before"}])
    assert client.get("/v2/datasets").status_code == 200
    assert emulator.create_group()


def test_chance_is_repeatable(emulator: Emulator, post: Post) -> None:
    """The same seed gives the same sequence, about as often as was asked for."""
    settings = {"seed": 5, "rules": [{"kind": "429", "probability": 0.3}]}
    runs = []
    for _ in range(2):
        emulator.set_faults(settings)
        runs.append([post().status_code for _ in range(100)])
    assert runs[0] == runs[1]
    assert 15 <= runs[0].count(429) <= 45


def test_a_delay_and_a_failure_can_strike_together(emulator: Emulator, post: Post) -> None:
    emulator.set_faults(rules=[{"kind": "latency", "seconds": 0.01}, {"kind": "503_before", "times": 1}])
    assert [post().status_code for _ in range(2)] == [503, 200]
    assert emulator.stats()["faults"] == {"latency": 2, "503_before": 1}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sead": 1}, "sead"),
        ({"rules": [{"kind": "explode"}]}, "kind"),
        ({"rules": [{"probability": 0.5}]}, "kind"),
        ({"rules": [{"kind": "429", "probability": 2}]}, "probability"),
        ({"rules": [{"kind": "429", "seconds": 2}]}, "does not take seconds"),
        ({"rules": [{"kind": "429", "match": {"verb": "GET"}}]}, "verb"),
        ({"rules": [{"kind": "429", "match": {"path": "("}}]}, "path"),
        ({"script": [{"kind": "status"}]}, "needs status"),
        ({"script": [{"kind": "redirect"}]}, "needs location"),
        ({"script": [{"kind": "hang"}]}, "needs seconds"),
        ({"repeated_scene": "explode"}, "repeated_scene"),
        ({"max_concurrent": 0}, "max_concurrent"),
    ],
)
def test_unknown_settings_are_422_and_change_nothing(
    emulator: Emulator, settings: dict[str, Any], message: str
) -> None:
    before = emulator.faults()
    answer = httpx.put(f"{emulator.url}/__admin/faults", json=settings)
    assert answer.status_code == 422
    assert message in answer.json()["message"]
    assert emulator.faults() == before


def test_settings_are_replaced_changed_and_cleared(emulator: Emulator) -> None:
    rule = {"kind": "429", "probability": 0.5}
    emulator.set_faults(rules=[rule], max_concurrent=3)
    assert emulator.change_faults(page_size=7)["rules"] == [rule]
    settings = emulator.set_faults(page_size=8)
    assert (settings["rules"], settings["max_concurrent"], settings["page_size"]) == ([], 10, 8)
    emulator.clear_faults()
    assert emulator.faults()["page_size"] == 500


def test_a_change_of_other_settings_leaves_the_script_where_it_is(emulator: Emulator, post: Post) -> None:
    emulator.set_faults(script=[{"kind": "503_before", "times": 2}])
    assert post().status_code == 503
    emulator.change_faults(page_size=7)
    assert [post().status_code for _ in range(2)] == [503, 200]


def test_what_was_asked_for_at_the_start_outlives_other_settings() -> None:
    with running_emulator(predictions_listing=True, faults={"page_size": 2}) as emulator:
        assert emulator.faults()["page_size"] == 2
        assert emulator.set_faults(page_size=3)["predictions_listing"] is True
        emulator.clear_faults()
        assert emulator.faults()["predictions_listing"] is True
        assert emulator.set_faults(predictions_listing=False)["predictions_listing"] is False
