"""What others see of a task while it runs, and after: the parts of its log and trace, its metrics, its lineage.

    phases    groups in the log, spans in the trace
    metrics   an observer of an upload that counts for Airflow's metrics
    lineage   what OpenLineage is told: the source, and the predictions group

Nothing of it may hurt an upload. It may import hooks, core and Airflow, as `task` does.
"""
