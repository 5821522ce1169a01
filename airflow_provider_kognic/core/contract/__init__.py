"""What the service says of itself, held against what this provider assumes of it.

`assumptions` is the one list of what is assumed. `contract` is the answer, saved and read again: a verdict of each
assumption. The upload reads that one and knows nothing of how it was come by; `switching` says what follows from
it.

It may import `api`, `files`, and what lies below them; `assumptions` and `contract` import no `api`, so that an
upload may read a contract.
"""
