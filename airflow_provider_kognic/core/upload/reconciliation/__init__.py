"""From a lost answer to what became of it.

In come predictions in doubt; out go, round by round, results and what is to be sent again. `rounds` holds the
doubts and asks, `listing` is what the server shows, and `doubts` says what a look at it means (a pure function).

May import the journal, reporting's events, options, retries and what lies below them, and of the upload `ending`
and `records`.
"""
