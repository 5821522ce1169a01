"""From something to send to its result.

In comes what is to be sent, its intent durable; out goes its result, once it is known or given up. `sender` is the
way of one prediction; `throttle` says who may be in flight and `slots` how many, `group_circuit` whether a 404 is
about the group, and `same_refusal` whether everything is refused alike.

May import reporting's events, options, retries and what lies below them, and of the upload `ending` and `records`.
"""
