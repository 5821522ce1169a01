"""One request and its own answer, whatever the server does: what the clients hold each to.

An answer is bounded in its bytes and what they unpack to (`bodies`) and in its time (`limits`, `leaving`), and is
never what was left over from the one before: `direct`, which sends requests straight to the API, knows whose each
byte is, and of httpx `unread` finds it out. `direct` stands on `connecting` (a socket), `tls` and `heads`. `calls`
makes single requests for who has no event loop, on one in the `background`. `switches` say what of the API that is
optional is made use of, and `compressing` is one of these.
"""
