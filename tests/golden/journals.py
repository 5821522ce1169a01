"""Journals in folders: of every kind of line, over several attempts, on a disk and in an object store."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.golden import access
from tests.golden.world import (
    DATA,
    GROUP,
    HOST,
    Files,
    World,
    as_json,
    digest,
    files_in,
    prediction,
    scene,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

SOURCE = "predictions s3://bucket/predictions"
FIRST, SECOND = "a_dag/scheduled__2026-11-01/upload/-1", "a_dag/manual__2026-11-02/upload/3"
OTHER_HOST = "Dataset.Example.com:8443/kognic api"
OTHER_GROUP = "ABCDEF00-4f0e-4a55-9d3e-0f6f3b7f2a10"
# Who asks a journal: an upload and whether by force.
READERS = [(None, False), (FIRST, False), (SECOND, False), (FIRST, True), (SECOND, True), ("another", True)]
SCENES = [scene(number) for number in range(16)]


def record(number: int, outcome: str, **more: Any) -> tuple[Any, ...]:
    """What became of a scene."""
    return ("record", access.result(scene(number), f"/data/{scene(number)}.json", outcome, **more))


def created(number: int, uuid: int, **more: Any) -> tuple[Any, ...]:
    return record(number, "created", prediction_uuid=prediction(uuid), **more)


def intend(number: int, document: str = "a document") -> tuple[Any, ...]:
    return ("intend", scene(number), digest(f"{document} of {number}"))


BASELINE = (
    "baseline",
    {scene(0): [prediction(900), prediction(901)], scene(6): [], scene(3): [prediction(930)]},
)
# What was in doubt when the second upload took its baseline counts for it alone, once it begins the scene anew.
LATER_BASELINE = ("baseline", {scene(6): [prediction(960)], scene(12): [prediction(961)]})
ATTEMPTS: list[tuple[str, bool, int, list[tuple[Any, ...]]]] = [
    (
        FIRST,
        False,
        1,
        [
            intend(14),  # before any baseline
            BASELINE,
            intend(0),
            created(0, 0),
            intend(1),
            record(
                1, "refused", status=422, reason="http_422", message="no such class: 'Gräfin' ☃" + "x" * 400
            ),
            intend(2),
            record(2, "in_doubt", message="sent, and no answer came: ReadTimeout"),
            intend(3),
            record(3, "unsent", reason="run_ended", message="the run ended first"),
            intend(4),
            record(4, "in_doubt", status=502, reason="http_502", message="Bad gateway"),
            intend(5),
            created(5, 5, reason="resent", message="sent again"),
            intend(6),
            intend(7),
            record(7, "skipped", prediction_uuid=prediction(7)),
        ],
    ),
    (FIRST, False, 2, []),  # nothing is left of an attempt that tells nothing
    (
        FIRST,
        False,
        3,
        [
            intend(0, "a newer document"),  # supersedes what was created
            intend(7, "a newer document"),
            record(7, "refused", status=413, message=None),
            intend(5, "a newer document"),
            created(5, 50),
            intend(4),  # in doubt, intended once more, and withdrawn
            record(4, "unsent"),
            intend(2),
            created(2, 2),
            intend(1, "a mended document"),
            record(1, "in_doubt"),
            intend(8),
            record(8, "unsent"),
            intend(8),
            created(8, 8),
        ],
    ),
    (
        SECOND,
        True,
        1,
        [
            LATER_BASELINE,
            intend(0),
            created(0, 100),
            intend(6),
            intend(9),
            created(9, 9),
            intend(0),
            record(0, "in_doubt"),
        ],
    ),
    (
        SECOND,
        True,
        2,
        [intend(9, "a newer document"), created(9, 90), intend(5), intend(10), created(10, 10)],
    ),
]


def _write(
    folder: Any,
    place: Path,
    attempts: Iterable[tuple[str, bool, int, list[tuple[Any, ...]]]],
    world: World,
    *,
    killed: bool,
    of: tuple[str, str] = (HOST, GROUP),
    source: str = SOURCE,
) -> None:
    """Write a journal as these attempts do; the last one may be killed before it gives the lease back."""
    attempts = list(attempts)
    for number, (upload, force, tried, steps) in enumerate(attempts, start=1):
        world.next_attempt()
        last = killed and number == len(attempts)
        writer = f"{upload}, try {tried}, on worker-1"
        journal = access.folder_journal(
            folder, host=of[0], group=of[1], writer=writer, source=source, upload=upload, force=force
        )
        asyncio.run(_attempt(journal, steps, world, place if last else None))


async def _attempt(journal: Any, steps: Iterable[tuple[Any, ...]], world: World, killed: Path | None) -> None:
    await journal.open()
    for step in steps:
        world.go_on()
        await access.tell(journal, *step)
    if killed is None:
        await journal.close()
        return
    # What a process that is killed now leaves: a copy taken now, in place of what closing makes of it.
    copy = killed.with_name(f"{killed.name} as it was")
    shutil.copytree(killed, copy)
    await journal.close()
    shutil.rmtree(killed)
    copy.rename(killed)


def _tear(folder: Path) -> None:
    """Let the last line of the last part end in its middle, as a kill may."""
    part = max(folder.rglob("*.jsonl"))
    part.write_bytes(part.read_bytes() + b'["c","5ce0000000004000800000000000')


def _in_a_store(place: Path) -> Any:
    """A folder that is written as one in an object store, which cannot append."""
    from upath import UPath  # what ObjectStoragePath stands on

    path = UPath(f"file://{place}")
    assert hasattr(path, "fs")
    return path


def make() -> Files:
    """Write all journals."""
    found: Files = {}
    with tempfile.TemporaryDirectory() as temporary, World().alive() as world:
        root = Path(temporary)
        # With attempts of other sources, hosts and groups beside it, a torn line and a lease left behind.
        place = root / "disk"
        _write(place, place, ATTEMPTS, world, killed=True)
        _tear(place)
        more = [(FIRST, False, 1, [intend(11), created(11, 11)])]
        _write(place, place, more, world, killed=False, source="manifest /data/manifest.csv")
        _write(place, place, more, world, killed=False, of=(OTHER_HOST, OTHER_GROUP))
        # The same in an object store: two names in turn, and new parts when one is full.
        place = root / "store"
        place.mkdir()
        with access.parts_of(1000):
            _write(_in_a_store(place), place, ATTEMPTS, world, killed=True)
        # An attempt that was refused by its own wish to forget: nothing but a baseline and a forced scene.
        place = root / "begun"
        _write(place, place, [(FIRST, True, 1, [BASELINE, intend(0)])], world, killed=False)
        for journal in sorted(root.iterdir()):
            found |= {f"{journal.name}/{name}": content for name, content in files_in(journal).items()}
    return found


JOURNALS = {
    "disk": (HOST, GROUP),
    "disk of another host": (OTHER_HOST, OTHER_GROUP),
    "store": (HOST, GROUP),
    "begun": (HOST, GROUP),
}


def read(
    name: str, place: Path, *, read_only: bool = False, data: Path = DATA / "journals"
) -> list[dict[str, Any]]:
    """Return what a journal that was copied to a place means to each reader, with the code as it is."""
    kind = name.partition(" ")[0]
    host, group = JOURNALS[name]
    meanings = []
    for number, (upload, force) in enumerate(READERS):
        copy = place / f"{name} {number}"
        shutil.copytree(data / kind, copy)
        folder = _in_a_store(copy) if kind == "store" else copy
        journal = access.folder_journal(
            folder,
            host=host,
            group=group,
            writer="a reader",
            source="a reader",
            upload=upload,
            force=force,
            ttl=3.0,
            read_only=read_only,
        )
        before = files_in(copy)
        meanings.append(known_of(journal))
        if read_only:
            assert files_in(copy) == before
    return meanings


def known_of(journal: Any) -> dict[str, Any]:
    """Open a journal and return what it knows."""

    async def known() -> dict[str, Any]:
        await journal.open()
        try:
            return access.known(journal, SCENES)
        finally:
            await journal.close()

    return asyncio.run(known())


def by_readers(meanings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put readers together to whom a journal means the same."""
    found: list[dict[str, Any]] = []
    for reader, meaning in zip(READERS, meanings, strict=True):
        if same := [one for one in found if one["meaning"] == meaning]:
            same[0]["readers"].append(list(reader))
        else:
            found.append({"readers": [list(reader)], "meaning": meaning})
    return found


def make_meanings() -> Files:
    """Write what the journals of the data mean."""
    with tempfile.TemporaryDirectory() as temporary:
        return {f"{name}.json": as_json(by_readers(read(name, Path(temporary)))) for name in JOURNALS}


def lines(content: bytes) -> list[Any]:
    """Return the lines of a part, the torn one left out."""
    return [json.loads(line) for line in content.split(b"\n")[:-1]]
