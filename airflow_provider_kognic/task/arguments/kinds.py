"""What kind of value an argument is, told without importing what makes such values."""

from __future__ import annotations


def is_path(value: object) -> bool:
    """Tell whether a value can be a path: text, or an object that is one."""
    return isinstance(value, str) or hasattr(value, "read_bytes")


def is_yielded(value: object) -> bool:
    """Tell whether a value is a `YieldedSource`, without importing what that needs."""
    return hasattr(value, "named") and hasattr(value, "key")
