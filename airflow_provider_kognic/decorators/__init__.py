"""What `@task.<name>` makes of a function: found by Airflow through the provider's metadata."""
