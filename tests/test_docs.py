"""The documentation says what the code does."""

from __future__ import annotations

import ast
import configparser
import importlib
import inspect
import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "airflow_provider_kognic"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def _rows(page: str, start: str) -> list[list[str]]:
    """The rows of the first table after `start`, without its head."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    after = text[text.index(start) :]
    table = re.search(r"(?:^\|.*\n)+", after, re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines()[2:]]


def test_the_table_of_errors_is_the_one_that_decides() -> None:
    """The table in the docs has the rows of the table in the code, in its order."""
    from airflow_provider_kognic.core.retries import RULES

    assert _rows("uploading.md", "<!-- table of RULES -->") == [[r.happened, r.verdict.value] for r in RULES]


def test_the_page_on_the_connection_has_the_labels_of_the_form() -> None:
    """In the form's order."""
    from airflow_provider_kognic.get_provider_info import CONN_FIELDS, RELABELING

    rows = _rows("connection.md", "<!-- table of the form's fields -->")
    assert [row[:2] for row in rows] == [[f"`{key}`", field["label"]] for key, field in CONN_FIELDS.items()]
    text = (ROOT / "docs" / "connection.md").read_text(encoding="utf-8")
    assert all(f"{label} (`{field}`)" in text for field, label in RELABELING.items())


def _kinds(kind: type[Exception]) -> Iterator[type[Exception]]:
    """An error of the core and all that are one."""
    yield kind
    for narrower in kind.__subclasses__():
        if narrower.__module__ == kind.__module__:
            yield from _kinds(narrower)


def test_the_table_of_reasons_has_each_that_a_receipt_may_hold() -> None:
    """First those with one text, in the code's order and words; then a status, or the name of an error without one.

    A new kind of error has to be put into the docs, or here among those that no prediction ends with by its name.
    """
    from airflow_provider_kognic.core import errors
    from airflow_provider_kognic.core.reasons import Reason, reason_of

    rows = _rows("uploading.md", "<!-- table of reasons -->")
    texts, others = rows[: len(Reason)], [row[0].strip("`") for row in rows[len(Reason) :]]
    assert [(row[0], row[2]) for row in texts] == [(f"`{reason}`", reason.says) for reason in Reason]

    always_with_a_status = {
        *("RateLimitError", "ServerError", "RequestError", "NotFoundError", "UnauthorizedError"),
        *("PermissionError", "UnclearRedirectError"),
    }
    never_of_a_prediction = {
        *("OutageError", "StoppedError", "RowError", "JournalError", "JournalFormatError"),
        *("StoreError", "StoreCredentialsError", "JournalAccessError", "JournalRemovedError"),
    }
    only_their_kinds = {"Error", "UnavailableError", "AuthError", "AmbiguousError"}
    named = set(others) - {"http_<status>"}
    told_apart = [named, always_with_a_status, never_of_a_prediction, only_their_kinds]
    kinds = {kind for kind in _kinds(errors.KognicError) if issubclass(kind, errors.KognicError)}
    assert sorted(reason_of(kind("")) for kind in kinds) == sorted(
        name for some in told_apart for name in some
    )
    assert {reason_of(kind("", status=418)) for kind in kinds} == {"http_418"}
    assert "http_<status>" in others


@pytest.mark.parametrize(("start", "name"), [("document rules", "RULES"), ("entry rules", "ENTRY_RULES")])
def test_the_tables_of_rules_are_those_of_the_checker(start: str, name: str) -> None:
    """The page on validation has a row for each rule, in the code's order and words."""
    from airflow_provider_kognic.core.openlabel import rules

    assert _rows("validation.md", f"<!-- table of {start} -->") == [
        [f"`{rule.identifier}`", rule.severity.value, rule.says, rule.source] for rule in getattr(rules, name)
    ]


def test_the_tables_of_assumptions_are_those_of_the_code_and_of_the_command() -> None:
    """The page on the contract has each assumption with all that the code says of it, in its order and words."""
    from datetime import datetime, timezone

    from airflow_provider_kognic.core.contract.assumptions import ASSUMPTIONS
    from airflow_provider_kognic.core.contract.contract import Contract
    from airflow_provider_kognic.core.contract.report import page, table

    assert _rows("contract.md", "<!-- table of assumptions -->") == [
        [
            f"`{one.name}`",
            one.says,
            ", ".join(f"`{module}`" for module in one.used),
            one.without,
            one.source,
            ", ".join(way.value for way in one.asked),
        ]
        for one in ASSUMPTIONS
    ]
    assert _rows("contract.md", "<!-- table of switches -->") == [
        [f"`{one.name}`", one.switch.confirmed, one.switch.contradicted, one.switch.unknown]
        for one in ASSUMPTIONS
        if one.switch is not None
    ]
    nothing = Contract("dataset.example.com", datetime(2026, 11, 28, tzinfo=timezone.utc))
    shown = [re.fullmatch(r"unknown +(\w+)  +(\S.*)", line) for line in table(nothing).splitlines()]
    assert [[f"`{one[1]}`", one[2]] for one in shown if one] == [
        row[:2] for row in _rows("contract.md", "<!-- table of assumptions -->")
    ]
    assert re.findall(r"^\| (`\w+`) \|", page(nothing), re.MULTILINE) == [
        f"`{one.name}`" for one in ASSUMPTIONS
    ]


def test_the_table_of_scene_rules_is_that_of_the_checker() -> None:
    """The page on scenes has a row for each rule, in the code's order and words."""
    from airflow_provider_kognic.core.openlabel.scene_rules import SCENE_RULES

    assert _rows("scenes.md", "<!-- table of scene rules -->") == [
        [f"`{rule.identifier}`", rule.severity.value, rule.says, rule.source] for rule in SCENE_RULES
    ]


def test_the_limits_are_those_of_the_checker() -> None:
    """The page on validation has each limit, in the order of this list."""
    from airflow_provider_kognic.core import values
    from airflow_provider_kognic.core.geometry.masks.png import MOST_PIXELS
    from airflow_provider_kognic.core.openlabel import issues
    from airflow_provider_kognic.core.openlabel.decoding import limits

    expected = [
        values.MOST_DOCUMENT_BYTES,
        limits.MOST_FRAMES,
        limits.MOST_FRAGMENT_BYTES,
        limits.MOST_FRAGMENT_VALUES,
        limits.MOST_FRAGMENT_CONTAINERS,
        limits.MOST_DEPTH,
        MOST_PIXELS,
        issues.MOST_COUNTED,
    ]
    assert [row[1] for row in _rows("validation.md", "<!-- table of limits -->")] == [
        f"{n:,}" for n in expected
    ]
    page = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    assert issues.MOST_LISTED == 10
    assert "the first ten places" in page
    assert limits.WHOLE_BYTES_EXPLAIN == 4 << 20
    assert "Up to 4 MiB" in page


def test_the_drawing_of_the_layers_is_what_the_linter_holds() -> None:
    """Each contract of layers is drawn, line for line, with what is said of them beside it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {
        contract["containers"][0]: contract["layers"]
        for contract in project["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    }
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    drawing = re.search(r"<!-- drawing of the layers -->\n```text\n(.*?)```", page, re.DOTALL)
    assert drawing is not None
    drawn: dict[str, list[str]] = {}
    for container in drawing[1].strip().split("\n\n"):
        name, *layers = container.splitlines()
        drawn[name] = [re.split(r" {2,}", layer.strip())[0] for layer in layers]
    assert drawn == contracts


def _examples() -> list[tuple[str, str, str]]:
    page = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    example = r"^### (\S+\.json)\n.*?```json\n(.*?)```\n\n```text\n(.*?)```"
    return re.findall(example, page, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("number", range(3))
def test_the_reports_of_the_examples_are_what_is_printed(number: int) -> None:
    """Each example has several faults, and the report below it is the checker's."""
    from airflow_provider_kognic.core.openlabel import check
    from airflow_provider_kognic.core.validation.offline_report import CheckedEntry, Totals, text_report

    name, document, report = _examples()[number]
    found = check(document.encode())
    assert len(found.counts) >= 5
    assert "".join(text_report([CheckedEntry(name, "", found)], Totals())) == report
    assert len(_examples()) == 3


def test_the_arguments_of_the_command_are_documented() -> None:
    """The page on validation has each flag."""
    from airflow_provider_kognic.cli import ARGUMENTS

    named = " ".join(row[0] for row in _rows("validation.md", "| argument | meaning |"))
    flags = [flag for names, _ in ARGUMENTS for flag in names if flag.startswith("-")]
    assert sorted(re.findall(r"--[a-z-]+", named)) == sorted(flags)


def _own_arguments(operator: type[Any]) -> set[str]:
    """The parameters of an operator, without those that belong to one format: the page on formats has these."""
    from airflow_provider_kognic.task.arguments.model_results import OWN

    return {
        name
        for name, parameter in inspect.signature(operator.__init__).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and name not in OWN
    }


def _classes() -> list[tuple[str, str, type[Any]]]:
    from airflow_provider_kognic.operators import classes, sharding
    from airflow_provider_kognic.operators import predictions as operators
    from airflow_provider_kognic.sensors import predictions as sensors

    return [
        ("groups.md", "# Predictions groups", operators.CreatePredictionsGroupOperator),
        ("class-mapping.md", "## SurveyClassesOperator", classes.SurveyClassesOperator),
        ("uploading.md", "## Parameters", operators.UploadPredictionsOperator),
        ("sharding.md", "## Parameters", sharding.ShardPredictionsOperator),
        ("sensors.md", "## PredictionsGroupSensor", sensors.PredictionsGroupSensor),
        ("sensors.md", "## DatasetScenesSensor", sensors.DatasetScenesSensor),
    ]


# Of `_classes`: to import them where tests are collected would make that slow.
CLASSES = 6


@pytest.mark.parametrize("number", range(CLASSES))
def test_every_parameter_is_documented_with_whether_it_is_templated(number: int) -> None:
    """A page's table of parameters names each once, and says `yes` for exactly the templated ones."""
    from airflow_provider_kognic.task.arguments.model_results import OWN

    assert len(_classes()) == CLASSES
    page, start, operator = _classes()[number]
    named = [(name.strip("`"), row[-1]) for row in _rows(page, start) for name in row[0].split(", ")]
    rows = dict(named)
    assert len(rows) == len(named)
    assert set(rows) == _own_arguments(operator)
    templated = {name for name, templated in rows.items() if templated == "yes"}
    assert templated == set(operator.template_fields) - set(OWN)


def test_the_page_on_class_mappings_says_what_the_code_does() -> None:
    """How much is known of annotations, in the code's words; each flag of the command; each part of the file."""
    from airflow_provider_kognic.core.classes.annotations import AnnotatedClasses, Known
    from airflow_provider_kognic.core.classes.counts import LONGEST_NAME, MOST_CLASSES
    from airflow_provider_kognic.core.classes.predictions import PredictedClasses
    from airflow_provider_kognic.core.classes.proposal import propose
    from airflow_provider_kognic.core.classes.proposal_file import as_json

    rows = _rows("class-mapping.md", "<!-- table of how much is known -->")
    assert rows == [[f"`{known.value}`", known.says] for known in Known]
    page = (ROOT / "docs" / "class-mapping.md").read_text(encoding="utf-8")
    assert f"More than {MOST_CLASSES:,} classes, or a class whose name has more than {LONGEST_NAME}" in page
    written = as_json(propose(PredictedClasses({}), AnnotatedClasses()))
    shown = json.loads(re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0])
    assert list(shown) == list(written)
    for part in ("to_look_at", "predictions", "annotations"):
        assert list(shown[part]) == list(written[part])


def test_the_arguments_of_the_command_classes_are_documented() -> None:
    """The page on class mappings has each flag but those of a conversion."""
    import argparse

    from airflow_provider_kognic import convert_cli
    from airflow_provider_kognic.administration import classes_cli

    def flags(add: Any) -> set[str]:
        parser = argparse.ArgumentParser()
        add(parser)
        return set(parser._option_string_actions)

    own = flags(classes_cli.add_arguments) - flags(convert_cli.add_reading_arguments)
    named = " ".join(row[0] for row in _rows("class-mapping.md", "| argument | meaning |"))
    assert set(re.findall(r"--[a-z-]+", named)) == own


def test_every_key_of_a_summary_is_documented() -> None:
    """The page on summaries has each key of one, and each that a sum has in the place of a task's id and try."""
    from types import SimpleNamespace

    from airflow_provider_kognic.summaries import summarise
    from airflow_provider_kognic.task.summary import TaskSummary

    def keys(start: str) -> set[str]:
        return {key.strip(" `") for row in _rows("summaries.md", start) for key in row[0].split(",")}

    operator = SimpleNamespace(predictions_group_uuid="", dataset=None, predictions=[], manifest=None)
    context: Any = {"ti": SimpleNamespace(xcom_push=lambda **_: None)}
    left = TaskSummary(operator, context).leave_without_counts(ValueError())
    of_a_task = {"task_id", "map_index", "try_number"}
    assert keys("<!-- table of a summary -->") == set(left)
    assert keys("<!-- table of a sum -->") == set(summarise(left)) - (set(left) - of_a_task)


def test_every_key_of_an_event_is_documented() -> None:
    """The page on assets has each key that the extra of an event may have."""
    from airflow_provider_kognic.assets import kognic

    said = {**dict.fromkeys(kognic._TOLD, 1), "run_manifest": {}}
    rows = _rows("assets.md", "<!-- table of an event -->")
    named = [key.strip(" `") for row in rows for key in row[0].split(",")]
    assert sorted(named) == sorted(kognic.extra_of(kognic.UPLOADED, "kognic://…", said, None))


def test_every_argument_of_a_watcher_is_documented() -> None:
    """The page on assets has each argument of the trigger, and each event."""
    from airflow_provider_kognic.core.groups.watching import Appears
    from airflow_provider_kognic.triggers.predictions import DatasetEventTrigger

    rows = {row[0].strip("`"): row[1] for row in _rows("assets.md", "## Watchers")}
    assert set(rows) == set(inspect.signature(DatasetEventTrigger.__init__).parameters) - {"self"}
    assert all(f'`"{event.value}"`' in rows["event"] for event in Appears)


def test_every_extra_of_the_connection_is_documented() -> None:
    """The page on the connection has a row for each field of the form."""
    from airflow_provider_kognic.get_provider_info import CONN_FIELDS

    assert [row[0].strip("`") for row in _rows("connection.md", "Everything else is in")] == list(CONN_FIELDS)


_PRINTING = r"```python\n(.*?)```\n\n```text\n(.*?)```"
# Of the page on coordinates: to read it where tests are collected would hide it if it went away.
PRINTING = 4


@pytest.mark.parametrize("number", range(PRINTING))
def test_the_examples_of_coordinates_print_what_is_below_them(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each can be pasted as it is."""
    page = (ROOT / "docs" / "geometry.md").read_text(encoding="utf-8")
    found = re.findall(_PRINTING, page, re.DOTALL)
    assert len(found) == PRINTING
    code, printed = found[number]
    exec(code, {})
    assert capsys.readouterr().out == printed


def test_the_signatures_of_coordinates_are_those_of_the_code() -> None:
    """Annotations are texts there, so that quotes stand around each."""
    from airflow_provider_kognic.core import geometry

    page = (ROOT / "docs" / "geometry.md").read_text(encoding="utf-8")
    listed = page.partition("```pyi\n")[2].partition("\n```")[0].splitlines()
    functions = {name: getattr(geometry, name) for name in geometry.__all__}
    assert [line.replace("'", "") for line in listed] == [
        f"{name}{inspect.signature(one)}".replace("'", "")
        for name, one in functions.items()
        if inspect.isfunction(one)
    ]


def test_every_convention_is_in_the_tables_of_coordinates() -> None:
    """The functions that they name are those there are."""
    from airflow_provider_kognic.core import geometry

    rows = _rows("geometry.md", "<!-- table of cuboids -->") + _rows("geometry.md", "<!-- table of boxes -->")
    named = {name for row in rows for name in re.findall(r"`((?:box|cuboid)_\w+)`", row[1])}
    assert named == {name for name in geometry.__all__ if name.startswith(("box_", "cuboid_"))}


def test_every_format_and_its_arguments_are_in_the_table_of_formats() -> None:
    """In the registry's order, with each argument as the command line has it, and each choice of it."""
    from airflow_provider_kognic.core.sources.formats.registry import BY_NAME
    from airflow_provider_kognic.task.arguments.model_results import OWN

    rows = {row[0].strip("`"): row[-1] for row in _rows("formats.md", "<!-- table of formats -->")}
    assert list(rows) == [*BY_NAME, "openlabel"]
    named = set()
    for name, known in BY_NAME.items():
        flags = {f"--{argument.name.replace('_', '-')}" for argument in known.arguments}
        assert set(re.findall(r"--[a-z0-9-]+", rows[name])) == flags
        words = re.findall(r"[\w.]+", rows[name])
        assert not [choice for one in known.arguments for choice in one.choices if choice not in words]
        named |= {argument.name for argument in known.arguments}
    assert named == set(OWN)


def test_the_table_of_conventions_has_every_format_and_its_source() -> None:
    """What its kinds of geometry need is said: where a cuboid is, which pixel is the first, how a mask is."""
    from airflow_provider_kognic.core.sources.converting.rows import Kind
    from airflow_provider_kognic.core.sources.formats.registry import BY_NAME

    rows = _rows("formats.md", "<!-- table of conventions -->")
    assert [row[0].strip("`") for row in rows] == ["Kognic", *BY_NAME]
    for row, known in zip(rows[1:], BY_NAME.values(), strict=True):
        _, frame, place, sizes, axes, _, boxes, masks, source = row
        assert source
        assert (
            all((frame, place, sizes, axes))
            == any((frame, place, sizes, axes))
            == (Kind.CUBOID in known.kinds)
        )
        assert bool(boxes) == (Kind.BOX in known.kinds)
        assert bool(masks) == (Kind.MASK in known.kinds)


def test_every_key_that_a_task_leaves_is_on_the_page_of_what_is_observed() -> None:
    """XComs, and values of the state stores."""
    page = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    texts = {
        str(node.value)
        for folder in ("task", "operators", "triggers", "links")
        for path in [*(PACKAGE / folder).rglob("*.py"), PACKAGE / "records.py"]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
    }
    keys = {text for text in texts if re.fullmatch(r"kognic\.[a-z_.]+|kognic_\w+_link", text)}
    assert {"kognic.group", "kognic.watch.", "kognic_uploads_link", "kognic.progress"} <= keys
    # Names of spans begin with kognic. alone, and are put together where they begin.
    assert [key for key in sorted(keys - {"kognic."}) if f"`{key}" not in page] == []
    spans = {
        name
        for path in (PACKAGE / "task").rglob("*.py")
        for name in re.findall(r'\bphase\("(\w+)"', path.read_text(encoding="utf-8"))
    }
    assert {"setup", "upload", "plan"} <= spans
    assert [name for name in sorted(spans) if f"`kognic.{name}`" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_the_docs_import_is_public(page: Path) -> None:
    """It stands in the reference, or on the pages of coordinates and masks."""
    if page.name == "CONTRIBUTING.md":
        return
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    public = [
        *re.findall(r":: (airflow_provider_kognic\S+)", reference),
        "airflow_provider_kognic.core.geometry",
    ]
    for _, block in _python(page):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("airflow_provider_kognic"):
                for name in node.names:
                    full = f"{node.module}.{name.name}"
                    assert [one for one in public if f"{full}.".startswith(f"{one}.")], f"{page.name}: {full}"


def test_the_reference_has_all_that_airflow_is_told_of() -> None:
    """Every operator, sensor, trigger, decorator, hook and exception, and how-tos lead to each but exceptions."""
    from airflow_provider_kognic import get_provider_info

    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = get_provider_info()
    modules = [
        module
        for kind in ("operators", "sensors", "triggers", "hooks")
        for row in told[kind]
        for module in row["python-modules"]
    ]
    for module in modules:
        for name, value in vars(importlib.import_module(module)).items():
            if isinstance(value, type) and value.__module__ == module and not name.startswith("_"):
                assert f":: {module}.{name}\n" in reference, f"{module}.{name}"
                if name not in INSIDE:
                    assert f"`{name}`](docs/" in readme, name
    for row in told["task-decorators"]:
        assert f":: {row['class-name']}\n" in reference
        assert f"`@task.{row['name']}`](docs/" in readme


# Triggers that sensors start: their page is the sensors'.
INSIDE = {"PredictionsGroupTrigger", "DatasetScenesTrigger"}


def test_every_command_in_the_docs_is_one_that_there_is() -> None:
    """The parser takes each line of a shell that calls the command; its files need not be there."""
    from airflow_provider_kognic.cli import _parser

    program, found = r"(?:airflow-provider-kognic|python -m airflow_provider_kognic) (.*)", 0
    for page in PAGES:
        for block in re.findall(
            r"```(?:sh|bash|console)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL
        ):
            for line in block.replace("\\\n", " ").splitlines():
                if called := re.match(program, line.strip()):
                    _parser().parse_args(shlex.split(called[1], comments=True))
                    found += 1
    assert found > COMMANDS


# So many commands at least are found, so that the search for them works.
COMMANDS = 10


# What a block may be in, and who looks at it. `text` is what a program prints.
PARSERS: dict[str, Callable[[str], Any]] = {
    "sh": lambda block: subprocess.run(["bash", "-n"], input=block.encode(), check=True, capture_output=True),
    "csv": lambda block: _one_length([line.split(",") for line in block.splitlines()]),
    "ini": lambda block: configparser.ConfigParser().read_string(block),
}
ELSEWHERE = {"python", "json", "pyi", "text", "{eval-rst}", "{toctree}", "{include}", "{literalinclude}"}


def _one_length(rows: list[list[str]]) -> None:
    assert len({len(row) for row in rows}) == 1


def test_no_block_escapes() -> None:
    """Each names its language, and is looked at as what it is; the site's own directives by its build."""
    found = Counter[str]()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for named, block in re.findall(r"^ *```(\S*).*\n((?:.*\n)*?) *```$", text, re.MULTILINE):
            language = "sh" if named == "bash" else named
            assert language in PARSERS or language in ELSEWHERE, (
                f"{page.name}: {language or 'none'}: {block[:80]}"
            )
            PARSERS.get(language, str)(block)
            found[language] += 1
    assert set(found) == {*PARSERS, *ELSEWHERE}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there, and a heading in it where it names one."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}
            assert anchor in slugs, f"{page.name}: {target}"


def test_the_document_in_the_docs_is_one_that_goes_up() -> None:
    """Without an error, and without a warning either."""
    from airflow_provider_kognic.core.openlabel import check

    page = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    block = page.partition("<!-- a document -->\n```json\n")[2].partition("```")[0]
    found = check(block.encode())
    assert (found.valid, list(found.issues), set(found.classes)) == (True, [], {"Car"})


def test_json_in_the_docs_is_json() -> None:
    """Every block marked as JSON is a document, or a row a line; what is cut short says so with an ellipsis."""
    found = 0
    for page in PAGES:
        for block in re.findall(r"```json\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            whole = re.sub(r"(?<=[{\[]), ?…|, ?…(?=\s*[}\]])|…(?=\s*[}\]])", "", block)
            try:
                json.loads(whole)
            except ValueError:
                for line in whole.strip().splitlines():
                    json.loads(line)
            found += 1
    assert found > JSON_BLOCKS


# So many blocks at least are found, so that the search for them works.
JSON_BLOCKS = 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_in_the_docs_is_python(page: Path) -> None:
    """Every block marked as Python parses, and what it imports from this package is there."""
    for _, block in _python(page):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("airflow_provider_kognic"):
                module = __import__(str(node.module), fromlist=["_"])
                for name in node.names:
                    assert hasattr(module, name.name), f"{page.name}: {node.module}.{name.name}"


def _python(page: Path) -> list[tuple[bool, str]]:
    """The blocks of Python on a page, each with whether it goes on in the Dag of the one before."""
    found = re.findall(
        r"(<!-- goes on.*-->\n)?```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL
    )
    return [(bool(marked), block) for marked, block in found]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_in_the_docs_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block is run as a Dag file would be: operators take the arguments that it gives them.

    A fragment knows what the page or the reader has: operators, a group, a survey, a function of one's own.
    """
    from airflow.sdk import DAG

    from airflow_provider_kognic.operators.classes import SurveyClassesOperator
    from airflow_provider_kognic.operators.predictions import CreatePredictionsGroupOperator

    blocks = _python(page)
    if not blocks or page.name == "CONTRIBUTING.md":
        return
    monkeypatch.chdir(tmp_path)
    here = {"", PEOPLE} if _people_can_be_asked() else {""}
    known, dag = _known(), DAG("none", schedule=None)
    for number, (goes_on, block) in enumerate(blocks):
        if NOT_RUN.get((page.name, number), "") in here:
            if not goes_on:
                dag = DAG(f"{page.stem}-{number}", schedule=None)
                known["group"] = CreatePredictionsGroupOperator(task_id="a_group", dataset="d", name="n")
                known["survey"] = SurveyClassesOperator(task_id="a_survey", predictions="p")
            with dag:
                exec(compile(block, f"{page.name}, block {number}", "exec"), known)


HITL = "airflow.providers.standard.operators.hitl"
PEOPLE = "people who are asked"
# Blocks of Python, by their number on the page, that ask for or need what is not here.
NOT_RUN = {
    ("connection.md", 0): "Kognic",
    ("contract.md", 0): "a file",
    ("emulator.md", 0): "an upload",
    ("kubernetes.md", 0): "the client of Kubernetes; tests/example_dags/test_kubernetes.py has it",
    ("summaries.md", 2): "the provider for Slack",
    ("validation.md", 0): "a file",
    **dict.fromkeys((("approval.md", 0), ("approval.md", 1), ("class-mapping.md", 1)), PEOPLE),
}


def _people_can_be_asked() -> bool:
    from airflow.providers.common.compat.sdk import AirflowException

    try:
        importlib.import_module(HITL)
    except (ImportError, AirflowException):  # before Airflow 3.1
        return False
    return True


def _known() -> dict[str, Any]:
    modules = ("operators.predictions", "operators.sharding", "operators.classes", "sensors.predictions")
    known = {
        name: value
        for module in modules
        for name, value in vars(importlib.import_module(f"airflow_provider_kognic.{module}")).items()
        if name.endswith(("Operator", "Sensor"))
    }
    if _people_can_be_asked():
        known["ApprovalOperator"] = importlib.import_module(HITL).ApprovalOperator
    return {**known, "tell": lambda context: None}
