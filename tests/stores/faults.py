"""What can go wrong between a store's client and the store, and on which requests it does."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Operation = Literal["list", "read", "head", "write", "delete", "other"]


@dataclass(frozen=True)
class Request:
    """What a client asks for.

    Args:
        operation: "list" for the keys below a prefix, "read" for an object, "head" for its properties.
        bucket: The bucket.
        key: The object's key, or the prefix of a listing.
    """

    operation: Operation
    bucket: str
    key: str


@dataclass(frozen=True)
class Says:
    """The store answers with an error, in its own words."""

    status: int
    code: str
    message: str = "said by the faulty proxy"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<Error>'
            f"<Code>{self.code}</Code><Message>{self.message}</Message><RequestId>0</RequestId></Error>"
        ).encode()


@dataclass(frozen=True)
class Breaks:
    """The connection ends, or falls silent.

    Args:
        after: When: "nothing" of the answer was sent, and the store was not asked; or its head and "half" of its
            body; or the store has "done" what it was asked for, and nothing of its answer was sent.
        how: "reset" is TCP's, "close" a polite end before all was sent, "silence" lasts until the test ends.
    """

    after: Literal["nothing", "half", "done"]
    how: Literal["reset", "close", "silence"]


@dataclass(frozen=True)
class Does:
    """Something happens before the store gets the request, such as another writer's write."""

    what: Callable[[], object]


@dataclass(frozen=True)
class Drips:
    """The body comes slowly.

    Args:
        rate: So many bytes a second.
    """

    rate: int


Trouble = Says | Breaks | Does | Drips

SLOW_DOWN = Says(503, "SlowDown", "Please reduce your request rate.")
UNAVAILABLE = Says(503, "ServiceUnavailable", "Service is unable to handle request.")
INTERNAL_ERROR = Says(500, "InternalError", "We encountered an internal error. Please try again.")
EXPIRED_TOKEN = Says(400, "ExpiredToken", "The provided token has expired.")
DENIED = Says(403, "AccessDenied", "Access Denied")
UNKNOWN_KEY_ID = Says(
    403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
)
CLOCK_SKEW = Says(
    403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."
)
NO_BUCKET = Says(404, "NoSuchBucket", "The specified bucket does not exist")
NO_KEY = Says(404, "NoSuchKey", "The specified key does not exist.")
WRONG_REGION = Says(
    301,
    "PermanentRedirect",
    "The bucket you are attempting to access must be addressed using another endpoint.",
)
WRONG_REGION_SIGNED = Says(
    400,
    "AuthorizationHeaderMalformed",
    "The authorization header is malformed; the region 'us-east-1' is wrong",
)
RESET = Breaks("nothing", "reset")
LOST_ANSWER = Breaks("done", "reset")
RESET_IN_BODY = Breaks("half", "reset")
SHORT_BODY = Breaks("half", "close")
SILENT = Breaks("nothing", "silence")
STALLED = Breaks("half", "silence")


@dataclass
class Fault:
    """A trouble, and which requests it befalls.

    Args:
        trouble: What happens.
        on: The operations; all if there are none.
        where: A regular expression that the key, or a listing's prefix, must contain.
        times: How often, or None for always.
        after: How many such requests are let through before.
    """

    trouble: Trouble
    on: tuple[Operation, ...] = ()
    where: str = ""
    times: int | None = None
    after: int = 0
    happened: int = 0

    def takes(self, request: Request) -> bool:
        """Tell whether a request is hit, and count it if so."""
        if self.on and request.operation not in self.on:
            return False
        if not re.search(self.where, request.key):
            return False
        if self.after:
            self.after -= 1
            return False
        if self.times is not None and self.happened >= self.times:
            return False
        self.happened += 1
        return True
