"""What is measured in tasks of a real Airflow: its Dags, what they measure of themselves, and who runs them."""
