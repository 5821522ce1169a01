"""Operators: documented arguments, and an `execute` that reads as prose; what happens in between lives in `task`.

What a DAG file says comes in, an XCom or an exception goes out. They may import `task`, `hooks`, `links`,
`retry_policy`, and of core what is fast, as DAG files are parsed all day.
"""
