"""The dataset API, for whoever needs it: the only folder that knows HTTP libraries (requests, httpx, kognic-auth).

`settings` says where Kognic is and how to reach it; `tokens` gets the token that `client` (single calls, with
requests) and `async_client` (many predictions at a time, with httpx) send along. In go uuids and documents, out
come `records`, or an error of `core.errors`. What both clients share stands beside them: `endpoints` (URLs and
bodies of requests), `network` (proxies and certificates), `answers` (a status and a body into data or an error, by
one table) and `http_errors` (a library's exception into ours: sent, or certainly not?).

It may import `errors`, `retries`, `values`, `models` and `cancellation` of the core. The upload, the journal, the
sources and the check of documents do not import it: they say in protocols what they need.
"""
