"""What a person sees of an upload in Airflow's UI: a real browser, a real Airflow with users, and the emulator.

It has an environment of its own, `.venv-browser`: see `.ci/run`, and CONTRIBUTING.md for the docs' pictures.
"""
