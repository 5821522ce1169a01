"""Documents against their scenes, in a real upload: what does not fit is found, what fits is not refused."""

import copy
import json
import logging
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.api.input_api.records import Calibration, SceneSummary
from airflow_provider_kognic.core.errors import KognicRowError
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.openlabel.against_scene import hold_against
from airflow_provider_kognic.core.openlabel.issues import Issues
from airflow_provider_kognic.core.openlabel.scene_rules import SCENE_RULES
from airflow_provider_kognic.core.scenes.cache import SceneCache
from airflow_provider_kognic.core.scenes.facts import Scene
from airflow_provider_kognic.core.scenes.known import KnownScenes
from airflow_provider_kognic.core.sources.rows import RowsSource
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import UUID

from .worlds import (
    CALIBRATIONS,
    PLANTED,
    SCENES,
    SETUPS,
    STATUSES,
    World,
    data_of,
    first_frame,
    full,
    planted,
    right,
    upload_checked,
)


@pytest.mark.parametrize("names", ["snake_case", "camelCase"])
def test_what_does_not_fit_its_scene_is_found_for_the_right_reason(
    emulator: Emulator, caplog: pytest.LogCaptureFixture, names: str
) -> None:
    """Forty of them, of each kind: refused, or warned of where a warning is what the rule asks for."""
    wanted = [(spoil, rule, SETUPS[number]) for spoil, rule, setups in PLANTED for number in setups]
    world = World(emulator, [setup for _, _, setup in wanted] + [SETUPS[2]] * (len(STATUSES) + 2))
    emulator.change_faults(calibration_names=names, input_envelope=names == "camelCase")
    rules = [rule for _, rule, _ in wanted]
    documents = [planted(spoil, setup) for spoil, _, setup in wanted]
    others = world.scenes[len(wanted) :]
    for scene, status in zip(others, STATUSES, strict=False):
        emulator.set_scene_status(scene, status)
    emulator.seed(scenes=[{"uuid": others[-2], "status": "failed", "error_message": "no points"}])
    gone = world.scenes[-1] = "00000000-0000-4000-8000-00000000aaaa"
    rules += ["scene_status"] * (len(STATUSES) + 1) + ["scene_unknown"]
    documents += [full(SETUPS[2])] * (len(STATUSES) + 2)
    assert len(documents) >= 40

    with caplog.at_level(logging.WARNING):
        done = upload_checked(world, world.rows(documents), max_range_m=100)

    found = {}
    for scene, rule in zip(world.scenes, rules, strict=True):
        result = done.results[scene]
        if rule == "scene_range":
            assert result.outcome is Outcome.CREATED
            said = next((one for one in caplog.messages if scene in one), "")
        else:
            assert (result.outcome, result.reason) == (Outcome.REFUSED, "scene_mismatch"), (rule, result)
            said = str(result.message)
        found[scene] = rule if re.search(rf"\b{rule}:? at ", said) else said
    assert Counter(found.values()) == Counter(rules)
    assert set(rules) == {rule.identifier for rule in SCENE_RULES}
    assert gone in str(done.results[gone].message)
    assert done.counts["refused"] == len(rules) - rules.count("scene_range")
    assert done.counts["warned"] == rules.count("scene_range")
    assert done.counts["unchecked"] == 0
    stats = emulator.stats()
    assert world.asked(SCENES) == len(world.scenes)
    assert world.asked(CALIBRATIONS) <= len(SETUPS)
    assert stats["most_in_flight"] <= 10


def test_a_thousand_documents_that_fit_are_all_sent(emulator: Emulator, tmp_path: Path) -> None:
    """Over several setups, with boxes over the edge, whichever frames and streams they have.

    Each scene is asked for once, and not again by another try that has the cache.
    """
    chance = random.Random(15)
    world = World(emulator, [chance.choice(SETUPS) for _ in range(1000)])
    source = world.rows([right(setup, chance) for setup in world.setups])

    done = upload_checked(world, source, max_range_m=100, folder=tmp_path)

    refused = [one for one in done.results.values() if one.outcome is not Outcome.CREATED]
    assert not refused
    assert done.counts == {"checked": 1000, "unchecked": 0, "refused": 0, "warned": 0, "found": {}}
    assert (world.asked(SCENES), world.asked(CALIBRATIONS)) == (1000, len(SETUPS))
    assert emulator.stats()["most_in_flight"] <= 10

    emulator.reset_stats()
    world.group = emulator.create_group(world.dataset)
    few = RowsSource(source.rows[::4])
    again = upload_checked(world, few, max_range_m=100, folder=tmp_path)
    assert again.counts == {**done.counts, "checked": 250}
    assert (world.asked(SCENES), world.asked(CALIBRATIONS)) == (0, 0)


def test_as_a_warning_it_is_said_and_sent(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    world = World(emulator, [SETUPS[0]] * 3)
    documents = [full(SETUPS[0]), *(planted(spoil, SETUPS[0]) for spoil, _, _ in PLANTED[:2])]
    with caplog.at_level(logging.WARNING):
        done = upload_checked(world, world.rows(documents), mode="warn")
    assert {one.outcome for one in done.results.values()} == {Outcome.CREATED}
    assert done.counts == {
        "checked": 3,
        "unchecked": 0,
        "refused": 0,
        "warned": 2,
        "found": {"scene_stream": 2},
    }
    said = [
        line for line in caplog.messages if line.startswith("warning: scene_stream: at openlabel.streams.")
    ]
    assert [sum(scene in line for line in said) for scene in world.scenes] == [0, 1, 1]


def test_what_is_not_known_of_a_scene_is_not_held_against_a_document(emulator: Emulator) -> None:
    """No sensors, no frames, no calibration, or one that does not say how large its images are."""
    setup = SETUPS[2]
    world = World(emulator, [setup] * 4)
    emulator.seed(
        scenes=[
            {"uuid": world.scenes[0]},
            {"uuid": world.scenes[1], "cameras": sorted(setup.cameras), "lidars": list(setup.lidars)},
            {"uuid": world.scenes[2], "frame_relative_times": list(setup.times), "calibration": "nobody's"},
            {
                "uuid": world.scenes[3],
                "cameras": sorted(setup.cameras),
                "lidars": list(setup.lidars),
                "calibration": "nobody's",
            },
        ]
    )
    spoiled = [planted(spoil, setup) for spoil, _, _ in (PLANTED[0], PLANTED[3], PLANTED[9], PLANTED[7])]
    done = upload_checked(world, world.rows(spoiled))
    assert {one.outcome for one in done.results.values()} == {Outcome.CREATED}


def test_without_the_rules_of_validation_the_scene_still_counts(emulator: Emulator) -> None:
    """Also for geometries that Kognic does not take, and whatever else is odd in a document."""
    setup = SETUPS[0]
    documents = [full(setup) for _ in range(5)]
    frame = first_frame(documents[0])
    polygon = {
        "val": [5000, 5, 6000, 5, 6000, 9],
        "attributes": {"text": [{"name": "stream", "val": "front"}]},
    }
    frame["objects"]["1"]["object_data"] = {"poly2d": [polygon, {**polygon, "val": ["x", 1]}], "bbox": 7}
    undeclared = {**polygon, "val": [1, 1, 1, 1]}
    undeclared["attributes"] = {"text": [{"name": "stream", "val": "nowhere"}]}
    first_frame(documents[1])["objects"]["1"]["object_data"] = {"bbox": [undeclared], "cuboid": [undeclared]}
    documents[2]["openlabel"] = {"frames": [], "streams": 3, "objects": None}
    documents[3]["openlabel"]["frames"]["0"] = {"objects": [], "frame_properties": {"timestamp": "0"}}
    data_of(documents[4], "7")["image"][0]["val"] = "no PNG"
    world = World(emulator, [setup] * 5)
    emulator.change_faults(validate_openlabel=False)
    done = upload_checked(world, world.rows(documents), options={"validation": "off"})
    outcomes = [done.results[scene].outcome for scene in world.scenes]
    assert outcomes == [Outcome.REFUSED, Outcome.REFUSED, *[Outcome.CREATED] * 3]
    messages = [str(done.results[scene].message) for scene in world.scenes]
    assert (
        'poly2d[0].val: x from 5000 to 6000, y from 5 to 9; images of "front" are 1,920 x 1,080'
        in messages[0]
    )
    assert 'the camera "nowhere"' in messages[1]


@pytest.mark.parametrize(
    ("times", "stamps", "rule"),
    [
        ((0, 100), (0, 100), None),
        ((0.0, 33.3, 66.7), (0, 33, 67), None),
        ((5,), (0,), None),
        ((5,), (5,), None),
        ((5,), (6,), "scene_frame"),
        ((100, 200), (0,), "scene_frame"),
        ((0, 33.3, 66.7), (35,), "scene_timestamp"),
        ((), (7, 8), None),
    ],
)
def test_which_timestamps_match(times: tuple[float, ...], stamps: tuple[int, ...], rule: str | None) -> None:
    issues = Issues()
    frames = {str(i): {"frame_properties": {"timestamp": stamp}} for i, stamp in enumerate(stamps)}
    document = json.dumps({"openlabel": {"frames": frames}}).encode()
    hold_against(document, Scene("0" * 36, times=times), issues)
    assert list(issues.counts) == ([] if rule is None else [rule])


@pytest.mark.parametrize(
    ("val", "outside"),
    [
        ([0, 0, 10, 10], False),
        ([-5, 5, 10, 10], False),  # it ends where the image begins
        ([-6, 5, 10, 10], False),  # a pixel is rounding
        ([-6.1, 5, 10, 10], True),
        ([105, 5, 10, 10], False),
        ([106.1, 5, 10, 10], True),
        ([50, 54.9, 10, 9.9], False),
        ([50, 56.1, 10, 10], True),
        ([5, 5, -20, 20], False),  # no size, and no place outside either
        ([50, -9, 10, 10], True),
        ([50, 25, 9000, 9000], False),
    ],
)
def test_a_box_over_the_edge_is_in_the_image(val: list[float], *, outside: bool) -> None:
    issues = Issues()
    box = {"val": val, "attributes": {"text": [{"name": "stream", "val": "c"}]}}
    frames = {"0": {"objects": {"1": {"object_data": {"bbox": [box]}}}}}
    document = json.dumps({"openlabel": {"streams": {"c": {"type": "camera"}}, "frames": frames}}).encode()
    hold_against(document, Scene("0" * 36, image_sizes={"c": (100, 50)}), issues)
    assert list(issues.counts) == ["scene_box"] * outside


def test_a_box_that_was_cut_at_the_edge_is_in_the_image() -> None:
    """However the numbers of its centre and size were rounded, by the computer or by whoever wrote them."""
    chance = random.Random(4)
    boxes = []
    for digits in (0, 1, 2, 17):
        for _ in range(100):
            width, height = chance.uniform(0.1, 300), chance.uniform(0.1, 300)
            x = chance.choice([-width / 2, 321 + width / 2])
            y = chance.choice([-height / 2, 241 + height / 2])
            val = [round(one, digits) for one in (x, y, width, height)]
            boxes.append({"val": val, "attributes": {"text": [{"name": "stream", "val": "c"}]}})
    frames = {"0": {"objects": {"1": {"object_data": {"bbox": boxes}}}}}
    document = json.dumps({"openlabel": {"streams": {"c": {"type": "camera"}}, "frames": frames}}).encode()
    issues = Issues()
    hold_against(document, Scene("0" * 36, image_sizes={"c": (321, 241)}), issues)
    assert not issues.counts


HUGE = 10**400


@pytest.mark.parametrize("kind", ["timestamp", "bbox", "cuboid", "point2d"])
def test_a_number_that_no_float_holds_is_nothing_to_this_check(kind: str) -> None:
    """Another rule refuses it, or nobody does where no rule is checked; the upload goes on."""
    one = {"val": [HUGE] * 10, "attributes": {"text": [{"name": "stream", "val": "c"}]}}
    frame: dict[str, Any] = {"frame_properties": {"timestamp": HUGE if kind == "timestamp" else 0}}
    frame["objects"] = {
        "1": {"object_data": {kind: [one, {**one, "val": [HUGE] * 4}, {**one, "val": [HUGE, 1]}]}}
    }
    document = {"openlabel": {"streams": {"c": {"type": "camera"}}, "frames": {"0": frame}}}
    scene = Scene("0" * 36, times=(0, 100), image_sizes={"c": (100, 50)})
    issues = Issues()
    hold_against(json.dumps(document).encode(), scene, issues, max_range_m=100)
    assert not issues.counts


def test_whatever_stands_in_a_document_the_check_goes_on() -> None:
    """Also where no other rule is checked before: any value in any place."""
    chance = random.Random(11)
    odd = [None, True, -1, HUGE, 1e308, "", "x", [], {}, [None], [[1]], {"a": None}, [HUGE] * 4, ["1"] * 10]
    right = json.dumps(full(SETUPS[2]))
    setup = SETUPS[2]
    scene = Scene(UUID, frozenset(setup.cameras), frozenset(setup.lidars), setup.times, None, setup.cameras)
    for _ in range(1500):
        document = json.loads(right)
        for _ in range(chance.randint(1, 3)):
            within = document
            while isinstance(within, (dict, list)) and within:
                key = chance.choice(sorted(within) if isinstance(within, dict) else range(len(within)))
                if chance.random() < 0.2:
                    within[key] = copy.deepcopy(chance.choice(odd))
                    break
                within = within[key]
        hold_against(json.dumps(document).encode(), scene, Issues(), max_range_m=100)


def test_a_scene_of_numbers_that_no_float_holds_goes_without_them() -> None:
    summary = {"sceneUuid": UUID, "frameRelativeTimes": [0, HUGE]}
    with pytest.raises(KognicRowError, match="no list of numbers"):
        SceneSummary.from_api(summary)
    sensors = {"a": {"imageWidth": HUGE, "imageHeight": 1}, "b": {"imageWidth": 1.5, "imageHeight": 1}}
    assert Calibration.from_api({"id": "1", "calibration": sensors}, "1").image_sizes == {}
    row = Scene(UUID, times=(0,)).to_row()
    with pytest.raises(ValueError, match="no times"):
        Scene.from_row({**row, "times": [HUGE]})


@pytest.mark.parametrize(
    ("lidars", "kind", "fits"),
    [
        (None, "cameras", False),
        (None, "CAMERAS_SEQUENCE", False),
        ([], "cameras", False),
        (["top"], "lidars_and_cameras", True),
        # What is not said, or said both ways, is not known.
        (None, "lidars_and_cameras", True),
        ([], "lidars_and_cameras_sequence", True),
        (None, "surround_point_clouds", True),
        (None, None, True),
    ],
)
def test_which_scenes_have_no_lidar(lidars: list[str] | None, kind: str | None, *, fits: bool) -> None:
    told = {"sceneUuid": UUID, "cameras": ["c"], "lidars": lidars, "sceneType": kind}

    class Api:
        def scene(self, _: str) -> SceneSummary:
            return SceneSummary.from_api(told)

    known = KnownScenes(Api(), SceneCache(None, "h"))  # type: ignore[arg-type]
    scene = known.scene(UUID)
    assert scene is not None
    issues = Issues()
    hold_against(b'{"openlabel": {"streams": {"@lidar": {"type": "lidar"}}, "frames": {}}}', scene, issues)
    assert (not issues.counts) is fits
