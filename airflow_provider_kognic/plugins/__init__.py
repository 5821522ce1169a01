"""What Airflow's UI shows of this package, found by its entry points of the group `airflow.plugins`.

`uploads` is imported by every process of Airflow, so it imports nothing slow; `page` is the page of uploads itself,
and is imported by the api-server alone. They may import `records`, `summaries` and Airflow; nothing imports them.
"""
