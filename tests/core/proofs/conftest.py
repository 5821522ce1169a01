"""What killed attempts leave behind is taken away with the file that killed them."""

import gc
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_to_the_next_file() -> Iterator[None]:
    """Attempts that are killed in this process never close their connections: a process that ends does.

    Whichever test runs when these are collected would be blamed for them.
    """
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
