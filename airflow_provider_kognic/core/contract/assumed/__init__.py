"""The assumptions, by what they are about; `..assumptions` puts them into one list.

Each file has its part of the list, in the order in which it is shown. `assumption` says what one is made of.
"""
