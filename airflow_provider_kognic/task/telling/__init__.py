"""What a task tells others while it runs and when it succeeds: links, asset events, and its run manifest.

In comes what the task knows of its dataset, group and run; out go XComs, log lines and the extras of events. It may
import what a task may.
"""
