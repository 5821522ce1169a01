"""The service is asked what it is: a contract."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.api.answers import Sunsets
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.contract.assumptions import ASSUMPTIONS
from airflow_provider_kognic.core.contract.contract import Contract
from airflow_provider_kognic.core.contract.description.searching import Found, search
from airflow_provider_kognic.core.contract.judging.by_description import (
    announced_in,
    judge_description,
    judge_input_api,
)
from airflow_provider_kognic.core.contract.judging.verdicts import (
    confirmed,
    contradicted,
    together,
    unknown,
)
from airflow_provider_kognic.core.contract.questions import Questions
from airflow_provider_kognic.core.contract.replies import Asker, shown
from airflow_provider_kognic.core.contract.report import date_of
from airflow_provider_kognic.core.errors import KognicConnectionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.contract.contract import Judgement


def ask_for_contract(
    settings: Settings, *, dataset: str | None = None, sleep: Callable[[float], object] = time.sleep
) -> Contract:
    """Ask the service for its description and for a few listings, and judge every assumption.

    But for the request for a token, only GETs are made, of the API's own host; and of the input API's, where the
    settings have one: its own description is looked for likewise.

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
    inputs = _of_the_input_api(settings, tokens, sunsets, sleep)
    try:
        questions = Questions(asker, dataset)
        judged = [questions.ask()]
        found = search(asker)
        if found.described is None and not questions.answered:
            raise asker.refusal()
        judged.append({"description_page": _judge_page(has_page=found.has_page)})
        judged.append(_judge_token(tokens.lifetime))
        announced: dict[str, str] = {}
        if found.described is not None:
            announced = announced_in(found.described)
            judged.append(judge_description(found.described, settings))
        says = found.says
        if inputs is not None:
            other = _search_in_input_api(inputs)
            says = f"{says}; of the input API: {other.says}"
            if other.described is not None:
                announced = {**announced_in(other.described), **announced}
                # What the dataset API's own description does not have is no news then.
                own = judge_input_api(other.described)
                judged = [{name: one for name, one in by.items() if name not in own} for by in judged] + [own]
    finally:
        asker.close()
        if inputs is not None:
            inputs.close()
        tokens.close()
    return Contract(
        host=settings.host,
        asked_at=datetime.now(timezone.utc).replace(microsecond=0),
        judged=_merged(judged),
        description=says,
        asked=(*asker.asked, *(f"of the input API: {line}" for line in (inputs.asked if inputs else ()))),
        sunsets={
            _shown(endpoint): date_of(date) for endpoint, date in {**announced, **sunsets.dates}.items()
        },
        provider=_version(),
    )


def _of_the_input_api(
    settings: Settings, tokens: TokenProvider, sunsets: Sunsets, sleep: Callable[[float], object]
) -> Asker | None:
    """Return what asks the input API, None where nobody says where that is, or it is the dataset API's host."""
    if settings.input_host is None or settings.input_host == settings.base_url:
        return None
    return Asker(replace(settings, base_url=settings.input_host), tokens, sunsets, sleep=sleep)


def _search_in_input_api(asker: Asker) -> Found:
    try:
        return search(asker)
    except KognicConnectionError:  # nothing but scenes hangs on it
        return Found(None, "there is no connection to it", None)


def _shown(endpoint: str) -> str:
    """Return an endpoint without what may be a name: that of a file, where the description lies."""
    method, _, path = endpoint.partition(" ")
    return f"{method} {shown(path)}"


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
