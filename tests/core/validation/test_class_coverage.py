"""Classes without a row in the class mapping are refused before anything is sent, and the missing rows printed."""

import ast
import json
import logging
import re
from typing import Any

import pytest

from airflow_provider_kognic.core.api.dataset_api.records import PredictionsGroup
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.openlabel import check
from airflow_provider_kognic.core.sources.rows import RowsSource
from airflow_provider_kognic.core.validation.class_coverage import ClassCoverage, class_coverage
from airflow_provider_kognic.core.validation.class_mapping import class_mapping_rows
from airflow_provider_kognic.core.validation.dataset import DatasetCheck
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.documents import boxes, segmentation
from tests.core.support import content, rows, settings_for, upload_all

UNKNOWN = "00000000-0000-4000-8000-00000000000f"


def row(scene: str, document: Any) -> dict[str, Any]:
    return {"sceneUuid": scene, "openlabelContent": document}


def group_row(**more: Any) -> PredictionsGroup:
    return PredictionsGroup.from_api({"uuid": UNKNOWN, "name": "g", **more})


ROWS = [{"annotated": "road", "predicted": "street"}, {"predicted": "Car"}, {"annotated": "oak"}]


@pytest.mark.parametrize(
    "raw",
    [
        {"classMapping": ROWS},
        {"class_mapping": ROWS},
        {"classMapping": [*ROWS, {"id": 7}, "text", {"annotated": None}]},
        {"classMapping": [{**one, "id": "x"} for one in ROWS]},
        {"classMapping": {"road": "street", "oak": None, "x": "Car"}},
    ],
)
def test_the_groups_own_mapping_is_read_leniently(raw: dict[str, Any]) -> None:
    """Kognic does not document that a group shows it, nor how."""
    coverage = class_coverage(group_row(**raw), None)
    assert coverage is not None
    coverage.check(check(json.dumps(content()).encode()))
    document = content()
    document["openlabel"]["objects"]["1"]["type"] = "oak"
    with pytest.raises(
        Refused, match="the group's class mapping has no row whose 'predicted' is 'oak'"
    ) as caught:
        coverage.check(check(json.dumps(document).encode()))
    assert caught.value.reason == "class_not_mapped"


@pytest.mark.parametrize("shown", [{}, {"classMapping": None}, {"classMapping": []}, {"classMapping": "?"}])
def test_where_the_group_shows_none_the_given_one_counts(
    shown: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """And where neither is there, nothing is checked, and that is said."""
    caplog.set_level(logging.INFO, "airflow_provider_kognic")
    given = class_coverage(group_row(**shown), {"auto": "Car"})
    assert given is not None
    given.check(check(json.dumps(content()).encode()))
    assert class_coverage(group_row(**shown), None) is None
    assert "classes are not checked" in caplog.text
    assert class_coverage(None, None) is None
    with pytest.raises(KognicInputError):
        class_coverage(None, "text")


def test_the_group_counts_where_both_are_there(caplog: pytest.LogCaptureFixture) -> None:
    """And a difference is said."""
    coverage = class_coverage(group_row(classMapping=[{"predicted": "Van"}]), [{"predicted": "Car"}])
    assert coverage is not None
    with pytest.raises(Refused):
        coverage.check(check(json.dumps(content()).encode()))
    assert "the group's counts" in caplog.text


def test_missing_rows_are_printed_ready_to_paste(
    emulator: Emulator, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, at the end; what is pasted makes a mapping in which nothing is missing any more."""
    odd = boxes()
    for item in odd["openlabel"]["objects"].values():
        item["type"] = "Straßen\"bahn'"
    bitmap = segmentation()
    source = RowsSource(
        [*rows(2).rows, *(row(demo.scene_uuid(n), d) for n, d in ((2, odd), (3, bitmap), (4, odd)))]
    )
    coverage = ClassCoverage([{"annotated": "a", "predicted": "Car"}], "the group's class mapping")

    run = upload_all(source, settings_for(emulator), group, dataset_check=DatasetCheck(None, coverage))

    assert run.report.reasons == {"class_not_mapped": 3}
    assert run.counts() == (2, 3, 0, 0)
    said = [one.getMessage() for one in caplog.records if "Ready to paste" in one.getMessage()]
    assert len(said) == 2
    lacks, background = said
    python = re.search(r"class_mapping=\{\.\.\.\}:\n((?:    .*\n)+)JSON", lacks)
    jsons = re.search(r"classMapping:\n((?:    .*\n?)+)", lacks)
    assert python is not None
    assert jsons is not None
    pasted = class_mapping_rows(ast.literal_eval("{" + python[1] + "}"))
    assert pasted == json.loads("[" + jsons[1].rstrip().rstrip(",") + "]")
    assert pasted is not None
    assert "'_background': None" in background
    assert '{"annotated": "_background"}' in background
    mended = ClassCoverage([{"predicted": "Car"}, {"annotated": "_background"}, *pasted], "it")
    for document in (content(), odd, bitmap):
        mended.check(check(json.dumps(document).encode()))
    caplog.clear()
    mended.log_missing_rows()
    assert not caplog.records


def test_background_is_asked_for_with_segmentation_only(caplog: pytest.LogCaptureFixture) -> None:
    """Boxes have no background; and it is a warning, not a refusal."""
    coverage = ClassCoverage([{"predicted": name} for name in ("Car", "_background", "road")], "it")
    coverage.check(check(json.dumps(content()).encode()))
    coverage.log_missing_rows()
    assert not caplog.records
    coverage.check(check(json.dumps(segmentation()).encode()))
    coverage.log_missing_rows()
    assert "It has no row whose 'annotated' is '_background'" in caplog.text


def test_many_and_long_names_stay_within_bounds(caplog: pytest.LogCaptureFixture) -> None:
    """A document may hold any number of names of any length."""
    document = content()
    document["openlabel"]["objects"] |= {
        str(n): {"name": "x", "type": f"{n}" * (1 + 1000 * (n % 2))} for n in range(2, 3000)
    }
    coverage = ClassCoverage([], "the mapping")
    with pytest.raises(Refused) as caught:
        coverage.check(check(json.dumps(document).encode()))
    coverage.log_missing_rows()
    assert len(caught.value.message) < 2000
    assert len(caplog.text) < 60_000
    assert "too many or too long to list" in caplog.text
