"""What is optional in the API is made use of where that is known, and given up where a server knows better."""

import asyncio
import json
import logging
import re
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_kognic.core.api.switches import Switches
from airflow_provider_kognic.core.contract.contract import Contract, Judgement, Verdict
from airflow_provider_kognic.core.contract.switching import SWITCHABLE, switches
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.sources.rows import RowsSource
from airflow_provider_kognic.core.upload.dry_run import make_plan
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import (
    UUID,
    MemoryLog,
    Request,
    another_created,
    check_truth,
    content,
    http,
    raw_server,
    rows,
    settings_for,
    upload_all,
)

ROUTE = "/v1/predictions-groups/{uuid}/predictions"
LOST = {"kind": "drop_after"}


def row(number: int, size: int = 0, edition: int | None = None) -> dict[str, Any]:
    """A prediction of so many bytes and some more."""
    document = content(number if edition is None else edition)
    document["openlabel"]["metadata"]["comment"] += "." * size
    return {"sceneUuid": demo.scene_uuid(number), "openlabelContent": document}


def large(count: int) -> RowsSource:
    """Predictions that are worth compressing."""
    return RowsSource([row(number, 30_000) for number in range(count)])


def posts(emulator: Emulator) -> dict[str, int]:
    return dict(emulator.stats()["requests"].get(f"POST {ROUTE}", {}))


def listings(emulator: Emulator) -> int:
    return sum(emulator.stats()["requests"].get(f"GET {ROUTE}", {}).values())


def documents_are_there(source: RowsSource, emulator: Emulator, group: str) -> None:
    """Each document is there once, as the bytes it was."""
    wanted = {one.scene_uuid: one.read() for one in source}  # type: ignore[union-attr]
    there = emulator.predictions(group)
    assert len(there) == len(wanted)
    assert {row["scene_uuid"]: emulator.document(row["uuid"]) for row in there} == wanted


# --- the body's limit ---


@pytest.mark.parametrize("validation", ["strict", "off"])
def test_what_the_server_would_not_take_is_not_sent(emulator: Emulator, group: str, validation: str) -> None:
    """With its size, the limit, and who says so; in a dry run, too."""
    emulator.change_faults(max_body_bytes=5_000)
    source = RowsSource([row(0, 30_000), row(1), row(2)])
    known = Switches(max_body_bytes=5_000, said_by={"body_limit": "the contract of 2026-11-28 (confirmed)"})
    run = upload_all(source, settings_for(emulator), group, switches=known, validation=validation)
    assert run.counts() == (2, 1, 0, 0)
    assert posts(emulator) == {"200": 2}
    (refused,) = (one for one in run.results if one.outcome is Outcome.REFUSED)
    assert (refused.reason, refused.status, refused.attempts) == ("body_limit", None, 0)
    said = r"makes a request of 30,\d{3} bytes, 30,\d{3} of them its own, .* at most 5,000: so says the contract of"
    assert re.search(said, str(refused.message))
    plan = asyncio.run(
        make_plan(
            source,
            predictions_group_uuid=group,
            options=UploadOptions.of(validation=validation),
            switches=known,
        )
    )
    assert plan.reasons == {"body_limit": 1}
    assert (plan.first[0].reason, plan.first[0].message) == ("body_limit", refused.message)


# --- the listing ---


def test_where_there_is_no_listing_none_is_asked_and_doubt_stays(
    emulator: Emulator, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.change_faults(predictions_listing=True, script=[LOST])
    known = Switches(listing=False, said_by={"predictions_listing": "the connection's assumptions"})
    run = upload_all(rows(3), settings_for(emulator), group, switches=known)
    assert run.counts() == (2, 0, 1, 0)
    assert listings(emulator) == 0
    check_truth(run, emulator, group)
    (doubt,) = (one for one in run.results if one.outcome is Outcome.IN_DOUBT)
    assert "There is no listing to ask." in str(doubt.message)
    assert "'predictions_listing' is off, by the connection's assumptions" in caplog.text


@pytest.mark.parametrize("listing", [None, True])
def test_where_there_is_one_it_settles_doubt(emulator: Emulator, group: str, listing: bool | None) -> None:  # noqa: FBT001
    emulator.change_faults(predictions_listing=True, script=[LOST, {"kind": "drop_before"}])
    run = upload_all(rows(4), settings_for(emulator), group, switches=Switches(listing=listing))
    assert run.counts() == (4, 0, 0, 0)
    check_truth(run, emulator, group)


@pytest.mark.parametrize("listing", [None, True])
def test_one_that_is_gone_in_mid_run_leaves_doubt_and_is_warned_of_where_it_was_known(
    emulator: Emulator,
    group: str,
    caplog: pytest.LogCaptureFixture,
    listing: bool | None,  # noqa: FBT001
) -> None:
    caplog.set_level(logging.INFO)
    of_listings = {"match": {"method": "GET", "path": "/predictions$"}}
    gone = {"kind": "status", "status": 404, "times": 9, **of_listings}
    emulator.change_faults(predictions_listing=True, script=[LOST, {"kind": "ok", **of_listings}, gone])
    run = upload_all(rows(3), settings_for(emulator), group, switches=Switches(listing=listing))
    check_truth(run, emulator, group)
    assert run.counts() == (2, 0, 1, 0)
    assert listings(emulator) == 2
    (said,) = (
        one.levelname for one in caplog.records if one.getMessage().startswith("Doubt, if any, will be named")
    )
    assert said == ("WARNING" if listing else "INFO")


# --- compression ---


def test_documents_that_leave_compressed_arrive_as_they_were(emulator: Emulator, group: str) -> None:
    emulator.change_faults(request_compression=True)
    source = large(12)
    log = MemoryLog()
    run = upload_all(
        source, settings_for(emulator), group, switches=Switches(compression=True), journal=Journal(log)
    )
    assert run.counts() == (12, 0, 0, 0)
    assert posts(emulator) == {"200": 12}
    documents_are_there(source, emulator, group)
    # The journal knows them as they are: whether they were compressed makes no other document of them.
    again = upload_all(source, settings_for(emulator), group, journal=Journal(log.reopened()))
    assert again.report.summary.skipped == 12
    assert {one.digest for one in run.results} == {one.digest for one in again.results}


def given_up(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        one.getMessage()
        for one in caplog.records
        if "does not take compressed predictions" in one.getMessage()
    ]


def test_a_server_that_reads_no_gzip_gets_everything_as_it_is(
    emulator: Emulator, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The emulator takes what is compressed for JSON that is broken: a 400 that says nothing of an encoding."""
    source = large(40)
    run = upload_all(source, settings_for(emulator), group, switches=Switches(compression=True))
    assert run.counts() == (40, 0, 0, 0)
    documents_are_there(source, emulator, group)
    assert posts(emulator)["200"] == 40
    assert 1 <= posts(emulator)["400"] <= 10  # no more than were in flight
    assert len(given_up(caplog)) == 1


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (415, "Unsupported Media Type"),
        (400, "Content-Encoding gzip is not supported"),
        (400, "Unexpected token \\u001f"),
        (413, "The body unpacks to too much"),
        (422, "body: not valid JSON"),
    ],
)
def test_a_refusal_for_the_encoding_loses_nothing(
    emulator: Emulator, caplog: pytest.LogCaptureFixture, status: int, message: str
) -> None:
    def answer(connection: Any, request: Request) -> None:
        packed = "content-encoding" in request.headers
        refusal = http(status, json.dumps({"message": message}))
        connection.sendall(refusal if packed else another_created())

    with raw_server(answer) as server:
        settings = settings_for(emulator, base_url=server.url, max_connections=1)
        run = upload_all(
            large(6), settings, UUID, switches=Switches(compression=True, listing=False), log_every=1000
        )
    assert run.counts() == (6, 0, 0, 0)
    sent = [one for one in server.requests if one.method == "POST"]
    assert [("content-encoding" in one.headers) for one in sent] == [True, *[False] * 6]
    assert sorted(one.attempts for one in run.results) == [1] * 5 + [2]
    assert len(given_up(caplog)) == 1
    assert f"HTTP {status}: {json.loads(json.dumps(message))}"[:20] in given_up(caplog)[0]


def test_a_document_that_is_refused_either_way_ends_no_compression(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = demo.scene_uuid(2)

    def answer(connection: Any, request: Request) -> None:
        import gzip

        packed = "content-encoding" in request.headers
        body = gzip.decompress(request.body) if packed else request.body
        refused = http(400, '{"message": "no such scene"}')
        connection.sendall(refused if wrong.encode() in body else another_created())

    with raw_server(answer) as server:
        settings = settings_for(emulator, base_url=server.url, max_connections=1)
        run = upload_all(large(6), settings, UUID, switches=Switches(compression=True, listing=False))
    assert run.counts() == (5, 1, 0, 0)
    sent = [("content-encoding" in one.headers) for one in server.requests if one.method == "POST"]
    assert sent == [True, True, True, False, True, True, True]
    (refused,) = (one for one in run.results if one.outcome is Outcome.REFUSED)
    assert (refused.scene_uuid, refused.reason, refused.attempts) == (wrong, "http_400", 2)
    assert not given_up(caplog)


@pytest.mark.parametrize("status", [500, 502, 408])
def test_what_leaves_doubt_is_not_sent_again_for_its_encoding(emulator: Emulator, status: int) -> None:
    """It may have been executed."""

    def answer(connection: Any, _request: Request) -> None:
        connection.sendall(http(status, '{"message": "gzip?"}'))

    with raw_server(answer) as server:
        settings = settings_for(emulator, base_url=server.url, max_connections=1)
        run = upload_all(
            large(1),
            settings,
            UUID,
            switches=Switches(compression=True, listing=False),
            on_ambiguous="fail",
            outage_timeout=0.2,
        )
    assert run.counts() == (0, 0, 1, 0)
    assert len([one for one in server.requests if one.method == "POST"]) == 1


# --- keys ---


def keys_of(emulator: Emulator, *attempts: tuple[RowsSource, dict[str, Any]]) -> list[list[str]]:
    """The keys of each attempt of one upload, in the order of its source."""
    found = []
    log = MemoryLog()
    for source, told in attempts:
        with raw_server(lambda connection, _: connection.sendall(another_created())) as server:
            settings = settings_for(emulator, base_url=server.url, max_connections=1)
            upload_all(
                source,
                settings,
                UUID,
                switches=Switches(idempotency_key="Idempotency-Key", listing=False),
                journal=Journal(
                    log if told.pop("journal", True) else None,
                    upload=told.pop("upload", "the upload"),
                    force=told.pop("force", False),
                ),
                **told,
            )
            log = log.reopened()
        found.append([one.headers["idempotency-key"] for one in server.requests if one.method == "POST"])
    return found


def test_each_prediction_has_a_key_of_its_own(emulator: Emulator) -> None:
    (first,) = keys_of(emulator, (rows(5), {}))
    assert len(set(first)) == 5
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", key) for key in first)


def test_another_document_and_the_first_one_again_have_other_keys(emulator: Emulator) -> None:
    """Whoever takes a change back wants another prediction of the first document: that is no repetition."""
    changed = RowsSource([row(0, edition=99)])
    send = {"on_changed": "send"}
    keys = keys_of(emulator, (rows(1), {}), (rows(1), {}), (changed, {**send}), (rows(1), {**send}))
    assert [len(one) for one in keys] == [1, 0, 1, 1]
    assert len({key for one in keys for key in one}) == 3


def test_what_is_sent_anew_on_purpose_has_other_keys(emulator: Emulator) -> None:
    """Whoever has removed predictions by hand must not be told of those."""
    force = {"force": True}
    keys = keys_of(
        emulator,
        (rows(2), {}),
        (rows(2), {**force}),
        (rows(2), {**force}),
        (rows(2), {**force, "upload": "later"}),
    )
    assert [len(one) for one in keys] == [2, 2, 0, 2]
    assert len({key for one in keys for key in one}) == 6
    without = keys_of(
        emulator, (rows(1), {"journal": False, "upload": None}), (rows(1), {"journal": False, "upload": None})
    )
    assert without[0] != without[1]


@pytest.mark.parametrize("takes_keys", [True, False])
def test_a_key_is_the_same_when_a_prediction_is_sent_again(
    emulator: Emulator,
    group: str,
    takes_keys: bool,  # noqa: FBT001
) -> None:
    """In this attempt and in the next one: what was executed without an answer is not made a second time."""
    emulator.change_faults(idempotency_key=takes_keys, script=[LOST, LOST])
    log = MemoryLog()
    known = Switches(idempotency_key="Idempotency-Key")
    lost = upload_all(
        rows(1),
        settings_for(emulator),
        group,
        switches=known,
        journal=Journal(log, upload="the upload"),
        on_ambiguous="fail",
    )
    assert lost.counts() == (0, 0, 1, 0)
    run = upload_all(
        rows(1),
        settings_for(emulator),
        group,
        switches=known,
        journal=Journal(log.reopened(), upload="the upload"),
        on_ambiguous="resend",
    )
    assert run.counts() == (1, 0, 0, 0)
    assert run.only().reason == "resent"  # nobody relies on it: so much is always said
    assert emulator.count_predictions(group) == (1 if takes_keys else 3)


def test_a_key_alone_settles_no_doubt_and_sends_nothing_again(emulator: Emulator, group: str) -> None:
    emulator.change_faults(idempotency_key=True, script=[LOST])
    run = upload_all(
        rows(1), settings_for(emulator), group, switches=Switches(idempotency_key="Idempotency-Key")
    )
    assert run.counts() == (0, 0, 1, 0)
    assert posts(emulator) == {"none": 1}


# --- what a contract contradicts ---


@pytest.mark.parametrize("contradicted", SWITCHABLE)
def test_what_is_contradicted_is_not_made_use_of(
    emulator: Emulator, group: str, caplog: pytest.LogCaptureFixture, contradicted: str
) -> None:
    """Of a service that has all but one of the options, the others are made use of; and nothing is lost."""
    emulator.change_faults(
        predictions_listing=contradicted != "predictions_listing",
        request_compression=contradicted != "compression",
        idempotency_key=contradicted != "idempotency_key",
        max_body_bytes=300_000_000 if contradicted == "body_limit" else 40_000,
        script=[LOST],
    )
    judged = {
        name: Judgement(Verdict.CONTRADICTED if name == contradicted else Verdict.CONFIRMED, (), value)
        for name, value in {**dict.fromkeys(SWITCHABLE), "body_limit": 40_000}.items()
    }
    host = settings_for(emulator).host
    known = switches(Contract(host, datetime.now(timezone.utc), judged))
    source = RowsSource([*(row(number, 30_000) for number in range(4)), row(4, 60_000)])
    run = upload_all(source, settings_for(emulator), group, switches=known)
    check_truth(run, emulator, group)
    too_large = 0 if contradicted == "body_limit" else 1
    doubt = 1 if contradicted == "predictions_listing" else 0
    assert run.counts() == (5 - too_large - doubt, too_large, doubt, 0)
    assert posts(emulator) == {"none": 1, "200": 4 - too_large}
    assert bool(listings(emulator)) == (contradicted != "predictions_listing")
    assert not given_up(caplog)


@pytest.mark.parametrize("contradicted", SWITCHABLE)
def test_nothing_of_what_is_contradicted_is_in_a_request(emulator: Emulator, contradicted: str) -> None:
    judged = {
        name: Judgement(Verdict.CONTRADICTED if name == contradicted else Verdict.CONFIRMED)
        for name in SWITCHABLE
    }

    def answer(connection: Any, request: Request) -> None:
        connection.sendall(another_created() if request.method == "POST" else http(200, '{"data": []}'))

    with raw_server(answer) as server:
        settings = settings_for(emulator, base_url=server.url, max_connections=1)
        known = switches(Contract(settings.host, datetime.now(timezone.utc), judged))
        run = upload_all(large(2), settings, UUID, switches=known)
    assert run.counts() == (2, 0, 0, 0)
    fields = {name for one in server.requests if one.method == "POST" for name in one.headers}
    assert ("content-encoding" in fields) == (contradicted != "compression")
    assert ("idempotency-key" in fields) == (contradicted != "idempotency_key")
    assert any(one.method == "GET" for one in server.requests) == (contradicted != "predictions_listing")
