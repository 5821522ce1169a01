"""The upload engine with the content check alone, as the documented way has no validation either."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import engine

if TYPE_CHECKING:
    from pathlib import Path


async def run(url: str, group: str, path: Path) -> int:
    """Upload as `engine.run` does, with `validation="off"`."""
    return await engine.run(url, group, path, validation="off")
