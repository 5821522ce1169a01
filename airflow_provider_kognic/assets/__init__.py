"""Assets: what is in Kognic, as Airflow schedules on it.

`kognic` has what Airflow finds by the provider's information (the form of `kognic://` URIs), and what people name
in Dag files: the alias under which the predictions of a dataset are announced.

In comes what a task knows of its group; out come asset events. It may import Airflow and the core.
"""
