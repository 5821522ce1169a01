"""Journals in Airflow's task state store, and what the operator that makes groups remembers there."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
from typing import Any

from airflow_provider_kognic.core import errors
from tests.golden import access, journals
from tests.golden.kognic import Kognic, Store, TaskInstance, ended, logged
from tests.golden.world import DATA, DATASET, GROUP, HOST, Files, World, as_json, prediction, scene

POSTED: dict[str, Any] = {
    "method": "POST",
    "url": f"https://{HOST}/v1/datasets/{DATASET}/predictions-groups",
}


def _journal(store: Store, upload: str | None, *, force: bool = False, tried: int = 1) -> Any:
    writer = f"{upload}, try {tried}, on worker-1"
    return access.state_store_journal(
        store, host=HOST, group=GROUP, writer=writer, upload=upload, force=force
    )


async def _attempt(journal: Any, steps: list[tuple[Any, ...]], world: World) -> None:
    await journal.open()
    for step in steps:
        world.go_on()
        await access.tell(journal, *step)
    await journal.close()


def _as_file(store: Store) -> bytes:
    return as_json({"values": store.values, "retentions": store.retentions})


def make() -> Files:
    """Write a journal of several attempts, and a large one of which only sizes and digests are kept."""
    with World().alive() as world:
        small, large = Store(), Store()
        for upload, force, tried, steps in journals.ATTEMPTS:
            world.next_attempt()
            asyncio.run(_attempt(_journal(small, upload, force=force, tried=tried), steps, world))
        # One value too few: 700 scenes of a baseline at once, and then so many lines that the last part is full.
        many = {scene(number): [prediction(number)] for number in range(700)}
        steps = [("baseline", many)]
        for number in range(240):
            steps += [journals.intend(number), journals.created(number, 1000 + number)]
        world.next_attempt()
        asyncio.run(_attempt(_journal(large, journals.FIRST), steps, world))
    shown = {
        key: [len(text := json.dumps(value)), hashlib.sha256(text.encode()).hexdigest()]
        for key, value in large.values.items()
    }
    index = next(value for value in large.values.values() if "parts" in value)
    return {"journal.json": _as_file(small), "large.json": as_json({"index": index, "values": shown})}


def read(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a store's journal means to each reader, with the code as it is."""
    found = []
    for upload, force in journals.READERS:
        journal = _journal(Store(copy.deepcopy(values)), upload, force=force)
        found.append(journals.known_of(journal))
    return found


def make_meanings() -> Files:
    """Write what the journal in the data means."""
    kept = json.loads((DATA / "state_store" / "journal.json").read_bytes())
    return {"journal.json": as_json(journals.by_readers(read(kept["values"])))}


# --- the memory of a group ---


def create_group(kognic: Kognic, store: Store, world: World, **arguments: Any) -> dict[str, Any]:
    """Run the operator that makes a group once; returns how it ended, what it logged and its XComs."""
    from airflow_provider_kognic.operators.predictions import CreatePredictionsGroupOperator

    world.next_attempt()
    given = {"task_id": "create", "dataset": DATASET, "name": "new", **arguments}
    ti = TaskInstance(task_id="create")
    with kognic.reached(), logged() as lines:
        operator = CreatePredictionsGroupOperator(**given)
        how = ended(lambda: operator.execute({"ti": ti, "task_state_store": store}))  # type: ignore[typeddict-item]
    return {**how, "logged": lines.texts(), "xcoms": ti.xcoms}


def _interrupted(store: Store, found: list[dict[str, Any]]) -> str:
    found.append(copy.deepcopy(store.values))
    return prediction(1)


def make_groups() -> Files:
    """Write what is remembered after each way in which making a group may end, and what comes next."""
    found: dict[str, Any] = {}
    with World().alive() as world:
        for name, kognic, arguments in _group_cases():
            store = Store()
            first = create_group(kognic, store, world, **arguments)
            values = copy.deepcopy(store.values)
            second = create_group(kognic, store, world, **arguments)
            found[name] = {"first": first, "remembered": values, "second": second, "then": store.values}
        seen: list[dict[str, Any]] = []
        store = Store()
        kognic = Kognic(group_posts=[lambda: _interrupted(store, seen)])
        create_group(kognic, store, world, if_exists="create")
        # Killed while its answer was awaited: it was executed.
        store = Store(copy.deepcopy(seen[0]))
        found["killed"] = {
            "remembered": seen[0],
            "second": create_group(kognic, store, world, if_exists="create"),
            "then": store.values,
        }
    return {f"{name}.json": as_json(value) for name, value in found.items()}


def _group_cases() -> list[tuple[str, Kognic, dict[str, Any]]]:
    refused = errors.KognicRequestError("no such class", status=422, **POSTED)
    two = [{"uuid": prediction(1), "name": "new"}, {"uuid": prediction(2), "name": "new"}]
    rows = [{"annotated": "Car", "predicted": "car"}]
    return [
        (
            "created",
            Kognic(group_posts=[prediction(3)]),
            {"if_exists": "create", "class_mapping": {"Car": "car", None: "extra"}},
        ),
        ("withdrawn", Kognic(group_posts=[refused]), {"if_exists": "fail"}),
        ("reused", Kognic(groups=[two[0] | {"classMapping": []}]), {"class_mapping": rows}),
        ("there", Kognic(groups=two[:1]), {"if_exists": "fail"}),
        ("several", Kognic(groups=two), {}),
        ("unknown_dataset", Kognic(), {"dataset": "another"}),
    ]
