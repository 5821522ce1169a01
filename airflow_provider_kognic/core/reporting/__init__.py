"""What is told of an upload or a dry run, while it runs and at its end.

Events come in (`events`) and go to observers. Out go counts, the line of progress, and two kinds of files of rows
(`rows_file`): receipts say what an upload did about each prediction, a dry run's report (`plan_report`) what would
be done. `judgement` says whether an upload as a whole succeeded, `plan` what a dry run found out.

It may import options, models, reasons, retries, files and errors; it knows neither the client nor the journal.
"""
