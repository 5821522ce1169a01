"""TLS between a socket's bytes and those of requests and answers: no more than a client needs, and nothing hidden.

asyncio's own would do the same, differently in each version, and does not tell whether it holds half a record.
"""

from __future__ import annotations

import ssl

_READ = 1 << 16
# Bytes before each record: its kind, its version, and in the last two its length.
_HEAD = 5


class Tls:
    """The TLS of one connection.

    Args:
        context: Whom to trust.
        host: Whom to expect: a name or an address.

    Attributes:
        ended: Whether the other side has said that nothing more comes.
        broken: What was wrong with what came after all that was read.
    """

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self.ended = False
        self.broken: ssl.SSLError | None = None
        context.set_alpn_protocols(["http/1.1"])
        self._head = b""
        self._left = 0
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def take(self, data: bytes | memoryview) -> None:
        """Take what came from the socket."""
        self._incoming.write(data)
        while data:
            if not self._left:
                need = _HEAD - len(self._head)
                self._head += bytes(data[:need])
                data = data[need:]
                if len(self._head) < _HEAD:
                    return
                self._left = int.from_bytes(self._head[-2:], "big")
                self._head = b""
            read = min(self._left, len(data))
            self._left -= read
            data = data[read:]

    def take_end(self) -> None:
        """Note that nothing more comes from the socket."""
        self._incoming.write_eof()

    def to_send(self) -> bytes:
        """Return what is to go to the socket now."""
        return self._outgoing.read()

    def shake_hands(self) -> bool:
        """Go on with the handshake; tells whether it is done, and raises ssl.SSLError where it fails."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def encrypt(self, data: bytes | memoryview) -> bytes:
        """Return what has to go to the socket so that `data` arrives."""
        self._object.write(data)
        return self._outgoing.read()

    def decrypted(self) -> bytes:
        """Return what has arrived and was not returned before."""
        chunks: list[bytes] = []
        try:
            while chunk := self._object.read(_READ):
                chunks.append(chunk)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            self.ended = True  # with a goodbye or without one: many servers have none
        except ssl.SSLError as error:
            self.broken = error
        return b"".join(chunks)

    def holds_more(self) -> bool:
        """Tell whether there is something left, be it the beginning of a record: that, OpenSSL does not tell."""
        return bool(self._left or self._head or self._object.pending())
