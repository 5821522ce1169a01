"""Predictions groups, beyond single calls: make sure of one, find one, wait for one.

In goes a client of the API and what is known of a group: a name, a uuid, an intent that an earlier attempt left.
Out comes its uuid, or an answer with a sentence for the log. `ensure` makes one group out of one intent, however
often an answer is lost or an attempt dies (`intent` is what outlives it); `lookup` tells which group is meant;
`waiting` holds the questions that sensors and triggers ask again and again.

It may import the client of `core.api`, and below it `errors`, `values` and `models`; never Airflow, nor the upload.
"""
