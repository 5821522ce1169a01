"""The one list of what is assumed of the service."""

from pathlib import Path

import airflow_provider_kognic
from airflow_provider_kognic.core.contract.assumptions import ASSUMPTIONS, NAMES, Asked

PACKAGE = Path(str(airflow_provider_kognic.__file__)).parent
SOURCES = (
    "docs.kognic.com, ",
    "kognic-auth ",
    "kognic-base-clients ",
    "kognic-io ",
    "no source: ",
    "as that of ",
)


def test_each_has_a_name_of_its_own() -> None:
    assert len(NAMES) == len(ASSUMPTIONS)
    assert all(one.name.replace("_", "a").isalnum() and one.name == one.name.lower() for one in ASSUMPTIONS)


def test_each_says_where_it_is_used_what_happens_without_it_and_where_it_comes_from() -> None:
    for one in ASSUMPTIONS:
        assert one.says.endswith((".", "…."))
        assert one.without.endswith(".")
        assert one.used
        assert all((PACKAGE / module).exists() for module in one.used), one.used
        assert one.source.startswith(SOURCES), one.source
        assert "|" not in f"{one.says}{one.without}{one.source}"  # of tables


def test_nobody_can_be_asked_only_where_nothing_else_can() -> None:
    for one in ASSUMPTIONS:
        assert one.asked
        assert Asked.NOBODY not in one.asked or one.asked == (Asked.NOBODY,)


def test_what_is_optional_is_off_unless_it_is_confirmed() -> None:
    """All but the listing of predictions, which is asked for and done without where there is none: no harm."""
    optional = {one.name: one.switch for one in ASSUMPTIONS if one.switch is not None}
    assert set(optional) == {"predictions_listing", "body_limit", "compression", "idempotency_key"}
    for name, switch in optional.items():
        assert switch.confirmed.startswith("on: ")
        assert switch.contradicted.startswith("off: ")
        assert switch.unknown.startswith("off: ") == (name != "predictions_listing")
