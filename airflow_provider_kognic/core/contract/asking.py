"""The service is asked what it is: a contract."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.api.answers import Sunsets
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.contract.assumptions import ASSUMPTIONS
from airflow_provider_kognic.core.contract.contract import Contract
from airflow_provider_kognic.core.contract.description.searching import search
from airflow_provider_kognic.core.contract.judging.by_description import announced_in, judge_description
from airflow_provider_kognic.core.contract.judging.verdicts import (
    confirmed,
    contradicted,
    together,
    unknown,
)
from airflow_provider_kognic.core.contract.questions import Questions
from airflow_provider_kognic.core.contract.replies import Asker
from airflow_provider_kognic.core.contract.report import date_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.contract.contract import Judgement


def ask_for_contract(
    settings: Settings, *, dataset: str | None = None, sleep: Callable[[float], object] = time.sleep
) -> Contract:
    """Ask the service for its description and for a few listings, and judge every assumption.

    But for the request for a token, only GETs are made, of the API's own host.

    Args:
        settings: Where Kognic is and how to reach it.
        dataset: A dataset whose groups, annotations and predictions are listed too, by its name or uuid.
        sleep: Waits that many seconds where the service is busy; a test may shorten it.

    Raises:
        KognicInputError: There is no such dataset, or a setting cannot be used.
        KognicError: There is no token to be had, no connection to the API, or nothing that it answers: nothing can
            be said.
    """
    tokens, sunsets = TokenProvider(settings), Sunsets()
    asker = Asker(settings, tokens, sunsets, sleep=sleep)
    try:
        questions = Questions(asker, dataset)
        judged = [questions.ask()]
        found = search(asker)
        if found.described is None and not questions.answered:
            raise asker.refusal()
        judged.append({"description_page": _judge_page(has_page=found.has_page)})
        judged.append(_judge_token(tokens.lifetime))
        announced = {}
        if found.described is not None:
            announced = announced_in(found.described)
            judged.append(judge_description(found.described, settings))
    finally:
        asker.close()
        tokens.close()
    return Contract(
        host=settings.host,
        asked_at=datetime.now(timezone.utc).replace(microsecond=0),
        judged=_merged(judged),
        description=found.says,
        asked=tuple(asker.asked),
        sunsets={endpoint: date_of(date) for endpoint, date in {**announced, **sunsets.dates}.items()},
        provider=_version(),
    )


def _judge_page(*, has_page: bool | None) -> Judgement:
    if has_page is None:
        return unknown("what is there could not be seen")
    return confirmed("there is a page") if has_page else contradicted("there is nothing")


def _judge_token(lifetime: float | None) -> dict[str, Judgement]:
    return {
        "token_endpoint": confirmed("a token was given"),
        "token_lifetime": confirmed(f"a token is valid for {lifetime:,.0f} s", int(lifetime))
        if lifetime is not None
        else contradicted("the answer with the token does not say"),
    }


def _merged(judged: Sequence[Mapping[str, Judgement]]) -> dict[str, Judgement]:
    """Return one judgement of each assumption, in the list's order."""
    names = [assumption.name for assumption in ASSUMPTIONS]
    return {name: together(one[name] for one in judged if name in one) for name in names}


def _version() -> str:
    from airflow_provider_kognic import __version__

    return __version__
