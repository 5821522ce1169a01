"""Everything that this provider assumes of Kognic's service, in one list.

A table in docs/contract.md and that of the command `contract` show it; a test holds them equal.
"""

from __future__ import annotations

from airflow_provider_kognic.core.contract.assumed.access import ACCESS
from airflow_provider_kognic.core.contract.assumed.answers import ANSWERS
from airflow_provider_kognic.core.contract.assumed.assumption import Asked, Assumption, Switch
from airflow_provider_kognic.core.contract.assumed.documents import DOCUMENTS
from airflow_provider_kognic.core.contract.assumed.endpoints import ENDPOINTS
from airflow_provider_kognic.core.contract.assumed.scenes import SCENES
from airflow_provider_kognic.core.contract.assumed.sending import SENDING

__all__ = ["ASSUMPTIONS", "NAMES", "RESTS_ON", "Asked", "Assumption", "Switch"]

ASSUMPTIONS: tuple[Assumption, ...] = (*ACCESS, *ENDPOINTS, *ANSWERS, *SENDING, *DOCUMENTS, *SCENES)
"""All of them, in the order in which they are shown."""

NAMES = frozenset(assumption.name for assumption in ASSUMPTIONS)
"""Their names."""

RESTS_ON = {one.name: one.switch.rests_on for one in ASSUMPTIONS if one.switch is not None}
"""Of those that switch something, which others they rest on."""
