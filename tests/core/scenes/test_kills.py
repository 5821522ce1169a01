"""An upload by external ids that is killed, again and again: each scene gets its prediction once."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections import Counter
from pathlib import Path

from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import content
from tests.patience import wait_for

COUNT, KILLS = 240, 2
SCENES = "GET /v2/scenes/{uuid}"


def test_kills_send_nothing_twice_and_ask_for_nothing_again(emulator: Emulator, tmp_path: Path) -> None:
    """Names mean other scenes after each kill; what was asked for before one is known to the next try."""
    dataset, calibration = str(uuid.uuid4()), str(uuid.uuid4())
    scenes = [str(uuid.uuid4()) for _ in range(COUNT)]
    others = [str(uuid.uuid4()) for _ in range(COUNT)]
    described = {"cameras": ["CAM"], "frame_relative_times": [0], "calibration": calibration}

    def mean(which: list[str]) -> None:
        emulator.seed(
            scenes=[{"uuid": s, "external_id": f"{dataset}-{i}", **described} for i, s in enumerate(which)]
        )

    emulator.seed(
        datasets=[{"name": dataset, "uuid": dataset, "scenes": [*scenes, *others]}],
        calibrations=[{"id": calibration, "cameras": {"CAM": [640, 480]}}],
    )
    mean(scenes)
    source = tmp_path / "predictions"
    source.mkdir()
    for index in range(COUNT):
        (source / f"{dataset}-{index}.json").write_text(json.dumps(content(index)))
    group = emulator.create_group(dataset)
    slow = {"kind": "latency", "seconds": 0.02, "match": {"path": "^/v[12]/"}}
    emulator.set_faults(input_api=True, predictions_listing=True, rules=[slow])
    emulator.reset_stats()
    told = {
        "url": emulator.url,
        "id": emulator.client_id,
        "secret": emulator.client_secret,
        "group": group,
        "folder": str(tmp_path / "journal"),
        "source": str(source),
        "ttl": 2.0,
    }

    def started() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.core.scenes.killed_upload", json.dumps(told)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
        )

    for kill in range(1, KILLS + 1):
        process = started()
        wait_for(lambda: emulator.count_predictions(group) >= kill * COUNT // (KILLS + 2))  # noqa: B023
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        if kill == 1:
            # All names are known by then: there are fewer than a request takes, or nearly so.
            emulator.seed(
                scenes=[
                    *({"uuid": s, "external_id": f"gone-{s}", **described} for s in scenes),
                    *(
                        {"uuid": s, "external_id": f"{dataset}-{i}", **described}
                        for i, s in enumerate(others)
                    ),
                ]
            )
    with started() as last:
        out, _ = last.communicate()
    summary = json.loads(out)

    assert summary["uploaded"] + summary["skipped"] == summary["total"] == COUNT, summary
    stored = Counter(row["scene_uuid"] for row in emulator.predictions(group))
    assert max(stored.values()) == 1
    assert sum(stored.values()) == COUNT
    by_name = [{scenes[index], others[index]} & set(stored) for index in range(COUNT)]
    assert all(len(found) == 1 for found in by_name)
    stats = emulator.stats()
    # What was on its way at a kill may be asked for again.
    assert sum(stats["requests"][SCENES].values()) <= COUNT + 10 * KILLS
    assert sum(stats["requests"]["GET /v1/calibrations"].values()) == 1
    assert stats["most_in_flight"] <= 10
