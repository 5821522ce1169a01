"""Sensors that wait for predictions groups and annotated scenes.

In go the arguments of a Dag, out comes the answer to a question of `core.groups.waiting`, asked on the worker or by
a trigger. They may import triggers, `task`, the hook, links and `core`.
"""
