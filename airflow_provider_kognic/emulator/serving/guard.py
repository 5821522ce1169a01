"""What every request passes first: is it meant for this emulator, and may whoever sent it have what it asks for?"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_kognic.emulator.errors import Refused
from airflow_provider_kognic.emulator.faults.answers import Answer
from airflow_provider_kognic.emulator.faults.intake import GoneError, read_body
from airflow_provider_kognic.emulator.serving.hosts import Hosts, is_local, is_loopback, name_in

# A million scenes fit in.
_ADMIN_BODY_BYTES = 64 << 20
_ADMIN_BODY_SECONDS = 60.0


class Guard:
    """Refuse what was not meant for this emulator, and keep ``/__admin`` for its own machine.

    Both are decided before a body is read.

    Args:
        app: What is behind it.
        hosts: The names that pass.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event, as ASGI defines it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope)
            if scope["path"].startswith("/__admin"):
                check_admin(scope)
                receive = await _read_first(scope, receive)
        except Refused as refused:
            answer = Answer.of_json(refused.status, {"message": refused.message}, refused.headers)
            await answer.send(send)
            return
        except GoneError:
            # Nobody is there to be answered.
            return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        hosts = Headers(scope=scope).getlist("host")
        target = scope.get("extensions", {}).get("emulator.target", b"/").decode("latin-1")
        refusal = self._hosts.refusal(hosts, target)
        if refusal is not None:
            raise Refused(*refusal)


def check_admin(scope: Scope) -> None:
    """Let only requests from this machine pass that no page of elsewhere can have sent.

    Raises:
        Refused: 403, it comes from elsewhere.
    """
    headers = Headers(scope=scope)
    peer = scope["client"][0] if scope.get("client") else ""
    if not is_loopback(peer):
        raise Refused(403, "The admin endpoints answer to this machine only")
    host = headers.get("host", "")
    name = name_in(host)
    if name is None or not is_local(name):
        raise Refused(
            403,
            f"The admin endpoints answer to names of this machine only, not to {host[:100]!r}: use 127.0.0.1",
        )
    # Nothing in a browser has to do with them: a page of elsewhere may send what it cannot read.
    origins, sites = set(headers.getlist("origin")), set(headers.getlist("sec-fetch-site"))
    if not (origins <= {f"http://{host}"} and sites <= {"none", "same-origin"}):
        raise Refused(403, "The admin endpoints do not answer to pages of elsewhere")


async def _read_first(scope: Scope, receive: Receive) -> Receive:
    """Read a body within bounds, and hand it out again: FastAPI reads it whole, however large it is."""
    body = await read_body(
        receive, Headers(scope=scope).get("content-length"), _ADMIN_BODY_BYTES, _ADMIN_BODY_SECONDS
    )
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
