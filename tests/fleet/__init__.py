"""A fleet that uploads while its workers die: nothing lost, nothing doubled, never more than ten in flight.

Run `python -m tests.fleet` from the checkout; docs/fleet.md says what it proves.
"""
