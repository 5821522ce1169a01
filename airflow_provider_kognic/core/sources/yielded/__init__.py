"""Documents that a function yields: they are sent while it runs.

source    runs the function in a thread of its own, and is a source like others
spool     a temporary file that what was yielded goes through
"""
