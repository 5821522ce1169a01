import random
import re
import time

import httpx
import pytest

from airflow_provider_kognic.emulator.faults.patterns import Pattern
from airflow_provider_kognic.emulator.testing import Emulator

SINGLE = [
    "a",
    "b",
    "/",
    "1",
    ".",
    "[ab]",
    "[^/]",
    "[a-b1]",
    r"\d",
    r"\w",
    r"\/",
    "^",
    "$",
    "-",
    "[]a]",
    "[^]]",
]
REPEATS = ["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "{,2}", "{0,}"]


def random_pattern(chance: random.Random, depth: int = 0) -> str:
    kind = chance.random()
    if depth > 3 or kind < 0.35:
        return chance.choice(SINGLE)
    if kind < 0.55:
        return "".join(random_pattern(chance, depth + 1) for _ in range(chance.randint(0, 3)))
    if kind < 0.7:
        parts = [random_pattern(chance, depth + 1) for _ in range(chance.randint(1, 3))]
        return f"({chance.choice(['', '?:'])}{'|'.join(parts)})"
    return f"(?:{random_pattern(chance, depth + 1)}){chance.choice(REPEATS)}"


def test_it_finds_what_a_regular_expression_finds() -> None:
    chance = random.Random(10)
    found = 0
    for _ in range(3000):
        text = random_pattern(chance)
        pattern = Pattern(text)
        for _ in range(5):
            path = "".join(chance.choice("ab/1") for _ in range(chance.randint(0, 8)))
            expected = re.search(text, path) is not None
            assert pattern.search(path) is expected, (text, path)
            found += expected
    assert 1000 < found < 14000


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(a*)*b", "(a?){20}(a){20}$", "([^/]*[^/]*)*/$"])
def test_no_pattern_takes_longer_than_its_path(pattern: str) -> None:
    """Python's own `re` would try 2 to the power of some hundred ways."""
    compiled = Pattern(pattern)
    begin = time.monotonic()
    compiled.search("a" * 999 + "!")
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "'(' without ')'"),
        ("a)", "unbalanced ')'"),
        ("[", "'[' without ']'"),
        ("[]", "'[' without ']'"),
        ("[b-a]", "no range"),
        ("*", "nothing before it"),
        ("a|+", "nothing before it"),
        ("a**", "repeat of a repeat"),
        ("a+?", "repeat of a repeat"),
        ("a{", "such as '{2,5}'"),
        ("a{,}", "such as '{2,5}'"),
        ("a{3,2}", "may not come"),
        ("a{99999}", "such as '{2,5}'"),
        ("(a{90}){90}", "repeats too much"),
        ("a" * 201, "at most 200"),
        ("(" * 100, "too many groups"),
        ("\\", "not understood"),
        (r"(a)\1", "not understood"),
        (r"\bgroups", "not understood"),
        ("(?=a)", "not understood"),
        ("(?P<name>a)", "not understood"),
    ],
)
def test_what_is_not_understood_is_said(emulator: Emulator, pattern: str, message: str) -> None:
    rule = {"kind": "429", "match": {"path": pattern}}
    answer = httpx.put(f"{emulator.url}/__admin/faults", json={"rules": [rule]})
    assert answer.status_code == 422
    assert message in answer.json()["message"]


def test_a_path_that_nothing_asks_for_is_found_by_nothing() -> None:
    assert Pattern("a$").search("a" * 1000)
    assert not Pattern("a$").search("a" * 1001)


def test_a_catastrophic_pattern_stops_nobody(emulator: Emulator, client: httpx.Client) -> None:
    emulator.set_faults(rules=[{"kind": "429", "match": {"path": "(a+)+$"}}])
    begin = time.monotonic()
    assert client.get("/v1/" + "a" * 200 + "!").status_code == 404
    assert client.get("/v2/datasets").status_code == 200
    assert time.monotonic() - begin < 30
