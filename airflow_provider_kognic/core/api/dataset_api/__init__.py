"""What the dataset API is asked and what it answers, without who asks.

`endpoints` has URLs and bodies of requests, `records` what is made of the answers' rows.

It may import what `api` may.
"""
