"""What it costs to make documents of a model's results, in scattered order, next to parsing them."""

from __future__ import annotations

import json
import random
import uuid
from typing import TYPE_CHECKING, Any

from tests.benchmarks.figures import MIB, Bar, say, spread, table
from tests.benchmarks.processes import child

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.figures import Rounds

FEW, MANY, QUICK = 1_000, 100_000, 5_000
_OF_A_SCENE = 10


def run_formats(work: Path, runs: int, raw: dict[str, Any], *, quick: bool) -> list[Bar]:
    """Measure it, print it and return the bars."""
    many = QUICK if quick else MANY
    say(f"## A model's results, {FEW:,} -> {many:,} scenes in random order, {_OF_A_SCENE} boxes each\n")
    few_files, many_files = (_make(work, count) for count in (FEW, many))
    rounds: Rounds = []
    for _ in range(runs):
        less, _, _ = child("formats", *few_files, str(FEW * _OF_A_SCENE))
        more, _, _ = child("formats", *many_files, str(many * _OF_A_SCENE))
        plain, _, _ = child("formats", *many_files, str(many * _OF_A_SCENE), "--plain")
        growth = more["peak_bytes"] - less["peak_bytes"]
        rounds.append({**more, "plain_us": plain["plain_us"], "growth_bytes": growth})
    raw["formats"] = rounds
    ratios = [(one["read_us"] + one["make_us"]) / one["plain_us"] for one in rounds]
    growths = [one["growth_bytes"] / MIB for one in rounds]
    columns = ("read_us", "make_us", "plain_us")
    cells = [spread([one[name] for one in rounds], 2) for name in columns]
    table(
        ("CPU us a box: read", "documents", "json.loads", "ratio", "growth MiB"),
        [[*cells, spread(ratios, 2), spread(growths, 1)]],
    )
    return [
        Bar("COCO: read and made documents / json.loads", ratios, 5),
        Bar(f"memory, {FEW:,} -> {many:,} scenes, COCO: growth", growths, 16, "MiB"),
    ]


def _make(work: Path, scenes: int) -> tuple[str, str]:
    """Write results and their table; returns both paths."""
    dice = random.Random(scenes)
    keys = list(range(scenes)) * _OF_A_SCENE
    dice.shuffle(keys)
    results, places = work / f"{scenes}.json", work / f"{scenes}.csv"
    with results.open("w") as file:
        for number, key in enumerate(keys):
            corner = [round(600 * dice.random(), 2) for _ in range(2)]
            size = [round(1 + 300 * dice.random(), 2) for _ in range(2)]
            row = {
                "image_id": key,
                "category_id": dice.randrange(90),
                "bbox": corner + size,
                "score": round(dice.random(), 3),
            }
            file.write(f"{',' if number else '['} {json.dumps(row)}")
        file.write("]")
    rows = (f"{key},{uuid.UUID(int=(1 << 100) + key)},CAM\n" for key in range(scenes))
    places.write_text(f"key,scene_uuid,stream\n{''.join(rows)}")
    return str(results), str(places)
