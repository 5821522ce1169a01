"""What becomes of a prediction, for everything that can happen to its request."""

import json
import socket
import threading
import time
from typing import Any

import pytest

from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import (
    KognicNotFoundError,
    KognicPermissionError,
    KognicRedirectError,
    KognicRequestError,
    KognicUnauthorizedError,
    KognicUnclearRedirectError,
)
from airflow_provider_kognic.core.models import Outcome, Prediction
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.reporting.judgement import judge
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.sources.rows import RowsSource
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator, running_emulator
from tests.core.support import (
    Answer,
    Listed,
    Request,
    always,
    another_created,
    check_truth,
    content,
    free_port,
    http,
    raw_server,
    reset,
    rows,
    settings_for,
    upload_all,
)
from tests.patience import PATIENCE, wait_for

UNKNOWN_GROUP = "00000000-0000-4000-8000-000000000404"


def test_predictions_are_created(emulator: Emulator, group: str) -> None:
    """Every prediction arrives once, as the bytes it was, and its result names the server's uuid."""
    documents = [
        b'{"openlabel" : {"metadata":{"schema_version":"1.0.0",\n "comment":  "%d \\u00e9 \xc3\xa9"},'
        b' "frames": {"0":{"frame_properties": {"timestamp":0 } } }}}' % i
        for i in range(30)
    ]
    source = Listed(
        [
            Prediction(demo.scene_uuid(i), f"number {i}", lambda d=document: d)  # type: ignore[misc]
            for i, document in enumerate(documents)
        ]
    )
    run = upload_all(source, settings_for(emulator), group)
    assert run.counts() == (30, 0, 0, 0)
    assert run.report.stopped is None
    check_truth(run, emulator, group)
    for result in run.results:
        number = int(result.source.split()[1])
        assert emulator.document(str(result.prediction_uuid)) == documents[number]
    assert all("//" not in route for route in emulator.stats()["requests"])


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"retry_after": 0},
        {"retry_after": 1},
        {"retry_after": 1, "retry_after_as": "http-date"},
        {"retry_after": "soon"},
    ],
)
def test_429_is_sent_again(emulator: Emulator, group: str, header: dict[str, Any]) -> None:
    """429 was not executed: the prediction is sent again, whatever the Retry-After looks like."""
    emulator.set_faults(script=[{"kind": "429", **header}])
    run = upload_all(rows(3), settings_for(emulator), group)
    assert run.counts() == (3, 0, 0, 0)
    assert sorted(result.attempts for result in run.results) == [1, 1, 2]
    check_truth(run, emulator, group)


def test_retry_after_keeps_everybody_out(emulator: Emulator, group: str) -> None:
    """After a 429 with Retry-After nothing at all is sent before that time."""
    times: list[float] = []

    def answer(connection: socket.socket, request: Request) -> None:
        times.append(time.monotonic())
        connection.sendall(http(429, "{}", ["retry-after: 1"]) if len(times) == 1 else another_created())

    with raw_server(answer) as server:
        settings = settings_for(emulator, base_url=server.url, max_connections=1)
        run = upload_all(rows(3), settings, group, max_connections=1, on_ambiguous="fail")
    assert run.counts() == (3, 0, 0, 0)
    assert times[1] - times[0] >= 1.0


def test_retry_after_of_a_day_is_cut(emulator: Emulator, group: str) -> None:
    """No server can put a task to sleep for a day."""
    emulator.set_faults(script=[{"kind": "429", "retry_after": 86400}])
    run = upload_all(rows(1), settings_for(emulator), group, backoff=Backoff(0.01, 0.01, most_asked=0.1))
    assert run.counts() == (1, 0, 0, 0)


def test_endless_429_leaves_the_prediction_unsent(emulator: Emulator, group: str) -> None:
    """A prediction that was turned away as often as allowed counts as unsent; the others go on."""
    unlucky = demo.scene_uuid(1)
    emulator.set_faults(rules=[{"kind": "429", "match": {"scene": unlucky}}])
    run = upload_all(rows(12), settings_for(emulator), group, backoff=Backoff(0.01, 0.01, attempts=3))
    assert run.counts() == (11, 0, 0, 1)
    assert run.scenes(Outcome.UNSENT) == {unlucky}
    assert run.report.reasons == {"http_429": 1}
    assert run.report.stopped is None


@pytest.mark.parametrize("has_token", [True, False])
def test_connection_refused_until_the_server_is_back(*, has_token: bool) -> None:
    """Predictions wait out a server that is down, and each is sent once when it is back."""
    with running_emulator() as other:
        group = other.create_group()
        settings = settings_for(other, max_connections=2)
        tokens = TokenProvider(settings)
        if has_token:
            tokens.token()
        other.stop()

        def come_back() -> None:
            time.sleep(0.4)
            other.start()

        run = upload_all(rows(10), settings, group, tokens=tokens, alongside=come_back)
        assert run.counts() == (10, 0, 0, 0)
        check_truth(run, other, group)


def test_401_once_renews_the_token(emulator: Emulator, group: str) -> None:
    """A revoked token is replaced, and the predictions that met the 401 are sent again."""
    emulator.set_faults(script=[{"kind": "ok", "times": 5}, {"kind": "revoke_tokens"}])
    run = upload_all(rows(20), settings_for(emulator), group)
    assert run.counts() == (20, 0, 0, 0)
    assert emulator.stats()["token_requests"] == 2
    check_truth(run, emulator, group)


def test_401_twice_ends_the_run(emulator: Emulator, group: str) -> None:
    """When a new token is refused too, nothing more is sent."""
    emulator.set_faults(rules=[{"kind": "status", "status": 401, "message": "go away"}])
    run = upload_all(rows(200), settings_for(emulator), group)
    assert run.counts() == (0, 0, 0, 200)
    assert isinstance(run.report.stopped, KognicUnauthorizedError)
    assert "go away" in str(run.report.stopped)
    assert emulator.stats()["prediction_posts"] <= 2 * 20


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 403, "message": "not yours"}, KognicPermissionError),
        ({"kind": "redirect", "status": 307, "location": "/v1/other?token=x"}, KognicRedirectError),
        ({"kind": "redirect", "status": 308, "location": "/v1/other"}, KognicRedirectError),
    ],
)
def test_403_and_redirects_end_the_run(
    emulator: Emulator, group: str, fault: dict[str, Any], error: type[Exception]
) -> None:
    """What holds for every prediction ends the run at the first; a redirect is not followed with a token."""
    emulator.set_faults(rules=[fault])
    run = upload_all(rows(200), settings_for(emulator), group)
    assert run.counts() == (0, 0, 0, 200)
    assert type(run.report.stopped) is error
    assert emulator.stats()["prediction_posts"] <= 10
    assert "token=x" not in str(run.report.stopped)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305])
@pytest.mark.parametrize("on_ambiguous", ["reconcile", "resend", "skip", "fail"])
def test_a_redirect_that_may_follow_on_what_was_executed_is_doubt(
    emulator: Emulator, group: str, status: int, on_ambiguous: str
) -> None:
    """The run ends as at any redirect, and nothing is sent again; what was answered so is not counted as unsent."""
    location = "https://elsewhere.invalid/?token=x"
    emulator.set_faults(rules=[{"kind": "redirect", "location": location, "status": status}])
    settings = settings_for(emulator, max_connections=1)
    run = upload_all(rows(20), settings, group, on_ambiguous=on_ambiguous)
    assert run.counts() == (0, 0, 1, 19)
    assert type(run.report.stopped) is KognicUnclearRedirectError
    assert emulator.stats()["prediction_posts"] == 1
    (doubt,) = (result for result in run.results if result.outcome is Outcome.IN_DOUBT)
    assert (doubt.reason, doubt.status) == (f"http_{status}", status)
    assert "token=x" not in str(run.report.stopped)


def test_404_of_everything_means_the_group(emulator: Emulator) -> None:
    """Where all answers are 404 and nothing was created, the group is unknown and the run ends."""
    run = upload_all(rows(200), settings_for(emulator), UNKNOWN_GROUP)
    assert run.counts() == (0, 0, 0, 200)
    assert isinstance(run.report.stopped, KognicNotFoundError)
    assert "predictions_group_uuid" in str(run.report.stopped)
    assert emulator.stats()["prediction_posts"] <= 20 + 10


@pytest.mark.parametrize("connections", [1, 10])
def test_scenes_that_the_server_does_not_know_do_not_pass_for_an_unknown_group(
    emulator: Emulator, group: str, connections: int
) -> None:
    """Nineteen 404s before the first prediction that is created are nineteen refusals, whatever is in flight."""
    faults = [{"kind": "status", "status": 404, "match": {"scene": demo.scene_uuid(n)}} for n in range(19)]
    emulator.set_faults(rules=faults)
    run = upload_all(rows(60), settings_for(emulator, max_connections=connections), group)
    assert run.report.stopped is None
    assert run.counts() == (41, 19, 0, 0)


def test_an_answer_in_flight_can_still_tell_that_the_group_exists(emulator: Emulator, group: str) -> None:
    """Twenty 404s are not judged before the slower requests beside them are answered."""
    faults = [{"kind": "status", "status": 404, "match": {"scene": demo.scene_uuid(n)}} for n in range(1, 25)]
    slow = {"kind": "latency", "seconds": 0.5, "match": {"scene": demo.scene_uuid(0)}}
    emulator.set_faults(rules=[slow, *faults])
    run = upload_all(rows(60), settings_for(emulator), group)
    assert run.report.stopped is None
    assert run.counts() == (36, 24, 0, 0)


def test_a_group_that_is_deleted_meanwhile_ends_the_run(emulator: Emulator, group: str) -> None:
    """Where the listing can be asked, it is asked again after twenty 404s in a row."""

    async def group_exists() -> bool:
        return emulator.count_predictions(group) < 30

    emulator.set_faults(script=[{"kind": "ok", "times": 30}], rules=[{"kind": "status", "status": 404}])
    settings = settings_for(emulator, max_connections=1)
    run = upload_all(rows(200), settings, group, group_exists=group_exists)
    assert isinstance(run.report.stopped, KognicNotFoundError)
    assert emulator.stats()["prediction_posts"] == 30 + 20
    assert run.counts() == (30, 19, 0, 151)


def test_twenty_in_a_row_means_in_a_row(emulator: Emulator, group: str) -> None:
    """Ten refusals, a lost answer and ten refusals more are no pattern."""
    refused = {"kind": "status", "status": 422, "times": 10}
    emulator.set_faults(script=[refused, {"kind": "503_before"}, refused])
    run = upload_all(rows(25), settings_for(emulator, max_connections=1), group)
    assert run.report.stopped is None
    assert run.counts() == (4, 20, 1, 0)


def test_every_prediction_in_doubt_is_named(
    emulator: Emulator, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    """However many others were refused before: nothing but log and message knows them afterwards."""
    faults = [{"kind": "status", "status": 422, "match": {"scene": demo.scene_uuid(n)}} for n in range(1, 31)]
    lost = [{"kind": "503_before", "match": {"scene": demo.scene_uuid(n)}} for n in (40, 41)]
    emulator.set_faults(rules=[*faults, *lost])
    run = upload_all(rows(50), settings_for(emulator), group)
    assert run.counts() == (18, 30, 2, 0)
    failure = judge(run.report, UploadOptions.of(max_failures=50))
    assert failure is not None
    lines = [record.message for record in caplog.records if record.message.startswith("in_doubt: http_503: ")]
    for number in (40, 41):
        assert demo.scene_uuid(number) in failure.message
        assert len([line for line in lines if f"(scene {demo.scene_uuid(number)}, predictions[" in line]) == 1


def test_404_of_everything_in_a_small_source(emulator: Emulator) -> None:
    """That is seen even if the source is smaller than the number of connections."""
    run = upload_all(rows(3), settings_for(emulator), UNKNOWN_GROUP)
    assert run.counts() == (0, 0, 0, 3)
    assert isinstance(run.report.stopped, KognicNotFoundError)


def test_404_with_a_listing_that_knows(emulator: Emulator) -> None:
    """Where the listing can be asked, it says so at the first 404."""

    async def group_exists() -> bool:
        return False

    settings = settings_for(emulator, max_connections=2)
    run = upload_all(rows(50), settings, UNKNOWN_GROUP, group_exists=group_exists)
    assert run.counts() == (0, 0, 0, 50)
    assert isinstance(run.report.stopped, KognicNotFoundError)
    assert emulator.stats()["prediction_posts"] <= 2


def test_404_of_scenes_in_a_known_group(emulator: Emulator, group: str) -> None:
    """In a group that the listing shows, a 404 is about the scene: refused, and the others go on."""

    async def group_exists() -> bool:
        return True

    missing = [demo.scene_uuid(i) for i in (0, 1, 7)]
    emulator.set_faults(rules=[{"kind": "status", "status": 404, "match": {"scene": s}} for s in missing])
    run = upload_all(rows(20), settings_for(emulator), group, group_exists=group_exists)
    assert run.counts() == (17, 3, 0, 0)
    assert run.scenes(Outcome.REFUSED) == set(missing)
    assert run.report.stopped is None


@pytest.mark.parametrize("missing", [[0, 1, 2], [10, 11], [0, 1, 2, 3, 4, 5, 6, 7, 8]])
def test_404_of_scenes_without_a_listing(emulator: Emulator, group: str, missing: list[int]) -> None:
    """Without a listing, one success shows that the group exists: then 404s were about their scenes."""
    scenes = [demo.scene_uuid(i) for i in missing]
    emulator.set_faults(rules=[{"kind": "status", "status": 404, "match": {"scene": s}} for s in scenes])
    run = upload_all(rows(20), settings_for(emulator), group)
    assert run.counts() == (20 - len(scenes), len(scenes), 0, 0)
    assert run.scenes(Outcome.REFUSED) == set(scenes)


def test_404_with_a_listing_that_answers_late(emulator: Emulator, group: str) -> None:
    """A listing that failed at first does not turn known scenes' 404s into an unknown group."""
    asked = 0

    async def group_exists() -> bool:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise KognicRequestError("not now", status=400)
        return True

    emulator.set_faults(rules=[{"kind": "status", "status": 404}])
    settings = settings_for(emulator, max_connections=2)
    run = upload_all(rows(5), settings, group, group_exists=group_exists)
    assert run.counts() == (0, 5, 0, 0)
    assert run.report.stopped is None


@pytest.mark.parametrize("status", [400, 405, 409, 413, 415, 418, 422, 451])
def test_other_4xx_refuse_the_prediction(emulator: Emulator, group: str, status: int) -> None:
    """A refused prediction is a result with the server's words; it is not sent again, and the others go on."""
    scene = demo.scene_uuid(4)
    fault = {"kind": "status", "status": status, "message": "because", "match": {"scene": scene}}
    emulator.set_faults(rules=[fault])
    run = upload_all(rows(15), settings_for(emulator), group)
    assert run.counts() == (14, 1, 0, 0)
    (refused,) = run.report.first
    assert (refused.scene_uuid, refused.status, refused.message) == (scene, status, "because")
    assert run.report.reasons == {f"http_{status}": 1}
    assert emulator.stats()["prediction_posts"] == 15


def test_the_server_s_own_checks_refuse(emulator: Emulator, group: str) -> None:
    """A document or scene that Kognic turns down is refused with the reason."""
    unknown = {"sceneUuid": "00000000-0000-4000-8000-00000000000f", "openlabelContent": content()}
    wrong = {"sceneUuid": demo.scene_uuid(1), "openlabelContent": {"openlabel": {"frames": 3}}}
    source = RowsSource([unknown, wrong, *rows(1).rows])
    run = upload_all(source, settings_for(emulator), group, validation="off")
    assert run.counts() == (1, 2, 0, 0)
    assert {result.status for result in run.results if result.outcome is Outcome.REFUSED} == {400}


def test_twenty_identical_refusals_end_the_run(emulator: Emulator, group: str) -> None:
    """When everything is refused for one reason and nothing was ever created, that is said early."""
    emulator.set_faults(rules=[{"kind": "status", "status": 422, "message": "class 7 is unknown"}])
    run = upload_all(rows(200), settings_for(emulator), group)
    summary = run.report.summary
    assert isinstance(run.report.stopped, KognicRequestError)
    assert "class 7 is unknown" in str(run.report.stopped)
    assert 20 <= summary.refused <= 30
    assert summary.refused + summary.unsent == 200


def test_refusals_after_a_success_do_not_end_the_run(emulator: Emulator, group: str) -> None:
    """Once something was created, many equal refusals are results like others."""
    emulator.set_faults(script=[{"kind": "ok"}], rules=[{"kind": "status", "status": 422}])
    settings = settings_for(emulator, max_connections=1)
    run = upload_all(rows(40), settings, group)
    assert run.counts() == (1, 39, 0, 0)
    assert run.report.stopped is None


DOUBTFUL = [
    ({"kind": "hang", "seconds": 300}, False),
    ({"kind": "late_commit", "seconds": 4}, True),
    ({"kind": "drop_before"}, False),
    ({"kind": "drop_before", "reset": True}, False),
    ({"kind": "drop_after"}, True),
    ({"kind": "drop_after", "reset": True}, True),
    ({"kind": "status", "status": 408}, False),
    ({"kind": "status", "status": 500}, False),
    ({"kind": "status", "status": 599}, False),
    ({"kind": "503_before", "retry_after": 0}, False),
    ({"kind": "503_after"}, True),
    ({"kind": "504_before"}, False),
    ({"kind": "504_after"}, True),
    ({"kind": "html_error", "status": 502}, False),
    ({"kind": "html_error", "status": 502, "commit": True}, True),
    ({"kind": "html_error", "status": 200, "commit": True}, True),
    ({"kind": "garbage"}, True),
    ({"kind": "garbage", "body": ""}, True),
    ({"kind": "garbage", "body": '{"data": "no uuid"}'}, True),
    ({"kind": "garbage", "body": '{"data": null}'}, True),
    ({"kind": "garbage", "body": "[" * 100_000}, True),
    ({"kind": "no_data"}, True),
    ({"kind": "no_data", "status": 204}, True),
]


@pytest.mark.parametrize(("fault", "commits"), DOUBTFUL, ids=lambda value: json.dumps(value)[:60])
def test_lost_answers_leave_doubt(
    emulator: Emulator, group: str, fault: dict[str, Any], *, commits: bool
) -> None:
    """A prediction whose answer is lost or unreadable is in doubt, and never sent again."""
    scene = demo.scene_uuid(2)
    emulator.set_faults(rules=[{**fault, "match": {"scene": scene}}])
    timeout = 3 if fault["kind"] in {"hang", "late_commit"} else 5
    run = upload_all(rows(12), settings_for(emulator, timeout=timeout), group)
    assert run.counts() == (11, 0, 1, 0)
    assert run.scenes(Outcome.IN_DOUBT) == {scene}
    assert run.report.stopped is None
    assert emulator.stats()["prediction_posts"] == 12
    if fault["kind"] == "late_commit":
        wait_for(lambda: emulator.count_predictions(group, scene))
    assert emulator.count_predictions(group, scene) == (1 if commits else 0)
    check_truth(run, emulator, group)
    (result,) = run.report.first
    assert result.attempts == 1
    assert result.message
    assert len(result.message) < 600
    assert "<h" not in result.message


def _in_pieces(*pieces: bytes) -> Answer:
    def answer(connection: socket.socket, request: Request) -> None:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.05)
        reset(connection)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        always(b"GARBAGE\r\n\r\n"),
        always(b"\x16\x03\x01\x00\x05hello"),
        always(b"HTTP/1.1 abc Nonsense\r\n\r\n"),
        always(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"),
        always(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc"),
        always(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
        always(http(headers=["content-encoding: gzip"])),
        always(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
        always(b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 200_000 + b"\r\n\r\n"),
        _in_pieces(b"HTTP/1.1 200 O"),
        _in_pieces(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n", b'{"data": "'),
        _in_pieces(),
    ],
    ids=[
        "no status line",
        "a TLS record",
        "status that is no number",
        "length that is no number",
        "two lengths",
        "bad chunk",
        "not gzip",
        "switching protocols",
        "huge header",
        "reset in the status line",
        "reset in the body",
        "reset at once",
    ],
)
def test_broken_http_leaves_doubt(emulator: Emulator, group: str, answer: Answer) -> None:
    """Whatever comes back in place of HTTP, the prediction was sent: it is in doubt, and sent once."""
    with raw_server(answer) as server:
        settings = settings_for(emulator, base_url=server.url, timeout=20)
        run = upload_all(rows(1), settings, group, on_ambiguous="fail")
    assert run.counts() == (0, 0, 1, 0)
    assert len(server.requests) == 1
    assert run.only().reason != "unexpected"


def test_large_body_refused_while_it_is_sent(emulator: Emulator, group: str) -> None:
    """A server that answers 413 before it has read the body is heard, or leaves doubt: never re-sent."""
    document = content()
    document["openlabel"]["metadata"]["comment"] = "y" * 8_000_000
    big = Prediction(demo.scene_uuid(0), "big", json.dumps(document).encode)

    def hello(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(http(413, '{"message": "too large"}', close=True))
        time.sleep(0.1)

    with raw_server(always(b""), hello=hello) as server:
        run = upload_all(
            Listed([big]), settings_for(emulator, base_url=server.url), group, on_ambiguous="fail"
        )
    assert server.connections == 1
    assert run.only().outcome in {Outcome.REFUSED, Outcome.IN_DOUBT}


def test_stale_connections_are_not_used(emulator: Emulator, group: str) -> None:
    """A connection that the server closed after an answer is not used for the next prediction."""

    def answer(connection: socket.socket, request: Request) -> None:
        connection.sendall(another_created())
        if request.method == "POST":  # the look at what the group holds may be followed by one at once
            connection.close()  # without having said so in a header
            closed.set()

    closed = threading.Event()
    with raw_server(answer) as server:
        first, second = rows(1).rows[0], rows(1, first=1).rows[0]

        def slow() -> bytes:
            assert closed.wait(PATIENCE)
            return json.dumps(second["openlabelContent"]).encode()

        source = Listed(
            [
                Prediction(first["sceneUuid"], "1", json.dumps(first["openlabelContent"]).encode),
                Prediction(second["sceneUuid"], "2", slow),
            ]
        )
        settings = settings_for(emulator, base_url=server.url, max_connections=1)
        run = upload_all(source, settings, group, max_connections=1)
    assert run.counts() == (2, 0, 0, 0)


def test_unreachable_hosts_are_not_in_doubt(emulator: Emulator, group: str) -> None:
    """DNS failures and refused connections are no doubt: nothing was sent."""
    for url in (f"http://127.0.0.1:{free_port()}", "https://kognic.invalid"):
        settings = settings_for(emulator, base_url=url, max_connections=2)
        run = upload_all(rows(10), settings, group, outage_timeout=1)
        assert run.counts() == (0, 0, 0, 10)
        assert "kognic.invalid" in str(run.report.stopped) or "127.0.0.1" in str(run.report.stopped)


def test_wrong_credentials_end_the_run(emulator: Emulator, group: str) -> None:
    """Credentials that the auth server refuses end the run before anything is sent, with what to check."""
    settings = settings_for(emulator, credentials=("somebody", "a-wrong-secret"))
    run = upload_all(rows(30), settings, group)
    assert run.counts() == (0, 0, 0, 30)
    assert "refuses the credentials" in str(run.report.stopped)
    assert "a-wrong-secret" not in repr(run.report)
    assert emulator.stats()["prediction_posts"] == 0
    assert emulator.stats()["token_requests"] <= 10


def test_an_empty_source_is_no_error(emulator: Emulator, group: str) -> None:
    """Nothing to send gives a report of nothing, without a request."""
    run = upload_all(rows(0), settings_for(emulator), group)
    assert run.counts() == (0, 0, 0, 0)
    assert emulator.stats()["requests"] == {}
