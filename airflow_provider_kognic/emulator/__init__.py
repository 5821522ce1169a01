"""A local Kognic over real HTTP: token endpoint, dataset API, faults to order, and a page to look at.

Start it with ``python -m airflow_provider_kognic.emulator --seed-demo``, or from a test with
``airflow_provider_kognic.emulator.testing.running_emulator``. It imports neither Airflow nor the provider,
but for ``drawing``, which draws documents for both.

A request comes in at ``serving``, whose guard sees whether it is meant for this emulator, passes the gate of
``faults``, which counts it and does wrong what it is told to, and is answered by ``api``, ``admin`` or ``page``
from what ``storage`` keeps. Imports go down only: ``__main__`` and ``testing`` (how people start it), ``serving``,
then ``api``, ``admin``, ``page`` and ``demo``, then ``state`` (what those share), ``faults``, ``storage`` and
``stats``, and ``errors`` at the bottom.
"""
