"""What needs Airflow while a task runs: what happens between an operator's arguments and what its task ends with.

An operator's arguments come in (`arguments`: what they may be, templates and all) and become an `uploading` or a
`group_job`: text becomes paths and sources (`paths`), a journal is chosen (`journals`; `state_store` keeps one in
Airflow), a contract says what of the API is optional (`contracts`), what is asked of the input API is put together
(`scenes`), receipts and a dry run's report become files (`report_files`), `deadline` asks for an end in time. What
goes out is a summary of what is known (`summary`), and an exception that Airflow understands (`failures`).

It may import hooks, exceptions, summaries and core, and Airflow; never operators or sensors, which import it.
`arguments`, `paths` and `failures` are imported where DAG files are parsed and import nothing slow; the others wait
for the task to run.
"""
