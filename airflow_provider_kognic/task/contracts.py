"""What of the API that is optional an upload makes use of: by the contract that a connection names, and by name."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.contract.contract import MOST_BYTES, Contract
from airflow_provider_kognic.core.contract.switching import check_contract, disagreements, switches
from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.stores.limited import in_time
from airflow_provider_kognic.core.stores.troubles import error_of
from airflow_provider_kognic.task.paths import to_path

if TYPE_CHECKING:
    from airflow_provider_kognic.core.api.switches import Switches
    from airflow_provider_kognic.core.stores.patience import Patience
    from airflow_provider_kognic.hooks.connections import Assumed

logger = logging.getLogger(__name__)


def switched(assumed: Assumed, host: str, patience: Patience) -> Switches:
    """Return what an upload makes use of, and say so in the log where somebody has said anything.

    Args:
        assumed: What the connection says.
        host: The dataset API, as `Settings.host` names it.
        patience: Asks a store again that does not answer.

    Raises:
        KognicInputError: There is no such contract, it cannot be read, or it is of another host: nothing was sent.
        KognicStoreError: The store of the contract does not answer.
    """
    if assumed.contract is None:
        found = switches(None, assumed.named)
    else:
        contract = _read(assumed.contract, patience)
        if (old := check_contract(contract, host)) is not None:
            logger.warning("%s", old)
        for said in disagreements(contract, assumed.named):
            logger.warning("%s", said)
        found = switches(contract, assumed.named)
    if found.said_by:
        logger.info("What is optional in the API: %s.", found)
    return found


def _read(text: str, patience: Patience) -> Contract:
    """Read the contract that a connection names; raises as `switched` does."""
    what = "the connection's 'contract'"
    if text.lstrip().startswith("{"):
        raise KognicInputError(f"{what} is a path, not the contract itself. Nothing was sent.")
    where = f"{what} {masked(text)} cannot be read"
    path = to_path(text, what)
    try:
        return patience.ask(lambda: in_time(path, lambda: Contract.load(path), MOST_BYTES), where)
    except KognicInputError as error:
        raise error.with_message(f"{error.message} It is {what}; nothing was sent.") from error.__cause__
    except KognicError:
        raise
    except Exception as error:  # as the store's library does
        raise error_of(error, where) from error
