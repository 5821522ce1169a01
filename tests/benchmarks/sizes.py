"""How much work the parts of the benchmark do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """How much work there is; `QUICK` finds out whether the benchmark runs, and judges nothing."""

    small: int = 2_000
    large: int = 200
    few: int = 1_000
    many: int = 20_000


FULL = Sizes()
QUICK = Sizes(small=200, large=20, few=200, many=1_000)
