"""Apache Airflow provider for Kognic, the annotation platform for autonomous driving."""

__version__ = "0.1.0"
