"""What a task records while it works, so that somebody can watch: how far it is, and what went wrong so far.

In comes what happens, as events of `core.reporting.events` (`account` counts them), and what is known of the upload
(`description`); out go values of JSON under the keys of `records`, in Airflow's task state store or as XComs
(`recorder`); `live` puts these together, and `waiting` does the same for sensors. The page in `plugins` reads them.
It may import what the rest of `task` may. Nothing here may slow down, stop or fail the upload itself.
"""
