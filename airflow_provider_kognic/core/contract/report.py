"""A contract for people: as a table on a screen, and as a page that may be sent to somebody.

Neither has a token, a secret, a uuid, or a name that came from the service: judgements are words of ours, and of a
date that an endpoint announces only what can be one.
"""

from __future__ import annotations

import platform
import re
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.contract.assumptions import ASSUMPTIONS, Asked
from airflow_provider_kognic.core.contract.contract import Verdict
from airflow_provider_kognic.core.texts import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.core.contract.assumptions import Assumption
    from airflow_provider_kognic.core.contract.contract import Contract, Judgement

# A date as HTTP, ISO 8601 or a person writes it, in English.
_DATE = re.compile(
    r"(?:mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|[a-z]{3,6}day|gmt|utc|"
    r"january|february|march|april|june|july|august|september|october|november|december|[tz]|[\d\s,:+./-])+",
    re.IGNORECASE,
)
_MOST_DIGITS = 16
# As Python and Java write a moment, to its fractions.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?")
_NOBODY, _NOTHING = "nobody can be asked", "nothing that was asked says so"
_ORDER = (Verdict.CONTRADICTED, Verdict.CONFIRMED, Verdict.UNKNOWN)


def table(contract: Contract) -> str:
    """Return a contract as a table: each assumption with its verdict, what that rests on, and what it switches."""
    return "".join(f"{line}\n" for line in _lines(contract))


def page(contract: Contract) -> str:
    """Return a contract as a page in Markdown, to be sent to who builds this provider."""
    return "".join(f"{line}\n" for line in _page(contract))


def date_of(text: str) -> str:
    """Return when an endpoint ends, as the service wrote it; of what is no date only that it is none."""
    is_short = 1 <= sum(map(str.isdigit, text)) <= _MOST_DIGITS
    is_one = _MOMENT.fullmatch(text) or (is_short and _DATE.fullmatch(text))
    return text if is_one else "a time that is written in no known way"


def switched(contract: Contract, assumption: Assumption) -> str | None:
    """Return what a contract switches by an assumption; None for one that switches nothing."""
    if assumption.switch is None:
        return None
    verdict, by = contract.switching(assumption.name)
    what = {
        Verdict.CONFIRMED: assumption.switch.confirmed,
        Verdict.CONTRADICTED: assumption.switch.contradicted,
        Verdict.UNKNOWN: assumption.switch.unknown,
    }[verdict]
    return what if by == assumption.name else f"{what}, as {by} is contradicted"


def counted(contract: Contract) -> str:
    """Return how many assumptions have which verdict, in words."""
    verdicts = [contract.verdict(assumption.name) for assumption in ASSUMPTIONS]
    return ", ".join(f"{verdicts.count(verdict)} {verdict.value}" for verdict in _ORDER)


def _lines(contract: Contract) -> Iterator[str]:
    yield f"{printable(contract.host)}, asked at {contract.asked_at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"description: {contract.description}"
    yield ""
    width = max(len(assumption.name) for assumption in ASSUMPTIONS)
    for assumption in ASSUMPTIONS:
        judgement = contract.judgement(assumption.name)
        yield f"{judgement.verdict.value:<12}  {assumption.name:<{width}}  {assumption.says}"
        indent = " " * (12 + 2 + width + 2)
        for evidence in _evidence(assumption, judgement):
            yield f"{indent}- {evidence}"
        if judgement.verdict is Verdict.CONTRADICTED:
            yield f"{indent}! {assumption.without}"
        if (what := switched(contract, assumption)) is not None:
            yield f"{indent}> {what}"
    yield ""
    for endpoint, date in contract.sunsets.items():
        yield f"Kognic will switch off {printable(endpoint)} at {printable(date)}."
    yield f"{counted(contract)}."


def _evidence(assumption: Assumption, judgement: Judgement) -> tuple[str, ...]:
    if judgement.evidence:
        return judgement.evidence
    return (_NOBODY if assumption.asked == (Asked.NOBODY,) else _NOTHING,)


def _page(contract: Contract) -> Iterator[str]:
    yield "# What Kognic's service is, as this provider asked it"
    yield ""
    yield f"- service: {printable(contract.host)}"
    yield f"- asked at: {contract.asked_at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"- by: airflow-provider-kognic {contract.provider}, Python {platform.python_version()}"
    yield f"- description: {contract.description}"
    yield f"- verdicts: {counted(contract)}"
    yield ""
    yield "No token, secret, uuid or name of a dataset stands here: evidence is in words of the provider."
    yield ""
    yield "| assumption | verdict | evidence | switches |"
    yield "| --- | --- | --- | --- |"
    for assumption in ASSUMPTIONS:
        judgement = contract.judgement(assumption.name)
        evidence = "; ".join(_evidence(assumption, judgement))
        what = switched(contract, assumption) or ""
        yield f"| `{assumption.name}` | {judgement.verdict.value} | {_cell(evidence)} | {_cell(what)} |"
    yield ""
    yield "## What was asked"
    yield ""
    for asked in contract.asked:
        yield f"- {printable(asked)}"
    if contract.sunsets:
        yield ""
        yield "## What ends"
        yield ""
        for endpoint, date in contract.sunsets.items():
            yield f"- {printable(endpoint)}: {printable(date)}"


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|")
