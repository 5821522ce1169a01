"""The page of uploads: what tasks recorded in Airflow's database, as HTML, for whoever may read their Dags.

    a request --access--> Dags that the user may read --recorded, instances--> rows of tables
        --values, shown, plot--> what there is to show --templates--> HTML

`app` answers. Nothing is asked of Kognic, and no path is opened that a task named: what tasks wrote is shown,
escaped, and never trusted to have the form that this version of the package would have given it (`values`).
"""
