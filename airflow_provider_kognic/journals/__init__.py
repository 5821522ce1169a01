"""Places for the journal that need Airflow."""
