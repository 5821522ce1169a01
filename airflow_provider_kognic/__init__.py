"""Apache Airflow provider for Kognic, the annotation platform for autonomous driving."""

from airflow_provider_kognic.get_provider_info import get_provider_info

__all__ = ["__version__", "get_provider_info"]

__version__ = "0.1.0"
