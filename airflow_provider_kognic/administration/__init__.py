"""Commands for whoever runs an installation: of Airflow's pool, of journals, the service, a dataset's classes.

Each has its `HELP`, its `DESCRIPTION` and `add_arguments`, as the other commands beside this folder; `cli` defines
them all. May import what tasks do, and nothing may import these but `cli`.
"""
