"""What goes wrong with files on a disk or in an object store, and how long one waits for a store that is silent.

`troubles` is the one table that says what an error of a store means; `patience` asks a store again that did not
answer, within a time; `limited` leaves a call alone that never comes back. Sources, the journal and receipts use
all three, so that trouble of a store is never taken for a bad document. `ahead` makes calls side by side.

May import errors, files and retries.
"""
