"""Commands for whoever runs an installation: of Airflow's pool, of the journals in a folder, of the service.

Each has its `HELP`, its `DESCRIPTION` and `add_arguments`, as the other commands beside this folder; `cli` defines
them all. May import what tasks do, and nothing may import these but `cli`.
"""
