"""Apache Airflow provider for Kognic, the annotation platform for autonomous driving.

`hooks`, `operators`, `sensors`, `triggers` and `links` are where Airflow looks, and thin; `task` is what happens
between an operator's arguments and what its task ends with; `core` is everything that needs no Airflow; `emulator`
is a local Kognic. What may import what is drawn in CONTRIBUTING.md.
"""

from airflow_provider_kognic.get_provider_info import get_provider_info

__all__ = ["__version__", "get_provider_info"]

__version__ = "0.1.0"
