"""Arguments: each is checked where the DAG file is parsed, as far as it is known, and rendered when a task runs."""

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.options import MaxFailures, OnAmbiguous, UploadOptions, Validation
from airflow_provider_kognic.core.sources.formats.options import FormatOptions
from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.task.arguments import (
    OnLostJournal,
    check_journal,
    check_rows_path,
    check_something,
    check_text,
    serializable,
)
from airflow_provider_kognic.task.arguments.records import GroupArguments, UploadArguments
from airflow_provider_kognic.task.arguments.rendering import is_template
from airflow_provider_kognic.task.arguments.scenes import SceneNames

GROUP = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
ROWS = [{"annotated": "oak", "predicted": "tree"}]


def upload(**given: Any) -> UploadPredictionsOperator:
    arguments = {"task_id": "upload", "predictions": "/p", "predictions_group_uuid": GROUP, **given}
    return UploadPredictionsOperator(**arguments)


def rendered(**given: Any) -> UploadArguments:
    """The record of a task whose arguments were templates and became these."""
    operator = upload()
    for name, value in given.items():
        setattr(operator, name, value)
    return UploadArguments.of(operator, max_connections=4)


def test_the_record_of_the_defaults() -> None:
    assert rendered() == UploadArguments(
        group=GROUP,
        predictions="/p",
        manifest=None,
        dataset=None,
        formats=FormatOptions(),
        max_refused_rows=None,
        options=UploadOptions(max_connections=4),
        journal=None,
        force=False,
        on_lost_journal=OnLostJournal.FAIL,
        receipts=None,
        class_mapping=None,
        dry_run=False,
        report=None,
        scene_names=SceneNames.UUID,
        scene_cache=None,
        run_manifest=None,
    )


def test_the_record_of_rendered_text() -> None:
    """Each value is what it should be, however it was written."""
    found = rendered(
        predictions_group_uuid=GROUP.upper(),
        dataset=20260131,
        max_connections="3",
        max_failures="2%",
        on_ambiguous="skip",
        journal=" False ",
        force="yes",
        receipts="None",
        class_mapping={"oak": "tree", "x": None},
        dry_run="0",
    )
    assert (found.group, found.dataset, found.journal) == (GROUP, "20260131", False)
    assert found.options == UploadOptions(
        max_connections=3, max_failures=MaxFailures(2, percent=True), on_ambiguous=OnAmbiguous.SKIP
    )
    assert (found.force, found.dry_run, found.receipts) == (True, False, None)
    assert found.class_mapping == [*ROWS, {"annotated": "x"}]


def test_what_is_not_used_is_not_looked_at() -> None:
    """A DAG that turns things off by a parameter may leave the rest as it is."""
    assert rendered(report="plan.md").report is None
    dry = rendered(dry_run=True, receipts="r.csv", report="plan.jsonl")
    assert (dry.receipts, dry.report) == (None, "plan.jsonl")
    off = rendered(validation="off", class_mapping="rows")
    assert (off.options.validation, off.class_mapping) == (Validation.OFF, None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"predictions_group_uuid": "nope"}, "is no uuid of a predictions group"),
        ({"dataset": True}, "'dataset' must be text, not True"),
        ({"max_connections": 11}, "max_connections must be a whole number from 1 to 10"),
        ({"max_failures": None}, "max_failures must be a count"),
        ({"max_failures": "{{ no }}"}, "max_failures must be a count"),
        ({"journal": "true"}, "journal must be a folder, .* not 'true'"),
        ({"force": "None"}, "force must be true or false, not 'None'"),
        ({"dry_run": None}, "dry_run must be true or false"),
        ({"receipts": "r.csv"}, "receipts must be the path of a .jsonl file, not 'r.csv'"),
        ({"dry_run": True, "report": 7}, "report must be the path of a .jsonl file, not 7"),
        ({"class_mapping": "rows"}, "class_mapping is str"),
        ({"max_refused_rows": "lots"}, "max_refused_rows must be a count"),
        ({"predictions_format": "pickle"}, "predictions_format must be one of 'openlabel', 'av2', 'coco'"),
        ({"predictions_format": []}, "predictions_format must be one of"),
        ({"predictions_format": "coco"}, "predictions_format='coco' needs 'scenes'"),
        ({"classes": {"1": "Car"}}, "'classes' goes with the format of a model"),
        ({"unknown_class": None}, "unknown_class must be one of 'error', 'skip', 'keep', not None"),
        ({"confidence": "None"}, "confidence must be one of"),
        ({"empty_scenes": []}, "empty_scenes must be one of"),
        ({"min_confidence": "high"}, "min_confidence must be a number from 0 to 1"),
        ({"min_confidence": {"Car": True}}, "min_confidence must be a number from 0 to 1"),
        ({"max_per_frame": "0"}, "max_per_frame must be a whole number above 0"),
        ({"classes_only": "Car"}, "classes_only must be a list of names of classes"),
        ({"annotations": "/a.json"}, "'annotations' goes with the format of a model"),
        (
            {"predictions_format": "mot", "scenes": "/s.csv", "annotations": "/a.json"},
            "'annotations' does not go with predictions_format='mot'",
        ),
        (
            {"predictions_format": "masks", "scenes": "/s.csv", "label_ids": "ids"},
            "label_ids must be one of 'labelIds', 'trainIds', not 'ids'",
        ),
    ],
)
def test_what_a_template_rendered_to_is_checked(given: dict[str, Any], message: str) -> None:
    with pytest.raises(KognicInputError, match=message):
        rendered(**given)


@pytest.mark.parametrize("name", UploadPredictionsOperator.template_fields)
def test_a_template_is_not_judged_where_the_dag_is_parsed(name: str) -> None:
    other = {"predictions": None} if name == "manifest" else {}
    assert getattr(upload(**{**other, name: "{{ ds }}"}), name) == "{{ ds }}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "{{ ds }}") for name in ("outage_timeout", "on_ambiguous", "settle_after", "on_changed")),
        *((name, "{{ ds }}") for name in ("validation", "max_document_bytes")),
        *((name, None) for name in ("outage_timeout", "on_ambiguous", "max_failures", "validation")),
    ],
)
def test_what_is_no_template_field_and_what_is_nothing_is_judged(name: str, value: Any) -> None:
    """It would not be rendered: that is said at once, and no default takes its place."""
    with pytest.raises(KognicInputError, match=f"{name} must be"):
        upload(**{name: value})


def test_what_a_model_wrote_is_told_in_text_as_templates_make_it() -> None:
    found = rendered(
        predictions_format="coco",
        scenes="/s.csv",
        min_confidence="0.25",
        max_per_frame="100",
        classes_only=["Car"],
        empty_scenes="send",
        annotations="/a.json",
        max_refused_rows="1%",
    )
    assert found.formats == FormatOptions.of(
        format="coco",
        scenes="/s.csv",
        min_confidence=0.25,
        max_per_frame=100,
        classes_only=("Car",),
        empty_scenes="send",
        arguments={"annotations": "/a.json"},
    )
    assert found.max_refused_rows == MaxFailures(1, percent=True)


@pytest.mark.parametrize(
    "name",
    [
        *("predictions_format", "scenes", "classes", "min_confidence", "max_per_frame", "classes_only"),
        *("annotations", "label_ids"),
    ],
)
def test_what_a_template_makes_of_none_switches_no_filter_off(name: str) -> None:
    """Once the word was the same as nothing given, and everything went up unfiltered."""
    with pytest.raises(
        KognicInputError, match=rf"^'{name}' is ' None', which is what a template makes of no"
    ):
        rendered(**{name: " None"})
    with pytest.raises(KognicInputError, match=r"max_refused_rows must be a count .* not 'None'"):
        rendered(max_refused_rows="None")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"predictions_format": "pickle", "scenes": "{{ ds }}"}, "predictions_format must be one of"),
        ({"predictions_format": "coco"}, "needs 'scenes'"),
        ({"predictions_format": "masks", "scenes": "{{ ds }}", "label_ids": "ids"}, "label_ids must be one"),
        ({"predictions_format": "mot", "scenes": "{{ ds }}", "annotations": "/a.json"}, "does not go with"),
        ({"min_confidence": 1.5, "scenes": "{{ ds }}"}, "min_confidence must be"),
        ({"max_refused_rows": "lots"}, "max_refused_rows must be a count"),
    ],
)
def test_what_is_wrong_with_how_a_file_is_read_is_said_where_the_dag_is_parsed(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(KognicInputError, match=message):
        upload(**given)


def test_what_a_template_leaves_open_is_not_judged_by_what_is_known() -> None:
    """Only together do they say whether they go together."""
    upload(predictions_format="{{ params.format }}", classes={"1": "Car"}, annotations="/a.json")
    upload(predictions_format="masks", scenes="{{ ds }}", label_ids="{{ params.ids }}")
    upload(scenes="/s.csv", annotations="/a.json")


# --- a group's arguments ---


def group_arguments(**given: Any) -> GroupArguments:
    operator = CreatePredictionsGroupOperator(task_id="create", dataset="d", name="n")
    for name, value in given.items():
        setattr(operator, name, value)
    return GroupArguments.of(operator)


def test_the_record_of_a_group() -> None:
    found = group_arguments(name=7, description=8, class_mapping={"oak": "tree"}, if_exists="create")
    assert (found.dataset, found.name, found.description) == ("d", "7", "8")
    assert (found.class_mapping, found.from_predictions, found.overrides) == (ROWS, False, None)
    assert group_arguments(class_mapping="None").class_mapping is None
    surveyed = group_arguments(
        class_mapping="from_predictions", predictions="/p", class_mapping_overrides=ROWS
    )
    assert (surveyed.class_mapping, surveyed.from_predictions, surveyed.overrides) == (None, True, ROWS)


def test_a_group_may_have_the_arguments_of_a_format_that_all_tasks_have() -> None:
    """`default_args` give them to each task; what is wrong with them is said all the same."""
    how: dict[str, Any] = {"predictions_format": "mot", "scenes": "/s.csv", "classes": {"*": "Person"}}
    assert group_arguments(class_mapping=ROWS, **how).class_mapping == ROWS


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": None}, "'name' must be text, not None"),
        ({"min_confidence": 2}, "min_confidence must be"),
        ({"dataset": 1.5}, "'dataset' must be text, not 1.5"),
        ({"if_exists": "replace"}, "if_exists must be one of 'reuse', 'fail', 'create', not 'replace'"),
        (
            {"class_mapping": "rows"},
            "class_mapping must be rows, a dict, 'from_predictions', or the path .* not 'rows'",
        ),
        ({"manifest": "/m.csv"}, "'manifest' is for class_mapping='from_predictions' or a proposal only"),
        ({"class_mapping": "from_predictions"}, "'predictions' or 'manifest'; neither is given"),
        (
            {"class_mapping": "from_predictions", "predictions": "/p", "manifest": "/m.csv"},
            "'predictions' or 'manifest'; both are given",
        ),
    ],
)
def test_a_groups_arguments_are_checked(given: dict[str, Any], message: str) -> None:
    with pytest.raises(KognicInputError, match=message):
        group_arguments(**given)


# --- single values ---


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{{ ds }}", True),
        ("{% if x %}", True),
        ("/p", False),
        (None, False),
        (3, False),
        (Path("/p"), True),
        (print, True),
    ],
)
def test_what_is_only_known_when_the_task_runs(value: Any, expected: bool) -> None:  # noqa: FBT001
    """A path object counts as one: `resolve` is what another task's result is told by."""
    assert is_template(value) is expected


def test_a_function_is_called_in_a_template_fields_place() -> None:
    assert is_template(print)
    assert not is_template(OnLostJournal.FAIL)


def test_a_mapping_with_the_key_none_is_kept_as_rows() -> None:
    """JSON has no such key."""
    assert serializable({None: "x", "oak": "tree"}) == [
        {"annotated": None, "predicted": "x"},
        {"annotated": "oak", "predicted": "tree"},
    ]
    others: list[Any] = [{"oak": "tree"}, ROWS, None, "{{ x }}"]
    for mapping in others:
        assert serializable(mapping) is mapping


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, None), ("NONE", None), (False, False), ("false", False), ("/j", "/j"), ("", ""), ("3", "3")],
)
def test_a_journal_is_a_folder_or_one_of_two_words(value: Any, expected: Any) -> None:
    assert check_journal(value) == expected


def test_a_path_of_rows_may_be_an_object(tmp_path: Path) -> None:
    assert check_rows_path(tmp_path / "r.jsonl", "receipts") == tmp_path / "r.jsonl"
    assert check_rows_path("none", "receipts") is None


@pytest.mark.parametrize("value", [None, True, 1.5, b"x", ["x"]])
def test_what_is_no_text(value: Any) -> None:
    with pytest.raises(KognicInputError, match="'name' must be text, not"):
        check_text(value, "'name'")


@pytest.mark.parametrize("value", ["", "  \n", "None", " None "])
def test_a_text_that_a_template_makes_of_nothing_is_none(value: str) -> None:
    with pytest.raises(KognicInputError, match=r"^'name' is .* which is what a template makes of nothing"):
        check_something(value, "'name'")


HUGE = {str(number): "x" * 50 for number in range(3000)}


@pytest.mark.parametrize(
    "name",
    [
        *("predictions_group_uuid", "dataset", "max_connections", "max_failures", "allow_empty"),
        *("outage_timeout", "on_ambiguous", "settle_after", "on_changed", "validation", "max_document_bytes"),
        *("max_memory_bytes", "journal", "force", "on_lost_journal", "receipts", "dry_run"),
    ],
)
def test_what_a_template_rendered_to_is_quoted_within_bounds(name: str) -> None:
    with pytest.raises(KognicInputError) as caught:
        rendered(**{name: HUGE})
    assert name.rpartition("predictions_")[2].replace("_uuid", "") in str(caught.value)
    assert len(str(caught.value)) < 2000


def test_so_many_rows_of_a_class_mapping_are_named_as_can_be_read() -> None:
    with pytest.raises(KognicInputError, match=r"row 0: .* is no row; .*; and 2,980 more") as caught:
        rendered(class_mapping=["x" * 5000] * 3000)
    assert len(str(caught.value)) < 10_000
