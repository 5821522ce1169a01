"""How much more memory an upload of more predictions takes: of what is kept of each, not of documents in flight."""

import asyncio
import gc
import hashlib
import json
import os
import tracemalloc
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

import airflow_provider_kognic
from airflow_provider_kognic.core.api.dataset_api.records import ListedPrediction
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.journal.format import Created, Intent, digest_kept, encode, to_bytes
from airflow_provider_kognic.core.models import Prediction, Result
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.paging import Page
from airflow_provider_kognic.core.reporting.plan import Decision
from airflow_provider_kognic.core.reporting.report import Report
from airflow_provider_kognic.core.sources.base import Source
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.upload import upload
from airflow_provider_kognic.core.upload.dry_run import make_plan
from airflow_provider_kognic.core.upload.reading import intake
from airflow_provider_kognic.emulator import demo
from tests.core.support import UUID, content

PACKAGE = Path(str(airflow_provider_kognic.__file__)).parent
DOCUMENT = json.dumps(content()).encode()
# Both so many that what is bounded, such as documents in memory, has reached its bound.
FEW, MANY = 1_500, 5_500


def scene(number: int) -> str:
    """Spread over all uuids, as real ones are; another scene for each number."""
    return str(uuid.UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128))


class Server:
    """A client of an API that creates at once what it is told, and lists what its group held before.

    Args:
        held: It holds a prediction of each of so many scenes.
    """

    def __init__(self, held: int = 0) -> None:
        self._held = held
        self.created = 0

    async def create_prediction(self, predictions_group_uuid: str, scene_uuid: str, document: bytes) -> str:
        self.created += 1
        return str(uuid.uuid4())

    async def list_predictions(
        self, predictions_group_uuid: str, ask: Mapping[str, str]
    ) -> Page[ListedPrediction]:
        offset = int(ask["offset"])
        numbers = range(offset, min(offset + 100, self._held))
        return Page([ListedPrediction(scene(-number - 1), scene(number)) for number in numbers])

    async def probe(self) -> None:
        """It serves."""


class Log:
    """A log that keeps nothing, and tells of so many predictions that they were created before."""

    def __init__(self, created: int = 0) -> None:
        self._created = created

    def open(self, stopping: object) -> None:
        """There is nothing to open."""

    def read(self) -> Iterator[bytes]:
        digest = digest_kept(hashlib.sha256(DOCUMENT).hexdigest())
        for number in range(self._created):
            key = to_bytes(scene(number))
            yield encode(Intent(key, digest, 1.5, covered=True))
            yield encode(Created(key, to_bytes(scene(-number - 1))))

    def append(self, lines: Sequence[bytes]) -> None:
        """They are durable, for all that anybody asks."""

    def close(self) -> None:
        """Nor anything to close."""


def folder_of(count: int, place: Path) -> Path:
    place.mkdir()
    (place / "one").write_bytes(DOCUMENT)
    for number in range(count):
        os.link(place / "one", place / f"{scene(number)}.json")
    return place


class Watched:
    """A source that notes how much memory this package holds shortly before its end, in bytes."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.total = source.total or 0
        self.held = 0

    def __iter__(self) -> Iterator[Prediction | Result]:
        for number, entry in enumerate(self._source):
            if number == self.total - 100:
                gc.collect()
                # Not what others grow by once, such as the table in which Python keeps names of its own.
                ours = tracemalloc.Filter(inclusive=True, filename_pattern=f"{PACKAGE}/*")
                found = tracemalloc.take_snapshot().filter_traces([ours])
                self.held = sum(line.size for line in found.statistics("filename"))
            yield entry


def send(path: Path, count: int) -> int:
    source, report, created = _uploaded(path, Server(), Log())
    assert (report.summary.uploaded, created) == (count, count)
    return source.held


def resume(path: Path, count: int) -> int:
    source, report, created = _uploaded(path, Server(held=count), Log(count))
    assert (report.summary.skipped, created) == (count, 0)
    return source.held


def add_to_a_group(path: Path, count: int) -> int:
    """Somebody else's predictions are there, one of each scene, and the server lists them."""
    source, report, created = _uploaded(path, Server(held=count), Log())
    assert (report.summary.uploaded, created) == (count, count)
    return source.held


def _uploaded(path: Path, server: Server, log: Log) -> tuple[Watched, Report, int]:
    async def main() -> tuple[Watched, Report, int]:
        source = Watched(open_source(path, None, resolve=Path))
        options = UploadOptions.of(validation="off")
        journal = Journal(log, upload="a test")
        report = await upload(source, server, predictions_group_uuid=UUID, journal=journal, options=options)
        return source, report, server.created

    return asyncio.run(main())


def plan(path: Path, count: int) -> int:
    source = Watched(open_source(None, path, resolve=Path))
    options = UploadOptions.of(validation="off")
    found = asyncio.run(make_plan(source, predictions_group_uuid=UUID, options=options))
    assert found.counts == {Decision.WOULD_SEND: count}
    return source.held


def held_by(work: Callable[[Path, int], int], path: Path, count: int) -> int:
    tracemalloc.start()
    try:
        return work(path, count)
    finally:
        tracemalloc.stop()


@pytest.fixture(autouse=True)
def _small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has been decided and not told yet is not what grows."""
    monkeypatch.setattr(intake, "_PORTION", 20)


@pytest.mark.parametrize(
    ("work", "most"),
    # It is 130; of a hundred thousand it is 110. A look at a group that holds others keeps these, too.
    [(send, 200), (resume, 200), (add_to_a_group, 400)],
    ids=["send", "resume", "add to a group"],
)
def test_an_upload_grows_little_with_its_predictions(
    tmp_path: Path, work: Callable[[Path, int], int], most: int
) -> None:
    """As objects of Python's own, what is known of one takes 500 to 1000 bytes."""
    held = [held_by(work, folder_of(count, tmp_path / f"{count}"), count) for count in (FEW, MANY)]
    assert (held[1] - held[0]) / (MANY - FEW) < most


def test_a_dry_run_grows_little_with_the_rows_of_its_manifest(tmp_path: Path) -> None:
    """A million rows are 30 MB: of each its scene is kept."""
    (tmp_path / "one.json").write_bytes(DOCUMENT)
    held = []
    for count in (FEW, MANY):
        path = tmp_path / f"{count}.csv"
        path.write_text("".join(["scene_uuid,path\n", *(f"{scene(n)},one.json\n" for n in range(count))]))
        held.append(held_by(plan, path, count))
    assert (held[1] - held[0]) / (MANY - FEW) < 60


def test_scenes_of_the_demo_dataset_are_no_special_case(tmp_path: Path) -> None:
    """Uuids that differ in their last digits only are found as others are."""
    place = tmp_path / "many"
    place.mkdir()
    (place / "one").write_bytes(DOCUMENT)
    for number in range(FEW):
        os.link(place / "one", place / f"{demo.scene_uuid(number)}.json")
    held_by(send, place, FEW)
