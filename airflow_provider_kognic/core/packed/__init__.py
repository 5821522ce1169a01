"""What is kept of each of many predictions, in few bytes: a hundred thousand of them are some MB, not some ten.

An object of Python's own takes 50 bytes before it holds anything, and its place in a dict or a set 50 to 100 more.
Here entries stand one behind the other in blocks of bytes, and are found by their numbers.

In come keys, values and names; out comes what a dict, a set or a sorted list of them would say. Imports nothing.
"""
