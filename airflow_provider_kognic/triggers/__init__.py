"""Triggers of the deferrable sensors. None of them ever makes a POST.

In goes a question of `core.groups.waiting` as serialized arguments, out comes one event: its answer, or an error
that asking again will not mend. They may import the hook and `core`. Their class paths and arguments are stored in
Airflow's database.
"""
