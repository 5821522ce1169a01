"""An upload, or its dry run, as a task does it.

preparing   finds what the arguments name: source, journal, dataset, group
job         sends, or finds out what would be sent; judges how that ended
"""
