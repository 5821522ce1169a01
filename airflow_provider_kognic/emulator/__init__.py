"""A local Kognic over real HTTP: token endpoint, dataset API, faults to order, and a page to look at.

Start it with ``python -m airflow_provider_kognic.emulator --seed-demo``, or from a test with
``airflow_provider_kognic.emulator.testing.running_emulator``. It imports neither Airflow nor the provider.
"""
