"""What is promised: the matrix, as data; `docs/guarantees.md` shows it, `test_promise.py` proves it."""

from collections.abc import Iterator
from dataclasses import dataclass

BACKENDS = ("local folder", "object store", "state store")
LISTINGS = ("none", "exact", "lagging")
REPEATED = ("stand_beside", "replace", "conflict")

ALL = "all created"
DOUBT = "in doubt stays"


@dataclass(frozen=True)
class Row:
    """Something that happens to an upload.

    Attributes:
        key: Its name in the tests.
        happens: The same for people.
        unlisted: What is promised where the server lists no predictions; with a listing it is `ALL`.
        unlisted_in_state_store: The same where the journal is in the task state store, if it differs.
    """

    key: str
    happens: str
    unlisted: str
    unlisted_in_state_store: str | None = None

    def promise(self, backend: str, listing: str) -> str:
        """Return what is promised under `on_ambiguous="reconcile"`, whatever a repeated scene does."""
        if listing != "none":
            return ALL
        if backend == "state store" and self.unlisted_in_state_store is not None:
            return self.unlisted_in_state_store
        return self.unlisted


ROWS = (
    Row("429", "a storm of 429", ALL),
    Row("503 before", "503, not executed", DOUBT),
    Row("503 after", "503, executed", DOUBT),
    Row("504 before", "504, not executed", DOUBT),
    Row("504 after", "504, executed", DOUBT),
    Row("reset before", "connection reset, not executed", DOUBT),
    Row("reset after", "connection reset, executed", DOUBT),
    Row("close before", "connection closed, not executed", DOUBT),
    Row("close after", "connection closed, executed", DOUBT),
    Row("late commit", "executed after the client has given up, within `settle_after`", DOUBT),
    Row("garbage", "an unreadable 2xx", DOUBT),
    Row("revoked", "the token expires or is revoked in mid-flight", ALL),
    Row("away", "no DNS, or no connection, for a while", ALL),
    Row("restarted", "the server is restarted in mid-run", DOUBT),
    Row("full", "the journal can be written no more (a full disk)", DOUBT),
    Row("stop", "SIGTERM, marked failed: answers come within the moment that is left", ALL),
    Row("timeout", "execution time-out, SIGTERM: answers do not come", DOUBT),
    Row("kill", "`kill -9` of the task, its supervisor or worker; cleared while it runs", DOUBT),
    Row("overlap", "two attempts at the same time", ALL, unlisted_in_state_store=DOUBT),
    Row(
        "overlap moved",
        "the same, of which the second is given another source (a link was moved, rows have grown)",
        ALL,
        unlisted_in_state_store=DOUBT,
    ),
)

# What is promised for a prediction whose answer was lost, by policy, for any row, journal and listing.
POLICIES = {
    "reconcile": "see above: sent again only when the listing shows that it was not executed",
    "resend": "sent again: created at least once; what may be there twice has `reason` `resent` in the receipts;"
    " in doubt stays only what the server answers with a refusal then (409)",
    "skip": "sent at most once: in doubt stays, and the task may succeed",
    "fail": "sent at most once: in doubt stays, and the task fails",
}


def columns() -> Iterator[tuple[str, str, str]]:
    """Yield each backend with each listing and each way of a repeated scene."""
    for backend in BACKENDS:
        for listing in LISTINGS:
            for repeated in REPEATED:
                yield backend, listing, repeated


def matrix() -> list[list[str]]:
    """Return the rows of the table in the docs.

    What a repeated scene does makes no difference, as none is repeated; nor does a lag within `settle_after`.
    """
    return [
        [
            row.happens,
            *(row.promise(backend, listing) for backend in BACKENDS for listing in ("none", "exact")),
        ]
        for row in ROWS
    ]
