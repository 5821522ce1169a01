"""What the provider does, without Airflow: client, sources, retries, journal, upload engine."""
