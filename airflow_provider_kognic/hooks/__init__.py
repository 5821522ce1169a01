"""Hooks: an Airflow connection becomes a client."""
