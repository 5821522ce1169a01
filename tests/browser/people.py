"""Makes the people of the tests, with what they may; run in Airflow's environment, before its parts begin.

Airflow's commands for this (`airflow users`, `airflow roles`) do the same, each in a process of its own.
"""

import json
import sys
from typing import Any

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder


def make(people: dict[str, Any], roles: dict[str, list[list[str]]]) -> None:
    """Make them.

    Args:
        people: Who there is: the role of each, by the name, which is the password, too.
        roles: Roles that there are not: what each may do with what.
    """
    with get_application_builder() as builder:
        manager: Any = builder.sm
        for permissions in roles.values():
            for action, resource in permissions:
                manager.create_permission(action, resource)
        manager.bulk_sync_roles([{"role": name, "perms": perms} for name, perms in roles.items()])
        for name, role in people.items():
            added = manager.add_user(name, name, name, f"{name}@example.com", manager.find_role(role), name)
            assert added, name


if __name__ == "__main__":
    make(**json.loads(sys.argv[1]))
