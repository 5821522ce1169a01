"""What was intended and what came of it, remembered from one attempt to the next.

In comes, from the upload, what is about to be sent and what became of it; out goes, to the next attempt, what is
known of a scene. `facade` is what an upload uses: the `Journal`. Behind it `format` knows how a line is written,
`ledger` what lines mean, `writer` when they are written. `log` is the port to where they are kept: a `folder`,
which has `parts` for its lines and two `leases`, each a `lease` with its `holder`, that keep overlapping attempts
apart; or any other place with the same methods. `memory` compares a log with what is remembered of it elsewhere.
May import errors, hosts, models, reasons and files of the core; nothing of the upload, and no API.
"""
