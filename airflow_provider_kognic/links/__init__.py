"""Extra links of the operators' tasks in Airflow's UI."""
