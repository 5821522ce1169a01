"""Predictions that are named by their scenes' external ids: found in batches, remembered, and never guessed."""

import asyncio
import json
import threading
import tracemalloc
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.input_api.client import InputClient
from airflow_provider_kognic.core.api.input_api.records import FoundScene
from airflow_provider_kognic.core.api.input_api.waiting import WaitingClient
from airflow_provider_kognic.core.errors import (
    KognicAnswerError,
    KognicError,
    KognicInputError,
    KognicNotFoundError,
    KognicOutageError,
    KognicPermissionError,
    KognicRowError,
)
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.models import Outcome, Refused
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.scenes import names as names_module
from airflow_provider_kognic.core.scenes.cache import MOST_AGE
from airflow_provider_kognic.core.scenes.names import MOST_NAMES, ExternalIds
from airflow_provider_kognic.core.sources.naming.external import by_external_ids
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.core.upload import upload
from airflow_provider_kognic.core.upload.stop import Stop
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import QUICK, MemoryLog, Results, content, settings_for
from tests.patience import wait_for

HOST = "input.example.com"
QUERY = "POST /v2/scenes/query"


class Api:
    """Knows scenes by their external ids, as the input API does, and counts the requests."""

    def __init__(self, scenes: Sequence[tuple[str, str, str]] = ()) -> None:
        self.scenes = list(scenes)
        self.queries: list[list[str]] = []

    def query(self, external_ids: Sequence[str]) -> list[FoundScene]:
        self.queries.append(list(external_ids))
        if not set(external_ids) <= {name for name, _, _ in self.scenes}:
            raise KognicNotFoundError("Not all of the scenes were found", status=404, method="POST", url="u")
        return [FoundScene(uuid, name, status) for name, uuid, status in self.scenes if name in external_ids]

    def scene(self, scene_uuid: str) -> Any:
        raise NotImplementedError

    def calibration(self, calibration_id: str) -> Any:
        raise NotImplementedError

    def query_uuids(self, scene_uuids: Sequence[str]) -> Any:
        raise NotImplementedError


def uuid_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def known(count: int) -> Api:
    return Api([(f"drive/{number}", uuid_of(number), "created") for number in range(count)])


def ids(
    api: Api, folder: Path | None = None, *, now: float = 1e9, sent: Sequence[str] = (), **more: Any
) -> ExternalIds:
    given: dict[str, Any] = {"patience": 10.0, "clock": lambda: now}
    made = ExternalIds(folder, HOST, **(given | more))
    made.begin(api, lambda scene: scene in sent)
    return made


def test_many_names_are_found_in_few_requests() -> None:
    api = known(1000)
    wanted = [f"drive/{number}" for number in range(1000)]
    assert ids(api).resolve(wanted) == [uuid_of(number) for number in range(1000)]
    assert len(api.queries) == 1000 / MOST_NAMES


def test_names_that_are_of_no_scene_are_named_and_the_others_found() -> None:
    """One unknown name leaves all of a request unanswered: so each half is asked for by itself."""
    api = known(400)
    wanted = [f"drive/{number}" for number in range(400)]
    for place in (3, 250, 251):
        wanted[place] = f"nobody/{place}"
    found = ids(api).resolve(wanted)
    refused = {wanted[place]: one for place, one in enumerate(found) if isinstance(one, Refused)}
    assert sorted(refused) == ["nobody/250", "nobody/251", "nobody/3"]
    assert {one.reason for one in refused.values()} == {"unknown_scene"}
    assert all(name in one.message for name, one in refused.items())
    assert sum(isinstance(one, str) for one in found) == 397
    assert len(api.queries) <= 2 + 3 * 2 * 8


def test_nothing_is_guessed() -> None:
    """Of several scenes only those are left out that the API says are invalidated."""
    api = Api(
        [
            ("twins", uuid_of(1), "created"),
            ("twins", uuid_of(2), "failed"),
            ("replaced", uuid_of(3), "invalidated:duplicate"),
            ("replaced", uuid_of(4), "created"),
            ("gone", uuid_of(5), "invalidated:broken-input"),
            ("Case", uuid_of(6), "created"),
            ("case", uuid_of(7), "created"),
        ]
    )
    twins, replaced, gone, upper, lower = ids(api).resolve(["twins", "replaced", "gone", "Case", "case"])
    assert isinstance(twins, Refused)
    assert twins.reason == "ambiguous_scene"
    assert uuid_of(1) in twins.message
    assert uuid_of(2) in twins.message
    assert isinstance(gone, Refused)
    assert (gone.reason, "invalidated" in gone.message) == ("unknown_scene", True)
    assert (replaced, upper, lower) == (uuid_of(4), uuid_of(6), uuid_of(7))


class CutShort(Api):
    """An API whose answers have few rows, whatever was asked for; perhaps it says so."""

    def __init__(self, scenes: Sequence[tuple[str, str, str]], *, says: bool) -> None:
        super().__init__(scenes)
        self.says = says

    def query(self, external_ids: Sequence[str]) -> list[FoundScene]:
        found = super().query(external_ids)
        if self.says and len(found) > 7:
            raise KognicAnswerError("there are more")
        return found[:7]


@pytest.mark.parametrize("says", [True, False])
def test_an_answer_that_is_cut_short_hides_no_scene(*, says: bool) -> None:
    """Of no name; and where it says so, not the second one of a name: it would be sent to either of both."""
    api = CutShort([(f"drive/{i}", uuid_of(i), "created") for i in range(30)], says=says)
    if says:
        api.scenes.append(("drive/6", uuid_of(99), "created"))
    *found, last = ids(api).resolve([f"drive/{i}" for i in (*range(6), *range(7, 30), 6)])
    assert found == [uuid_of(i) for i in range(30) if i != 6]
    if says:
        assert isinstance(last, Refused)
        assert last.reason == "ambiguous_scene"
    else:
        assert last == uuid_of(6)


def test_where_no_name_is_known_these_are_no_external_ids() -> None:
    api = known(5)
    with pytest.raises(KognicInputError, match=r"none of the first 100 names .*'file 99'.*nothing was sent"):
        ids(api).resolve([f"file {number}" for number in range(200)])
    some = ids(api)
    assert some.resolve(["drive/1"]) == [uuid_of(1)]
    assert all(isinstance(one, Refused) for one in some.resolve([f"file {number}" for number in range(200)]))


@pytest.mark.parametrize(("later", "sent"), [(0.0, False), (100 * MOST_AGE, True)])
def test_a_retry_finds_the_same_scene(tmp_path: Path, later: float, *, sent: bool) -> None:
    """However long ago, if something was sent of it; what the API says by then is of no matter."""
    assert ids(known(3), tmp_path).resolve(["drive/1"]) == [uuid_of(1)]
    now = Api([("drive/1", uuid_of(9), "created")])
    again = ids(now, tmp_path, now=1e9 + later, sent=[uuid_of(1)] if sent else [])
    assert again.resolve(["drive/1"]) == [uuid_of(1)]
    assert now.queries == []


@pytest.mark.parametrize("more", [{"now": 1e9 + MOST_AGE + 1}, {"anew": True, "now": 1e9 + 60}])
def test_of_what_nothing_was_sent_is_asked_anew_later(tmp_path: Path, more: dict[str, Any]) -> None:
    """After a day, or with `force`; and that is what is remembered then."""
    assert ids(known(3), tmp_path).resolve(["drive/1"]) == [uuid_of(1)]
    now = Api([("drive/1", uuid_of(9), "created")])
    assert ids(now, tmp_path, **more).resolve(["drive/1"]) == [uuid_of(9)]
    assert ids(Api(), tmp_path, now=more["now"] + 1).resolve(["drive/1"]) == [uuid_of(9)]


def test_a_dry_run_remembers_nothing(tmp_path: Path) -> None:
    assert ids(known(3), tmp_path / "names", writes=False).resolve(["drive/1"]) == [uuid_of(1)]
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_remembered_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KognicError, match="cannot be"):
        ids(known(3), tmp_path / "file" / "below").resolve(["drive/1"])


def test_what_is_remembered_takes_little_memory(tmp_path: Path) -> None:
    """Some bytes a name, however long it is."""

    class Everything(Api):
        def query(self, external_ids: Sequence[str]) -> list[FoundScene]:
            return [FoundScene(str(uuid.uuid5(uuid.NAMESPACE_URL, name)), name) for name in external_ids]

    made = ids(Everything(), tmp_path)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for start in range(0, 6_000, 200):
        made.resolve([f"drive/{number}/{'x' * 100}" for number in range(start, start + 200)])
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (after - before) / 6_000 < 120


@pytest.mark.parametrize(
    ("error", "raised", "match"),
    [
        (
            KognicPermissionError("no", status=403, method="POST", url="u"),
            KognicPermissionError,
            "external ids",
        ),
        (KognicError("busy"), KognicOutageError, "external ids for"),
    ],
)
def test_an_api_that_does_not_find_scenes_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, error: KognicError, raised: type[KognicError], match: str
) -> None:
    class Broken(Api):
        def query(self, external_ids: Sequence[str]) -> list[FoundScene]:
            raise error

    monkeypatch.setattr(names_module, "_BACKOFF", Backoff(first=0.01, most=0.01))
    with pytest.raises(raised, match=match):
        ids(Broken(), patience=0.1).resolve(["drive/1"])


def test_an_answer_without_names_is_none() -> None:
    class Nameless(Api):
        def query(self, external_ids: Sequence[str]) -> list[FoundScene]:
            return [FoundScene(uuid_of(1), None)]

    with pytest.raises(KognicRowError, match="does not say by which"):
        ids(Nameless()).resolve(["drive/1"])


# --- in an upload ---


class Sending:
    """Scenes of a dataset in the emulator, each with an external id, and uploads of what is named by these."""

    def __init__(self, emulator: Emulator, count: int) -> None:
        self.emulator = emulator
        self.dataset = str(uuid.uuid4())
        self.scenes = [str(uuid.uuid4()) for _ in range(count)]
        self.mark = uuid.uuid4().hex[:8]
        emulator.seed(
            datasets=[{"name": self.mark, "uuid": self.dataset, "scenes": self.scenes}],
            scenes=[
                {"uuid": scene, "external_id": self.name(index)} for index, scene in enumerate(self.scenes)
            ],
        )
        self.group = emulator.create_group(self.dataset)
        emulator.set_faults(input_api=True)
        emulator.reset_stats()

    def name(self, index: int) -> str:
        return f"Drive {self.mark} · {index}"

    def upload(self, predictions: Any, folder: Path | None = None, **given: Any) -> Results:
        settings = settings_for(self.emulator, input_host=self.emulator.url)
        manifest = given.pop("manifest", None)
        options = UploadOptions.of(backoff=QUICK, settle_after=0.2, **given.pop("options", {}))
        waits = Patience(options.outage_timeout, options.backoff)
        names = ExternalIds(folder, HOST, patience=10.0)
        source = by_external_ids(open_source(predictions, manifest, resolve=Path), names)
        results = Results()
        journal: Journal | None = given.get("journal")

        def is_sent(scene: str) -> bool:
            return journal is not None and journal.entry(scene) is not None

        async def run() -> None:
            async with AsyncKognicClient(settings) as client, client.input_api() as api:
                ended = lambda: waits.closed  # noqa: E731
                names.begin(WaitingClient(api, ended), is_sent, ended)
                self.report = await upload(
                    source,
                    client,
                    predictions_group_uuid=self.group,
                    options=options,
                    observers=[results],
                    patience=waits,
                    **given,
                )

        asyncio.run(run())
        return results

    def stored(self) -> Counter[str]:
        return Counter(row["scene_uuid"] for row in self.emulator.predictions(self.group))


def write_folder(place: Path, names: Sequence[str]) -> Path:
    place.mkdir()
    for number, name in enumerate(names):
        (place / f"{name}.json").write_text(json.dumps(content(number)))
    return place


@pytest.mark.parametrize("form", ["folder", "lines", "rows", "manifest"])
def test_whatever_the_source_its_names_are_external_ids(
    emulator: Emulator, tmp_path: Path, form: str
) -> None:
    """Unknown and ambiguous ones are refused, each by its name; the others go to the scenes that they mean."""
    sending = Sending(emulator, 30)
    emulator.seed(scenes=[{"external_id": sending.name(7)}])
    named = [sending.name(index) for index in range(30)]
    named[3] = "nobody's"
    rows = [{"sceneUuid": name, "openlabelContent": content(n)} for n, name in enumerate(named)]
    given: Any = rows
    manifest = None
    if form == "lines":
        given = tmp_path / "rows.jsonl"
        given.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif form != "rows":
        given = write_folder(tmp_path / "predictions", named)
    if form == "manifest":
        given, manifest = None, tmp_path / "manifest.csv"
        lines = [f"{name},predictions/{name}.json" for name in named]
        manifest.write_text("\n".join(["scene_uuid,path", *lines]))

    results = sending.upload(given, manifest=manifest).all

    refused = {one.reason: one for one in results if one.outcome is Outcome.REFUSED}
    assert set(refused) == {"unknown_scene", "ambiguous_scene"}
    assert refused["unknown_scene"].scene_uuid == "nobody's"
    assert sending.name(7) in str(refused["ambiguous_scene"].message)
    wanted = [scene for index, scene in enumerate(sending.scenes) if index not in {3, 7}]
    assert sending.stored() == Counter(wanted)
    for index in (0, 29):
        (row,) = emulator.predictions(sending.group, sending.scenes[index])
        stored = json.loads(emulator.document(row["uuid"]))
        assert stored["openlabel"]["metadata"]["comment"] == f"number {index}"
    assert emulator.stats()["most_in_flight"] <= 10


def test_names_that_mean_one_scene_are_sent_once(emulator: Emulator) -> None:
    sending = Sending(emulator, 2)
    rows = [
        {"sceneUuid": name, "openlabelContent": content(number)}
        for number, name in enumerate([sending.name(0), sending.name(1), sending.name(0), " ", 7, ["a"]])
    ]
    results = sending.upload(rows).all
    assert Counter(one.reason for one in results) == {None: 2, "duplicate_scene": 1, "unknown_scene": 3}
    assert sending.stored() == Counter(sending.scenes)


def test_a_retry_sends_nothing_twice_whatever_the_names_mean_by_then(
    emulator: Emulator, tmp_path: Path
) -> None:
    """Kognic gave every name to another scene meanwhile."""
    sending = Sending(emulator, 20)
    source = write_folder(tmp_path / "predictions", [sending.name(index) for index in range(20)])
    log = MemoryLog()
    emulator.change_faults(rules=[{"kind": "status", "status": 422, "match": {"scene": sending.scenes[4]}}])
    sending.upload(source, tmp_path / "names", journal=Journal(log))
    assert len(sending.stored()) == 19
    others = [str(uuid.uuid4()) for _ in range(20)]
    emulator.seed(
        datasets=[{"name": "d", "scenes": others}],
        scenes=[
            *({"uuid": scene, "status": "invalidated:duplicate"} for scene in sending.scenes),
            *({"uuid": scene, "external_id": sending.name(index)} for index, scene in enumerate(others)),
        ],
    )
    emulator.set_faults(input_api=True)
    again = sending.upload(source, tmp_path / "names", journal=Journal(log.reopened()))
    assert Counter(one.outcome for one in again.all) == {Outcome.SKIPPED: 19, Outcome.CREATED: 1}
    assert sending.stored() == Counter(sending.scenes)


def test_an_api_that_is_gone_ends_the_run_and_loses_nothing(emulator: Emulator, tmp_path: Path) -> None:
    sending = Sending(emulator, 250)
    source = write_folder(tmp_path / "predictions", [sending.name(index) for index in range(250)])
    emulator.change_faults(
        script=[{"kind": "ok", "match": {"path": "/query$"}}],
        rules=[{"kind": "status", "status": 403, "match": {"path": "/query$"}}],
    )
    sending.upload(source)
    summary = sending.report.summary
    assert isinstance(sending.report.stopped, KognicPermissionError)
    assert (summary.total, summary.uploaded + summary.unsent) == (250, 250)
    assert sum(sending.stored().values()) == summary.uploaded


def test_a_stop_waits_for_no_name(emulator: Emulator, tmp_path: Path) -> None:
    """What no scene was found for is unsent, by its name; nothing is lost of what was."""
    sending = Sending(emulator, 450)
    source = write_folder(tmp_path / "predictions", [sending.name(index) for index in range(450)])
    emulator.change_faults(
        script=[{"kind": "ok", "match": {"path": "/query$"}}],
        rules=[{"kind": "hang", "seconds": 60, "match": {"path": "/query$"}}],
    )
    stop = Stop()

    def end_it() -> None:
        wait_for(lambda: emulator.stats()["faults"].get("hang"))
        stop.request("killed")

    thread = threading.Thread(target=end_it)
    thread.start()
    results = sending.upload(source, stop=stop).all
    thread.join()
    assert Counter(one.source for one in results) == Counter(str(path) for path in source.iterdir())
    by_outcome = Counter(one.outcome for one in results)
    assert by_outcome[Outcome.CREATED] == sum(sending.stored().values()) > 0
    assert by_outcome[Outcome.UNSENT] + by_outcome[Outcome.CREATED] + by_outcome[Outcome.IN_DOUBT] == 450
    unnamed = [one for one in results if one.scene_uuid not in sending.scenes]
    assert len(unnamed) == 250
    assert all(one.scene_uuid.startswith("Drive ") and one.reason == "run_ended" for one in unnamed)


def test_the_client_for_single_calls_finds_them_too(emulator: Emulator) -> None:
    sending = Sending(emulator, 3)
    with InputClient(settings_for(emulator, input_host=emulator.url)) as client:
        made = ExternalIds(None, HOST, patience=1.0)
        made.begin(client, lambda _: False)
        assert made.resolve([sending.name(2), sending.name(0)]) == [sending.scenes[2], sending.scenes[0]]
    assert sum(emulator.stats()["requests"][QUERY].values()) == 1
