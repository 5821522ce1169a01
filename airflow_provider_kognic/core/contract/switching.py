"""What is optional in the API, switched by what is known of it: by a contract, or by name.

Nothing optional is on that was not confirmed or asked for by name, but for what does no harm: without a contract
all is as documented, and a listing of predictions is tried.

    what is known                    predictions_listing   body_limit   compression   idempotency_key
    -------------                    -------------------   ----------   -----------   ---------------
    no contract, or nothing of it    tried                 off          off           off
    confirmed                        on                    its value    on            its value
    contradicted, or what it rests on off                  off          off           off
    named                            whatever is said by name, also against a contract
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.api.switches import (
    BODY_LIMIT,
    COMPRESSION,
    KEY,
    LISTING,
    Switches,
)
from airflow_provider_kognic.core.contract.assumptions import NAMES
from airflow_provider_kognic.core.contract.contract import Verdict
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.texts import brief
from airflow_provider_kognic.core.values import flag_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.core.contract.contract import Contract

SWITCHABLE = (LISTING, BODY_LIMIT, COMPRESSION, KEY)
"""The assumptions that switch something, in the order in which they are shown."""

AUTO = "auto"
USUAL_KEY = "Idempotency-Key"
"""The header for keys where nobody names one: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/"""

BY_NAME = "the connection's assumptions"

_OLD = timedelta(days=90)
_BETWEEN = re.compile(r"[,;\s]+")
_LONGEST = 10_000

Named = dict[str, bool | int | str]
"""What is said by name: true or false; of `body_limit` the bytes or false, of `idempotency_key` the header."""


def switches(contract: Contract | None, assumptions: object = AUTO) -> Switches:
    """Return what is on.

    Args:
        contract: What the service said, as far as that is known.
        assumptions: See `named`: what is said there holds against the contract.

    Raises:
        KognicInputError: What is said by name cannot be understood.
    """
    said = named(assumptions)
    found: dict[str, Any] = {}
    by: dict[str, str] = {}
    for name in SWITCHABLE:
        if name in said:
            found[name], by[name] = said[name], BY_NAME
        elif contract is not None:
            found[name] = _by_contract(contract, name)
            by[name] = _about(contract, name)
    key = found.get(KEY, False)
    return Switches(
        listing=found.get(LISTING),
        max_body_bytes=found.get(BODY_LIMIT) or None,
        compression=found.get(COMPRESSION, False),
        idempotency_key=key or None,
        said_by=by,
    )


def named(assumptions: object) -> Named:
    """Read what is said by name.

    Args:
        assumptions: `auto`, or nothing, for nothing; `name=value` with commas in between, or a JSON object, as text
            or already read. A value is `on`, `off`, or `auto` for what the contract says; of `body_limit` a number
            of bytes, `off` or `auto`; of `idempotency_key` also the name of its header.

    Raises:
        KognicInputError: It is none of that; the message names what there is.
    """
    found: Named = {}
    seen: dict[str, object] = {}
    for name, value in _pairs(assumptions):
        if name not in SWITCHABLE:
            raise KognicInputError(_unknown(name))
        if name in seen and seen[name] != value:
            raise KognicInputError(f"'assumptions' say of {name!r} {brief(seen[name])} and {brief(value)}.")
        seen[name] = value
        if not _is_auto(value):
            found[name] = _value(name, value)
    return found


def disagreements(contract: Contract, assumptions: object) -> Iterator[str]:
    """Yield what is said by name against what the service said, a sentence each."""
    for name, value in named(assumptions).items():
        verdict, _ = contract.switching(name)
        if (verdict is Verdict.CONTRADICTED and value) or (verdict is Verdict.CONFIRMED and not value):
            yield (
                f"'assumptions' say {name}={_shown(value)}, and the contract of {_day(contract)} has it as"
                f" {verdict.value}: what is said by name holds."
            )


def check_contract(contract: Contract, host: str, now: datetime | None = None) -> str | None:
    """Return what is to be said of a contract's age, or None where it is new enough.

    Args:
        contract: The contract.
        host: The dataset API, as `Settings.host` names it.
        now: The present; the clock's if None.

    Raises:
        KognicInputError: It is of another host.
    """
    if not contract.is_of(host):
        raise KognicInputError(
            f"the contract of {_day(contract)} is of {brief(contract.host)}, and the connection's host is {host}:"
            " nothing was sent. Let 'airflow-provider-kognic contract --save' ask this one."
        )
    age = (now or datetime.now(timezone.utc)) - contract.asked_at
    if age <= _OLD:
        return None
    return (
        f"The contract is {age.days} days old, and the service may have changed since: make it anew with"
        " 'airflow-provider-kognic contract --save'."
    )


def _by_contract(contract: Contract, name: str) -> bool | int | str | None:
    """Return what follows from a verdict; raises KognicInputError for a value that cannot be."""
    verdict, _ = contract.switching(name)
    if verdict is Verdict.UNKNOWN:
        return None if name == LISTING else False
    if verdict is Verdict.CONTRADICTED:
        return False
    value = contract.value(name)
    if name == BODY_LIMIT:
        return False if value is None else _bytes(value, "the contract's value of body_limit")
    if name == KEY:
        return value if isinstance(value, str) else USUAL_KEY
    return True


def _about(contract: Contract, name: str) -> str:
    verdict, by = contract.switching(name)
    return f"the contract of {_day(contract)} ({verdict.value if by == name else f'{by} {verdict.value}'})"


def _day(contract: Contract) -> str:
    return contract.asked_at.date().isoformat()


def _pairs(assumptions: object) -> list[tuple[str, object]]:
    given = assumptions
    if isinstance(given, str) and given.lstrip().startswith("{"):
        try:
            given = json.loads(given, object_pairs_hook=_Pairs)
        except (ValueError, RecursionError):
            raise KognicInputError(
                f"'assumptions' begin as a JSON object, and are none: {brief(given)}."
            ) from None
    if isinstance(given, _Pairs):
        return list(given)
    if isinstance(given, dict):
        return [(str(name), value) for name, value in given.items()]
    if given is None or (isinstance(given, str) and len(given) <= _LONGEST):
        return list(_of_text(given or ""))
    raise KognicInputError(f"'assumptions' must be 'auto', or {_example()}, not {brief(given)}.")


class _Pairs(list[tuple[str, object]]):
    """The pairs of a JSON object, also where a name stands there twice."""


def _of_text(text: str) -> Iterator[tuple[str, object]]:
    spaced = re.sub(r"\s*=\s*", "=", text)
    for part in filter(None, _BETWEEN.split(spaced.strip())):
        if part.lower() == AUTO:
            continue
        name, equals, value = part.partition("=")
        if not equals and name in SWITCHABLE:
            raise KognicInputError(f"'assumptions' do not say whether {name} is on: {_example()}.")
        if not equals or not value:
            raise KognicInputError(f"'assumptions' must be 'auto', or {_example()}, not {brief(text)}.")
        yield name, value


def _example() -> str:
    return f"such as {LISTING}=off, {COMPRESSION}=on, {BODY_LIMIT}=50000000"


def _unknown(name: str) -> str:
    there = f"There are {', '.join(SWITCHABLE)}."
    if name in NAMES:
        return f"{name!r} in 'assumptions' switches nothing: only a contract has a verdict of it. {there}"
    meant = get_close_matches(name.lower(), SWITCHABLE, 1)
    return f"{brief(name)} in 'assumptions' is unknown{f' (did you mean {meant[0]!r}?)' if meant else ''}. {there}"


def _is_auto(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.strip().lower() == AUTO)


def _value(name: str, value: object) -> bool | int | str:
    flag = flag_of(value)
    if name == BODY_LIMIT:  # 0 is a number here
        return (
            False
            if flag is False and str(value).strip() != "0"
            else _bytes(value, f"{name!r} in 'assumptions'")
        )
    if flag is not None:
        return (USUAL_KEY if flag else False) if name == KEY else flag
    if name == KEY and isinstance(value, str):
        return Switches(idempotency_key=value).idempotency_key or False
    raise KognicInputError(f"{name!r} in 'assumptions' must be on, off or auto, not {brief(value)}.")


def _bytes(value: object, what: str) -> int:
    number = value
    if isinstance(number, str) and number.strip().replace("_", "").isdecimal():
        number = int(number.strip().replace("_", "")[:20])
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise KognicInputError(
            f"{what} must be a whole number of bytes above 0, off or auto, not {brief(value)}."
        )
    return number


def _shown(value: object) -> str:
    return ("off", "on")[value] if isinstance(value, bool) else str(value)
