"""One request and its own answer, whatever the server does: below the clients, above the HTTP libraries.

`transports` sends a request with httpx and reads its answer, within bounds: of its bytes and what they unpack to
(`bodies`), of its time (`limits`), and never what was left over from the answer before (`unread`). `calls` makes
single requests for who has no event loop, on one in the `background`; `token_requests` holds kognic-auth's requests
to the same bounds.
"""
