"""The input API, which knows scenes and calibrations: it only reads, with the settings of the dataset API.

`client` makes single calls, and `async_client` many at a time beside an upload, with its token and counted among
its requests in flight. `endpoints` has URLs and bodies, `records` what is made of the answers.
`annotations` reads the documents of scenes' annotations, which lie behind signed addresses (`api.contents`).

Kognic documents none of it for users of datasets: paths, parameters and fields are those of its published client
(kognic-io 2.19.0: `resources/scene`, `resources/calibration`, `resources/annotation` and their models; the host of
`model/hosts.py`). So it is asked only where the connection's `input_host` names it, and whoever asks has to go on
where it is not there or says no.

It may import what `api` may.
"""
