"""Masks that pycocotools made, with what it says of them: `scripts/make_mask_data.py` writes them."""

import gzip
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "data" / "masks.json.gz"
# Pixels of a mask that takes its time.
LARGE = 1_000_000


@cache
def cases() -> list[dict[str, Any]]:
    """All of them."""
    read: list[dict[str, Any]] = json.loads(gzip.decompress(FILE.read_bytes()))
    return read


def digest(pixels: bytes) -> str:
    """What a case has as `sha256`."""
    return hashlib.sha256(pixels).hexdigest()[:16]
