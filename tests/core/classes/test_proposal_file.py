"""A proposal's file: written for people, read again whatever they did to it, and never lost."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kognic.core.classes.agreement import agreed_rows, check_still_holds, inexact
from airflow_provider_kognic.core.classes.annotations import Known
from airflow_provider_kognic.core.classes.arguments import Agreed, parse_max_scenes
from airflow_provider_kognic.core.classes.proposal import Proposal
from airflow_provider_kognic.core.classes.proposal_file import (
    MOST_XCOM_BYTES,
    as_bytes,
    as_json,
    as_xcom,
    from_json,
    read,
)
from airflow_provider_kognic.core.classes.proposal_store import ProposalFile
from airflow_provider_kognic.core.classes.proposal_text import text_of
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.validation.class_mapping import class_mapping_rows
from tests.core.classes.support import proposed

_sides = st.lists(st.text(min_size=1, max_size=6).filter(str.strip), max_size=6, unique=True)


@pytest.fixture
def proposal() -> Proposal:
    return proposed(["road", "traffic_light", "tree"], ["road", "Traffic Light", "oak"])


def edited(proposal: Proposal, **more: Any) -> bytes:
    return json.dumps({**as_json(proposal), **more}).encode()


def save(path: Path, proposal: Proposal) -> Proposal:
    return ProposalFile(path, argument="report").keep_or_write(proposal)


@given(_sides, _sides, st.sampled_from(Known))
def test_what_is_written_is_read_again(predicted: list[str], annotated: list[str], known: Known) -> None:
    """As a file with all that was counted; and as it is handed on, with the same rows and classes."""
    written = proposed(predicted, annotated, known)
    content = as_bytes(written)
    assert read(content, "c.json") == written
    assert content == as_bytes(read(content, "c.json"))
    handed = from_json(json.loads(json.dumps(as_xcom(written))), "c")
    assert (handed.rows, handed.alike, handed.digest) == (written.rows, written.alike, written.digest)


def test_the_file_has_a_row_on_a_line(proposal: Proposal) -> None:
    content = as_bytes(proposal).decode()
    assert '  "agreed": false,\n' in content
    assert '    {"annotated": "road", "predicted": "road"},\n' in content
    assert '    {"predicted": "tree"}\n  ],\n' in content
    # A half of a surrogate pair is in JSON what it is in a document.
    odd = proposed(["\ud800", "é"], [])
    assert read(as_bytes(odd), "c.json").rows == odd.rows


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"format": "another"}, "c.json is no proposal of a class mapping"),
        ({"version": 2}, "is a proposal of version 2; this provider knows 1"),
        ({"agreed": "true"}, "'agreed' must be true or false, not 'true'"),
        ({"agreed": 1}, "'agreed' must be true or false, not 1"),
        ({"agreed": None}, "'agreed' must be true or false, not None"),
        ({"classMapping": []}, "class_mapping is empty"),
        ({"classMapping": [{"annotated": "road", "predict": "road"}]}, "row 0: unknown key 'predict'"),
        ({"classMapping": [{}]}, "neither 'annotated' nor 'predicted' is given"),
        ({"classMapping": [{"annotated": 3}]}, "row 0: 'annotated' is 3"),
        (
            {"classMapping": [{"annotated": "road", "predicted": "road"}]},
            "no row of 'classMapping' has 'predicted'",
        ),
        ({"predictions": {"classes": ["road"]}}, "its digest is of others"),
        ({"predictions": {}}, "what was looked at cannot be read"),
        ({"predictions": None}, "what was looked at cannot be read"),
        ({"annotations": {"known": "much", "classes": []}}, "what was looked at cannot be read"),
        ({"to_look_at": []}, "what was looked at cannot be read"),
        ({"digest": "sha256:0"}, "its digest is of others"),
    ],
)
def test_what_does_not_hold_together_is_named(proposal: Proposal, more: dict[str, Any], message: str) -> None:
    with pytest.raises(KognicInputError, match=r"^c\.json") as caught:
        read(edited(proposal, **more), "c.json")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"agreed": true,}', b"\xff\xfe", b"[1]", b"null", b"[" * 100_000]
)
def test_what_is_no_proposal_is_named(content: bytes) -> None:
    with pytest.raises(KognicInputError, match=r"^c.json is no"):
        read(content, "c.json")


def test_a_class_that_was_surveyed_cannot_be_left_out(proposal: Proposal) -> None:
    """Kognic wants every class; that the person did not mean to leave one out is more likely."""
    rows = [
        row for row in as_json(proposal)["classMapping"] if row.get("annotated") not in {"oak", "_background"}
    ]
    with pytest.raises(
        KognicInputError, match=r"has 'annotated' '_background', 'oak'\. Kognic wants every class"
    ):
        read(edited(proposal, classMapping=rows), "c.json")
    more = [*as_json(proposal)["classMapping"], {"annotated": "pole"}]
    assert {"annotated": "pole"} in read(edited(proposal, classMapping=more), "c.json").rows


@pytest.mark.parametrize("left", [{"annotated": "oak"}, {"predicted": "tree"}])
def test_a_class_with_a_counterpart_and_without_one_is_named(
    proposal: Proposal, left: dict[str, str]
) -> None:
    """Who put two classes beside each other forgot their own rows; many may be beside one."""
    rows = [row for row in as_json(proposal)["classMapping"] if not {"oak", "tree"} & set(row.values())]
    rows += [{"annotated": "oak", "predicted": "tree"}, {"annotated": "birch", "predicted": "tree"}]
    assert read(edited(proposal, classMapping=rows), "c.json").rows == tuple(rows)
    (name,) = left.values()
    with pytest.raises(KognicInputError, match=f"'{name}' stand in a row with a counterpart"):
        read(edited(proposal, classMapping=[*rows, left]), "c.json")


def test_nobody_agreed(proposal: Proposal) -> None:
    with pytest.raises(KognicInputError) as caught:
        agreed_rows(proposal, Agreed.NO)
    said = str(caught.value)
    assert "nobody has agreed to the class mapping." in said
    assert "1 of its pairs are names that are only alike" in said
    assert "Only the predictions have 'tree'. Only the annotations have 'oak'." in said
    assert all(way in said for way in ('"agreed": true', "class_mapping_agreed=True", "'exact'"))


def test_a_person_or_a_parameter_agrees(proposal: Proposal) -> None:
    rows = [dict(row) for row in proposal.rows]
    assert agreed_rows(proposal, Agreed.YES) == rows
    agreed = read(edited(proposal, agreed=True), "c.json")
    for given_ in Agreed:
        assert agreed_rows(agreed, given_) == rows == class_mapping_rows(rows)


@pytest.mark.parametrize(
    ("predicted", "annotated", "known", "why"),
    [
        (["road"], ["road", "oak"], Known.ALL, None),
        (["road", "_background"], ["road"], Known.ALL, None),
        (["road"], ["road"], Known.SAMPLE, "other scenes may have more classes (max_scenes)"),
        (["road"], ["road"], Known.PARTLY, "some annotations could not be read"),
        (["road"], [], Known.NONE, "there are no annotations"),
        (["road"], [], Known.UNKNOWN, "their classes are not known"),
        (["road", "tree"], ["road", "oak"], Known.ALL, "the annotations have no 'tree'"),
        (["road", "Oak"], ["road", "oak"], Known.ALL, "'Oak' stand beside classes of other names"),
    ],
)
def test_exact_agrees_to_equal_names_alone(
    predicted: list[str], annotated: list[str], known: Known, why: str | None
) -> None:
    proposal = proposed(predicted, annotated, known)
    if why is None:
        assert agreed_rows(proposal, Agreed.EXACT) == list(proposal.rows)
        return
    with pytest.raises(KognicInputError) as caught:
        agreed_rows(proposal, Agreed.EXACT)
    assert why in str(caught.value)


def test_exact_wants_every_prediction_to_be_valid() -> None:
    assert list(inexact(proposed(["road"], ["road"], invalid=2))) == [
        "2 predictions are not valid, so their classes are not known"
    ]


def test_a_mapping_of_nothing_to_nothing_is_not_agreed_to_by_a_parameter() -> None:
    """Where annotations could not be read, it would look like one, and compare nothing."""
    with pytest.raises(
        KognicInputError, match="puts no class of the predictions beside one of the annotations"
    ):
        agreed_rows(proposed(["road"], [], Known.UNKNOWN), Agreed.YES)


def test_classes_that_came_later_are_named(proposal: Proposal, caplog: pytest.LogCaptureFixture) -> None:
    check_still_holds(proposal, ["road", "tree", "traffic_light"], ["oak"])
    assert not caplog.text
    with pytest.raises(KognicInputError) as caught:
        check_still_holds(proposal, ["road", "bush"], ["birch"])
    assert "now the predictions have 'bush' and the annotations have 'birch', for which it has no row" in str(
        caught.value
    )
    with caplog.at_level("INFO"):
        check_still_holds(proposal, ["road"])
    assert "The predictions have no 'traffic_light', 'tree' now" in caplog.text


@pytest.mark.parametrize("done", [{"agreed": True}, {"classMapping": None}])
def test_what_a_person_did_is_never_written_over(
    tmp_path: Path, proposal: Proposal, done: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "sub" / "c.json"
    assert save(path, proposal) == proposal
    assert path.with_suffix(".md").read_text() == text_of(proposal)
    first = path.read_bytes()
    save(path, proposed(["road", "van"], ["road"]))
    assert path.read_bytes() != first, "nobody has touched it"
    save(path, proposal)
    assert path.read_bytes() == first

    rows = [
        row
        for row in as_json(proposal)["classMapping"]
        if "oak" not in row.values() and "tree" not in row.values()
    ]
    rows.append({"annotated": "oak", "predicted": "tree"})
    content = edited(proposal, **{**done, **({"classMapping": rows} if "classMapping" in done else {})})
    path.write_bytes(content)
    with caplog.at_level("INFO"):
        kept = save(path, proposed(["road", "tree"], ["oak"]))
    assert path.read_bytes() == content
    assert "stays as it is" in caplog.text
    assert kept.agreed is ("agreed" in done)
    assert ({"annotated": "oak", "predicted": "tree"} in kept.rows) is ("classMapping" in done)

    with pytest.raises(KognicInputError, match="now the predictions have 'van', for which it has no row"):
        save(path, proposed(["road", "van"], ["road"]))
    assert path.read_bytes() == content


def test_a_file_that_is_something_else_is_not_written_over(tmp_path: Path, proposal: Proposal) -> None:
    path = tmp_path / "c.json"
    path.write_text('{"my": "own"}')
    with pytest.raises(KognicInputError, match="is no proposal of a class mapping"):
        save(path, proposal)
    assert path.read_text() == '{"my": "own"}'
    for name in ("c.jsonl", "c", ".json"):
        with pytest.raises(
            KognicInputError, match=r"'report' must be the path of a file that ends in \.json"
        ):
            ProposalFile(tmp_path / name, argument="report")


def test_what_is_too_large_to_be_handed_on_is_in_its_file(tmp_path: Path) -> None:
    large = proposed([f"{'a class ' * 20}{number}" for number in range(1_500)], [])
    with pytest.raises(KognicInputError, match="give 'report', the path of a file for it"):
        as_xcom(large)
    told = as_xcom(large, "/data/c.json")
    assert len(json.dumps(told)) < 1_000 < MOST_XCOM_BYTES < told["too_large"]
    with pytest.raises(KognicInputError, match=r"give class_mapping the path of its file, /data/c\.json"):
        from_json(told, "what was handed on")


def test_the_page_is_one_table_whatever_the_names_are() -> None:
    proposal = proposed(["a|b", "line\nbreak", "<b>", "\u202eevil", "x" * 300], ["A|B"])
    page = text_of(proposal)
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(proposal.rows)
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert "\u202e" not in page
    assert "<b>" not in page
    assert "And 3 more rows." in text_of(proposal, most_rows=len(proposal.rows) - 3)


@pytest.mark.parametrize(("value", "expected"), [(1, 1), ("20", 20), ("all", None), (" ALL ", None)])
def test_how_many_scenes(value: Any, expected: int | None) -> None:
    assert parse_max_scenes(value) == expected


@pytest.mark.parametrize("value", [0, -1, "0", "", "many", None, True, 2.5, "1.0", "²"])
def test_no_number_of_scenes(value: Any) -> None:
    with pytest.raises(
        KognicInputError, match=r"max_scenes must be a whole number from 1 on, or 'all', not "
    ):
        parse_max_scenes(value)
