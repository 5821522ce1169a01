"""The hook: an Airflow connection becomes a client.

In goes a connection's id, out come `Settings`, clients and single calls; `input_api` is what the Test button
says of the input API. It may import `core`, above all `core.api`, and `get_provider_info` for the form; it is
imported by whatever runs in a task or in the triggerer.
"""
