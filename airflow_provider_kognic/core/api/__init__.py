"""The dataset API, for whoever needs it: alone in knowing HTTP libraries (requests, httpx, h11, kognic-auth).

`settings` says where Kognic is and how to reach it. `client` makes single calls, and `async_client` sends many
predictions at a time; in go uuids and documents, out come records (`dataset_api`), or an error of `core.errors`.
Both make their requests with `transports`, which sends along the token that `tokens` gets (kognic-auth, with
requests as `token_requests` has them) and holds each answer to the bounds of `exchange`: straight to the API by a
small transport of its own there (`exchange.direct`, and `reading` with h11), past a proxy by httpx's. Beside them
stand `dataset_api` (URLs and bodies of requests, and rows of answers), `access` (named environments), `network`
(proxies and certificates), `answers` (a status and a body into data or an error, by one table) and `http_errors`
(what was raised into ours: sent, or certainly not?).

`input_api` is the same for the input API, by the same means.

It may import `errors`, `retries`, `paging`, `values`, `models` and `cancellation` of the core. The upload, the
journal, the sources and the check of documents do not import it: they say in protocols what they need.
"""
