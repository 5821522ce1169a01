"""What the provider does, without Airflow: everything from a source of predictions to the account of each.

In come sources, settings and options; out go records, reports and errors of its own. It imports no Airflow, not
even within a function, and no emulator.

    upload          the product: reading, sending, reconciliation
    classes         the classes of both sides of a class mapping, and what is proposed from them
    validation      what is held against a document, its scene and its classes before it is sent
    groups          making sure of a predictions group, waiting for what others do
    api             the client: HTTP, tokens, answers; the only folder that knows an HTTP library
    reporting       events and who observes them: tally, progress, receipts, plans
    openlabel       what is wrong with a document
    sources         where predictions come from
    scenes          what is known of scenes, and what they are called
    journal         what was intended and what came of it, from one attempt to the next
    options, values what an upload may be told; single values checked
    models, reasons the records that the parts hand to each other, and why a prediction is what it is
    retries         what happens after an error: one table
    files           local disks and object stores, where it matters what they hold
    errors, cancellation
    texts           how texts are put together that people read

Imports run downwards only; pyproject.toml has the layers, and scripts/lint holds them.
"""
