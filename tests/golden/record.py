"""Write all data anew: `python -m tests.golden.record [KIND...]`.

Only to be run to add to it: what is there was written by the code before, and that is what it is for.

`python -m tests.golden.record --release VERSION` keeps a copy of what the code as it is writes in `data/released/`:
later versions have to read it, and it is never made again.
"""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import tests.conftest  # noqa: F401 - sets the environment, before anything imports Airflow
from tests.golden import arguments, command, dags, journals, receipts, state_store, surface, uploads
from tests.golden.world import DATA

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.golden.world import Files

# In this order: what the journals mean is asked of the journals in the data.
KINDS: dict[str, Callable[[], Files]] = {
    "journals": journals.make,
    "meanings": journals.make_meanings,
    "state_store": state_store.make,
    "state_store_meanings": state_store.make_meanings,
    "groups": state_store.make_groups,
    "receipts": receipts.make,
    "uploads": uploads.make,
    "uploads_with_state_store": uploads.make_with_state_store,
    "dags": dags.make,
    "surface": surface.make,
    "newer_surface": surface.make_newer,
    "pickles": surface.make_pickles,
    "command": command.make,
    "arguments": arguments.make,
}


# What one version writes and a later one reads.
READ_LATER = (
    *("journals", "meanings", "state_store", "state_store_meanings"),
    *("groups", "receipts", "dags", "surface", "pickles"),
)


def release(version: str) -> None:
    """Keep what this version writes; raises FileExistsError where that was done."""
    for kind in READ_LATER:
        shutil.copytree(DATA / kind, DATA / "released" / version / kind)


def kept(kind: str) -> Files:
    """Return the files of a kind."""
    folder = DATA / kind
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def main(kinds: list[str]) -> None:
    """Write the files of these kinds, or of all."""
    for kind in kinds or KINDS:
        folder = DATA / kind
        shutil.rmtree(folder, ignore_errors=True)
        for name, content in KINDS[kind]().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--release"]:
        release(sys.argv[2])
    else:
        main(sys.argv[1:])
