"""The one error of the emulator that becomes an answer."""


class Refused(Exception):  # noqa: N818 (it is a refusal, and the answer says the same)
    """A request that the API turns down; answered as JSON with ``message``, as Kognic documents its errors.

    Args:
        status: The HTTP status of the answer.
        message: Why, for the person who reads the client's log.
        headers: Further headers of the answer.
    """

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers
