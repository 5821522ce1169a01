"""Links from a task in Airflow's UI to Kognic's web app.

In goes the URL of a page, stored in an XCom while the task runs; out it comes where Airflow draws the button. It
imports nothing of the package.
"""
